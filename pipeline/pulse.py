"""Signs of life of a source: of its process, which the engine waits for, and of each of its tracks."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from models.spec import Spec
from pipeline.config import LiveConfig
from pipeline.drift import TOLD_SECONDS, Drift
from pipeline.errors import SourceError
from pipeline.item import Frame, Item, Samples
from pipeline.media import Media

PULSE_SECONDS: Final = 1.0
"""Least time between two pulses."""
_NAMES: Final[dict[type[Item], str]] = {Frame: "picture", Samples: "sound"}


@dataclass(frozen=True, slots=True)
class Pulse:
    """A camera process is alive."""

    due_seconds: float | None
    """The next one comes within so long, or else the process hangs; none: it takes whatever time it needs."""


class Vigil:
    """Watches the items of one session of a live source go by."""

    def __init__(
        self,
        media: Media,
        spec: Spec,
        config: LiveConfig,
        on_pulse: Callable[[Pulse], None],
        tell: Callable[[str], None],
    ) -> None:
        """Begins with nothing seen and heard.

        Args:
            media: what is open.
            spec: its rate of sound.
            config: what is silence, and what is a stall.
            on_pulse: called when something has come, every second at most.
            tell: called with what goes silent and what is back.
        """
        kinds: dict[type[Item], bool] = {Frame: media.has_video, Samples: media.has_audio}
        self._reached = {kind: 0.0 for kind, has in kinds.items() if has}
        self._silent: type[Item] | None = None
        self._name, self._may_renumber = media.name, media.may_renumber
        self._sample_rate = spec.sample_rate
        self._stall_seconds = config.stall_seconds
        self._on_pulse, self._tell = on_pulse, tell
        self._next_pulse = 0.0
        self._drift = Drift()
        self._has_drifted = False

    def items(self, items: Iterator[Item]) -> Iterator[Item]:
        """The same items.

        Raises:
            SourceError: a track that was there is gone, and may be found again by opening the source anew.
        """
        for item in items:
            if type(item) in self._reached:
                self._pulse()
                self._listen(item)
                self._compare()
            yield item

    def _pulse(self) -> None:
        now = time.monotonic()
        if now >= self._next_pulse:
            self._next_pulse = now + min(PULSE_SECONDS, self._stall_seconds / 4)
            self._on_pulse(Pulse(self._stall_seconds))

    def _listen(self, item: Item) -> None:
        """Tells of a track that is far behind the other: on the source's clock, whatever holds us up."""
        length_seconds = len(item.data) / self._sample_rate if isinstance(item, Samples) else 0.0
        self._reached[type(item)] = item.pts_seconds + length_seconds
        last = min(self._reached, key=lambda kind: self._reached[kind])
        behind_seconds = max(self._reached.values()) - self._reached[last]
        if self._silent is None and behind_seconds >= self._stall_seconds:
            self._silent = last
            missing = f"source: {self._name}: no {_NAMES[last]} for {self._stall_seconds:g} s while the rest goes on"
            if self._may_renumber and self._reached[last]:
                raise SourceError(missing)
            self._tell(f"{missing}; look at the camera")
        elif self._silent is not None and behind_seconds < self._stall_seconds / 2:
            self._tell(f"source: {self._name}: its {_NAMES[self._silent]} is back")
            self._silent = None

    def _compare(self) -> None:
        """Tells when sound and picture run apart, and when they are together again."""
        if len(self._reached) < len(_NAMES):
            return
        drift_seconds = self._drift.push(self._reached[Frame], self._reached[Samples])
        if drift_seconds is None or (abs(drift_seconds) > TOLD_SECONDS) == self._has_drifted:
            return
        self._has_drifted = not self._has_drifted
        place = "behind" if drift_seconds > 0 else "ahead of"
        drifted = f"its sound has drifted {abs(drift_seconds):.1f} s {place} its picture; look at the camera's clock"
        problem = drifted if self._has_drifted else "its sound and picture are together again"
        self._tell(f"source: {self._name}: {problem}")
