"""What is kept of a labelled file after scoring, and which of its windows a row owns."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from pipeline.labels import Interval, Row, Truth, truth
from pipeline.metrics import Bools, Floats


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """What is kept of a window."""

    index: int
    """Of the window in its file."""
    start_seconds: float
    """On the file's clock."""
    end_seconds: float
    """On the file's clock; may lie past the file's end."""
    score: float
    """Probability of an anomaly."""
    threshold: float
    """From which on it counts as an anomaly."""
    label: str
    """The likeliest kind of anomaly, if it is one."""
    others: dict[str, float | None]
    """Each modality's own score and the baselines, by name; None where there is nothing to see, hear or read."""
    contributions: dict[str, float | None]
    """How much the calibrated logit falls without each modality; None where that is not present."""
    conditions: dict[str, float] = field(default_factory=dict)
    """Probability of an anomaly under each of `pipeline.score.CONDITIONS`."""

    @property
    def carrier(self) -> str | None:
        """The modality with the largest contribution; None where there is nothing to see, hear or read."""
        present = {name: value for name, value in self.contributions.items() if value is not None}
        return max(present, key=lambda name: present[name], default=None)


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event that the windows of a file made."""

    interval: Interval
    """From its start to its end, on the file's clock."""
    decided_seconds: float
    """When its begin could be told."""

    @property
    def raised(self) -> Interval:
        """The time of the windows that made it begin."""
        return self.interval[0], self.decided_seconds


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """A labelled file after scoring."""

    path: Path
    """The file."""
    rows: tuple[Row, ...]
    """Its labels."""
    duration_seconds: float
    """Its length."""
    windows: tuple[ScoredWindow, ...]
    """In order."""
    events: tuple[FoundEvent, ...]
    """In order."""

    @property
    def truth(self) -> Truth:
        """What of its time is anomaly, what normal."""
        return truth(self.rows, self.duration_seconds)


class Timed(Protocol):
    """Anything that has its place in time: a window, or what is kept of one."""

    @property
    def start_seconds(self) -> float:
        """Where it begins."""

    @property
    def end_seconds(self) -> float:
        """Where it ends."""


AnyWindow = TypeVar("AnyWindow", bound=Timed)


def row_windows(row: Row, windows: Sequence[AnyWindow]) -> list[AnyWindow]:
    """The windows of a row: those with their centre in it, else the one that overlaps it most, else none."""
    start, end = row.interval(math.inf)
    inside = [window for window in windows if start <= (window.start_seconds + window.end_seconds) / 2 < end]
    overlaps = [min(end, window.end_seconds) - max(start, window.start_seconds) for window in windows]
    if inside or max(overlaps, default=0) <= 0:
        return inside
    return [windows[int(np.argmax(overlaps))]]


ScoredRow = tuple[Row, list[ScoredWindow]]
"""A row and its windows, one at least."""
ScoreOf = Callable[[ScoredWindow], float | None]
"""One of a window's scores; None where it does not have it."""


def fused(window: ScoredWindow) -> float:
    """What the model says."""
    return window.score


def other(name: str) -> ScoreOf:
    """The score of one modality or baseline."""
    return lambda window: window.others.get(name)


def row_scores(rows: Iterable[ScoredRow], score: ScoreOf) -> tuple[Floats, Bools]:
    """One score a row, that of its highest window, and whether it is an anomaly; rows without a score are left out."""
    highest = [
        (max(values), not row.is_normal)
        for row, windows in rows
        if (values := [value for window in windows if (value := score(window)) is not None])
    ]
    return np.array([value for value, _ in highest]), np.array([positive for _, positive in highest], dtype=bool)
