"""One clock for the tracks of a source: seconds since its start, whatever its time stamps do."""

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

STEP_SECONDS: Final = 2.0
"""A time stamp this much further than the last is believed at once."""
LATE_SECONDS: Final = 1.0
"""A time stamp this little behind the last is a packet that comes late; further back, the source has set its clock."""
SLOWEST_SECONDS: Final = 60.0
"""Between two frames of the slowest source."""
HOLE_SECONDS: Final = 10.0
"""The longest hole of a live stream: more is a clock that was set."""


@dataclass(slots=True)
class Timeline:
    """What the clocks of a source's tracks share."""

    duration_seconds: float | None
    """Of a file, from its header; none for a live source."""
    starts: deque[float] = field(default_factory=lambda: deque(maxlen=8))
    """Time stamps of the source's start, a new one for every time that it set its clock, the latest last."""
    latest_seconds: float = field(default=0.0, init=False)
    """The latest time any track has reached."""

    def place(self, stamp_seconds: float) -> float | None:
        """Time of a packet as it is stored; none if it is far from where the source is. Changes nothing."""
        if not self.starts:
            return None
        seconds = stamp_seconds - self.starts[-1]
        return seconds if abs(seconds - self.latest_seconds) <= HOLE_SECONDS else None


class Clock:
    """The time of one track.

    A time stamp that leaps is believed only if the next one goes on from it; one corrupted stamp changes nothing. Then
    it is a hole, or the source has set its clock (a camera that learnt the time, recordings joined end to end): this
    one goes on without a leap. A track that leaps after another takes the same step: sound and picture stay together.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._start_seconds: float | None = None
        self._last_seconds = -1e-3
        self._step_seconds = STEP_SECONDS
        self._suspect: float | None = None

    def seconds(self, pts: int, time_base: Fraction) -> float | None:
        """Time of a frame; none if it goes backward or cannot be believed, and is to be dropped."""
        stamp = float(pts * time_base)
        if not self._timeline.starts:
            self._timeline.starts.append(stamp)
        if self._start_seconds is None:
            self._start_seconds = self._timeline.starts[-1]
        seconds = stamp - self._start_seconds
        reached = self._reached()
        if not self._is_near(seconds):
            suspect, self._suspect = self._suspect, stamp
            if suspect is None or not self._goes_on(suspect - self._start_seconds, stamp - suspect):
                return None
            self._step_seconds = max(self._step_seconds, stamp - suspect)
            if not self._is_hole(seconds, reached):
                self._start_seconds = self._new_start(stamp, stamp - suspect)
                seconds = stamp - self._start_seconds
        self._suspect = None
        return seconds if self._reach(seconds) else None

    def expected(self, pts: int, time_base: Fraction) -> float | None:
        """Time that a frame will have if the clock goes on as it is; none if that is in doubt. Changes nothing."""
        if self._start_seconds is None:
            return None
        seconds = float(pts * time_base) - self._start_seconds
        return seconds if self._is_near(seconds) else None

    def place(self, pts: int, time_base: Fraction) -> float:
        """Time of a packet that may be far ahead of the other tracks, or behind them: a subtitle's."""
        start = self._timeline.starts[-1] if self._timeline.starts else 0.0
        return max(0.0, float(pts * time_base) - start)

    def after(self, step_seconds: float) -> float:
        """Time of a frame without a time stamp: a step after the last one."""
        seconds = 0.0 if self._last_seconds < 0 else self._last_seconds + step_seconds
        self._reach(seconds)
        return seconds

    def _reached(self) -> float:
        return max(self._last_seconds, self._timeline.latest_seconds)

    def _is_near(self, seconds: float) -> bool:
        return self._last_seconds - LATE_SECONDS <= seconds <= self._reached() + self._step_seconds

    def _goes_on(self, suspect_seconds: float, step_seconds: float) -> bool:
        """Whether a stamp follows the suspect; the frames of a slow source are as far apart as the suspect was."""
        slow_seconds = min(1.5 * (suspect_seconds - self._last_seconds), SLOWEST_SECONDS)
        return 0 < step_seconds <= max(self._step_seconds, slow_seconds)

    def _is_hole(self, seconds: float, reached: float) -> bool:
        has_begun = self._last_seconds >= 0 or self._timeline.latest_seconds > 0  # a source begins with no hole
        length_seconds = self._timeline.duration_seconds or 0.0 if has_begun else 0.0
        return reached < seconds <= max(reached + HOLE_SECONDS, length_seconds)

    def _new_start(self, stamp: float, step_seconds: float) -> float:
        """A start that another track has found already, or else one that lets this track go on where the source is."""
        latest = self._timeline.latest_seconds
        for start in reversed(self._timeline.starts):
            if start != self._start_seconds and abs(stamp - start - latest) <= STEP_SECONDS:
                return start
        self._timeline.starts.append(stamp - latest - min(step_seconds, STEP_SECONDS))
        return self._timeline.starts[-1]

    def _reach(self, seconds: float) -> bool:
        if seconds <= self._last_seconds:
            return False
        self._last_seconds = seconds
        self._timeline.latest_seconds = max(self._timeline.latest_seconds, seconds)
        return True
