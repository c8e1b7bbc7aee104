"""One clock for the tracks of a source: seconds since its start, whatever its time stamps do."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

LARGEST_JUMP_SECONDS: Final = 10.0
"""A time stamp further ahead than this is a hole only where a file is long enough to have one."""
LARGEST_STEP_BACK_SECONDS: Final = 1.0
"""A time stamp further back than this is a clock that was set, not a packet that came late."""


@dataclass(slots=True)
class Timeline:
    """What the clocks of a source's tracks share."""

    start_seconds: float | None
    """Time stamp of the source's start, moved whenever the source sets its clock; none until the first packet."""
    duration_seconds: float | None
    """Of a file, from its header."""
    latest_seconds: float = field(default=0.0, init=False)
    """The latest time any track has reached."""


class Clock:
    """The time of one track.

    A time stamp that leaps is not believed until the next one goes on from it: then the source has set its clock
    (a camera that learnt the time, recordings joined end to end), and this one goes on without a leap. A track that
    leaps after another takes the same step, so that sound and picture stay together.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._start_seconds: float | None = None
        self._last_seconds = -1e-3
        self._suspect: float | None = None

    def seconds(self, pts: int, time_base: Fraction) -> float | None:
        """Time of a packet or frame; none if it goes backward or cannot be believed, and is to be dropped."""
        stamp = float(pts * time_base)
        if self._timeline.start_seconds is None:
            self._timeline.start_seconds = stamp
        if self._start_seconds is None:
            self._start_seconds = self._timeline.start_seconds
        seconds = stamp - self._start_seconds
        if self._is_leap(seconds):
            suspect, self._suspect = self._suspect, stamp
            if suspect is None or not 0 < stamp - suspect <= LARGEST_JUMP_SECONDS:
                return None
            self._start_seconds = self._new_start(stamp, stamp - suspect)
            seconds = stamp - self._start_seconds
        self._suspect = None
        return self._reached(seconds)

    def place(self, pts: int, time_base: Fraction) -> float:
        """Time of a packet that may be far ahead of the other tracks, or behind them: a subtitle's."""
        start = self._timeline.start_seconds or 0.0
        return max(0.0, float(pts * time_base) - start)

    def after(self, step_seconds: float) -> float:
        """Time of a frame without a time stamp: a step after the last one."""
        seconds = 0.0 if self._last_seconds < 0 else self._last_seconds + step_seconds
        self._reached(seconds)
        return seconds

    def _is_leap(self, seconds: float) -> bool:
        if seconds < self._last_seconds - LARGEST_STEP_BACK_SECONDS:
            return True
        reached = max(self._last_seconds, self._timeline.latest_seconds)
        return seconds > max(reached + LARGEST_JUMP_SECONDS, self._timeline.duration_seconds or 0.0)

    def _new_start(self, stamp: float, step_seconds: float) -> float:
        latest, shared = self._timeline.latest_seconds, self._timeline.start_seconds
        if shared is not None and abs(stamp - shared - latest) <= LARGEST_JUMP_SECONDS:
            return shared
        self._timeline.start_seconds = stamp - latest - step_seconds
        return self._timeline.start_seconds

    def _reached(self, seconds: float) -> float | None:
        if seconds <= self._last_seconds:
            return None
        self._last_seconds = seconds
        self._timeline.latest_seconds = max(self._timeline.latest_seconds, seconds)
        return seconds
