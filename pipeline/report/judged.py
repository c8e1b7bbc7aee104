"""Which labelled stretches the model got right, and by how much not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from models.spec import NORMAL
from pipeline.labels import Row
from pipeline.metrics import TOLERANCE_SECONDS
from pipeline.scored import ScoredFile, ScoredWindow, row_windows


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """A labelled stretch and what the model made of it."""

    row: Row
    """The stretch."""
    peak: ScoredWindow
    """Its highest window."""
    threshold: float
    """At or over it a window is an anomaly."""

    @property
    def score(self) -> float:
        """The probability in the highest window."""
        return self.peak.score

    @property
    def is_right(self) -> bool:
        """Whether score and label agree."""
        return (self.score >= self.threshold) != self.row.is_normal

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.row.is_normal:
            return "quiet" if self.is_right else "false alarm"
        return "found" if self.is_right else "missed"

    @property
    def wrongness(self) -> float:
        """How far the score is on the wrong side of the threshold; below 0 it is on the right one."""
        return (self.score - self.threshold) * (1 if self.row.is_normal else -1)


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """A file and what the model made of its stretches."""

    file: ScoredFile
    """What was scored."""
    rows: tuple[JudgedRow, ...]
    """Its rows that have windows, and its ordinary time where that has no rows of its own."""

    @property
    def is_right(self) -> bool:
        """Whether all of its stretches are."""
        return all(judged.is_right for judged in self.rows)

    @property
    def wrongness(self) -> float:
        """That of its worst stretch."""
        return max((judged.wrongness for judged in self.rows), default=-1.0)


def judged_rows(files: Iterable[ScoredFile], threshold: float) -> list[JudgedRow]:
    """Every row that has windows: those that clip-level figures are about."""
    return [judged for file in files for judged in _judged(file.rows, file, threshold)]


def judged_files(files: Iterable[ScoredFile], threshold: float) -> list[JudgedFile]:
    """Every file, the most wrong first."""
    judged = [
        JudgedFile(file, (*_judged(file.rows, file, threshold), *_judged(_ordinary(file), file, threshold)))
        for file in files
    ]
    return sorted(judged, key=lambda each: -each.wrongness)


def _judged(rows: Sequence[Row], file: ScoredFile, threshold: float) -> Iterator[JudgedRow]:
    for row in rows:
        if found := row_windows(row, file.windows):
            yield JudgedRow(row, max(found, key=lambda window: window.score), threshold)


def _ordinary(file: ScoredFile) -> list[Row]:
    """In a file with anomaly rows only, the rest, as far from them as an event may lie beside the truth."""
    if any(row.is_normal for row in file.rows):
        return []
    inner = [
        (start + TOLERANCE_SECONDS * (start > 0), end - TOLERANCE_SECONDS * (end < file.duration_seconds))
        for start, end in file.truth.normal
    ]
    return [Row(file.path, start, end, NORMAL, None) for start, end in inner if start < end]
