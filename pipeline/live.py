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
from pipeline.errors import SourceError, SourceUnauthorisedError
from pipeline.item import Item
from pipeline.media import Media, open_media
from pipeline.redact import redact_url

Status = Literal["starting", "running", "reconnecting", "unauthorised", "failed", "ended"]

Pace = Literal["auto", "live"]

Stopped = Callable[[float], bool]
"""Waits up to so many seconds and says whether the source is to stop: `threading.Event().wait`."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source is."""

    status: Status
    """`failed` and `ended` are for good; `reconnecting` and `unauthorised` are tried again for ever."""
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
    *,
    pace: Pace = "auto",
) -> Generator[Media, None, None]:
    """Opens a source, and yields it anew for every connection: each is a session with a clock of its own.

    A file is one session, read at its own speed if `pace` is `live`. A live source is opened again, after a pause,
    for as long as nobody stops it.

    Raises:
        SourceError: a file cannot be read on; it is for the one who reads it to say so.
    """
    pauses = Pauses(config)
    _tell(on_state, "starting")
    while True:
        began = time.monotonic()
        try:
            with open_media(url, spec, config) as media:
                _tell(on_state, "running")
                if pace == "live" and not media.is_live:
                    media.pacing = partial(paced, stopped=stopped)
                yield media
            error = media.error
            if not media.is_live:
                _tell(on_state, "ended")
                return
        except SourceError as failure:
            if file_path(url) is not None:
                _tell(on_state, "failed", str(failure))
                return
            error = failure
        seconds = pauses.next(error, time.monotonic() - began)
        status: Status = "unauthorised" if isinstance(error, SourceUnauthorisedError) else "reconnecting"
        reason = str(error) if error is not None else f"source: {redact_url(url)}: the stream ended"
        _tell(on_state, status, f"{reason}; next try in {seconds:.2g} s")
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
