"""Keeps a source going: opens it, and a live one again whenever it ends or fails."""

import random
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from models.spec import Spec
from pipeline.config import LiveConfig
from pipeline.container import file_path
from pipeline.errors import SourceAddressError, SourceError, SourceUnauthorisedError
from pipeline.item import Item
from pipeline.media import Media, open_media
from pipeline.pulse import Pulse, Vigil
from pipeline.redact import redact_url

Status = Literal["starting", "running", "stalled", "reconnecting", "unauthorised", "failed", "ended"]

Pace = Literal["auto", "live"]

Stopped = Callable[[float], bool]
"""Waits up to so many seconds and says whether the source is to stop: `threading.Event().wait`."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source is."""

    status: Status
    """`failed` and `ended` are for good; `stalled`, `reconnecting` and `unauthorised` are tried again for ever."""
    reason: str
    """Why, in one line without secrets; empty if there is nothing to say."""
    since: datetime
    """UTC."""


def sessions(
    url: str,
    spec: Spec,
    config: LiveConfig,
    stopped: Stopped,
    on_state: Callable[[SourceState], None],
    on_pulse: Callable[[Pulse], None] = lambda _: None,
    *,
    pace: Pace = "auto",
) -> Generator[Media, None, None]:
    """Opens a source, and yields it anew for every connection: each is a session with a clock of its own.

    A file is one session, read at its own speed if `pace` is `live`. A live source is opened again, after a pause,
    for as long as nobody stops it; `on_pulse` hears when it gives something.

    Raises:
        SourceError: a file cannot be read on; it is for the one who reads it to say so.
    """
    tell = partial(_tell, on_state)
    pauses = Pauses(config)
    tell("starting")
    while True:
        began = time.monotonic()
        on_pulse(Pulse(config.first_frame_seconds if file_path(url) is None else None))
        try:
            with open_media(url, spec, config) as media:
                tell("running")
                media.tell = partial(tell, "running")
                media.take_stills(config.picture_seconds)
                if media.is_live and (media.has_video or media.has_audio):
                    media.through = Vigil(media, spec, config, on_pulse, media.tell).items
                else:
                    on_pulse(Pulse(None))
                    media.through = partial(paced, stopped=stopped) if pace == "live" else None
                yield media
            error = media.error
            if not media.is_live:
                tell("ended")
                return
        except SourceError as failure:
            if file_path(url) is not None or isinstance(failure, SourceAddressError):
                tell("failed", str(failure))
                return
            error = failure
        seconds = pauses.next(error, time.monotonic() - began)
        status: Status = "unauthorised" if isinstance(error, SourceUnauthorisedError) else "reconnecting"
        reason = str(error) if error is not None else f"source: {redact_url(url)}: the stream ended"
        tell(status, f"{reason}; next try in {seconds:.2g} s")
        on_pulse(Pulse(seconds + config.first_frame_seconds))
        if stopped(seconds):
            return


class Pauses:
    """How long to wait before the next try: doubling, and shaken so that cameras do not all knock at once."""

    def __init__(self, config: LiveConfig) -> None:
        self._config = config
        self._pause_seconds = config.first_pause_seconds

    def next(self, error: SourceError | None, ran_seconds: float) -> float:
        """Seconds to wait after a session that ran so long and ended with this error."""
        config = self._config
        if ran_seconds >= config.healthy_seconds:
            self._pause_seconds = config.first_pause_seconds
        pause_seconds = self._pause_seconds
        self._pause_seconds = min(2 * pause_seconds, config.longest_pause_seconds)
        if isinstance(error, SourceUnauthorisedError):
            return config.unauthorised_pause_seconds * (1 + random.uniform(0, config.jitter))  # noqa: S311
        return pause_seconds * (1 + random.uniform(-config.jitter, config.jitter))  # noqa: S311


def paced(items: Iterator[Item], stopped: Stopped, now: Callable[[], float] = time.monotonic) -> Iterator[Item]:
    """Holds the items of a file back until their time has come, as if it were live."""
    began = now()
    for item in items:
        ahead_seconds = item.pts_seconds - (now() - began)
        if ahead_seconds > 0 and stopped(ahead_seconds):
            return
        yield item


def _tell(on_state: Callable[[SourceState], None], status: Status, reason: str = "") -> None:
    on_state(SourceState(status, reason, datetime.now(UTC)))
