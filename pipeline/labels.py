"""Labels files: which stretch of which file is what."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.spec import MODALITIES, NORMAL
from pipeline.errors import LabelsError
from pipeline.pictures import has_pictures

COLUMNS: Final = ("path", "start_seconds", "end_seconds", "label")
"""Columns every labels file has; `group` and `modality` are optional and others are passed over."""

Interval = tuple[float, float]
"""Start and end in seconds, half-open."""


@dataclass(frozen=True, slots=True)
class Row:
    """A labelled stretch of a file."""

    path: Path
    """The file, or the folder of its pictures, resolved against the folder of the labels file."""
    start_seconds: float | None
    """None: from the start of the file."""
    end_seconds: float | None
    """None: to the end of the file."""
    label: str
    """`normal` or a kind of anomaly."""
    group: str | None
    """The recording it came from; a split never cuts through one."""
    modality: str | None = None
    """The sense that shows the anomaly, several joined with `+`; None: nobody says."""

    @property
    def is_normal(self) -> bool:
        """Whether nothing is wrong in this stretch."""
        return self.label == NORMAL

    @property
    def is_whole(self) -> bool:
        """Whether the row labels its whole file."""
        return self.start_seconds is None and self.end_seconds is None

    def interval(self, duration_seconds: float) -> Interval:
        """The stretch in a file of this length; empty (start = end) when it lies past the file's end."""
        start = min(self.start_seconds or 0.0, duration_seconds)
        end = duration_seconds if self.end_seconds is None else min(self.end_seconds, duration_seconds)
        return start, end


@dataclass(frozen=True, slots=True)
class Truth:
    """What the rows of one file say of its time. What is in neither tuple counts for nothing."""

    anomaly: tuple[Interval, ...]
    """Disjoint, in order; stretches that overlap or touch are one, whatever their labels."""
    normal: tuple[Interval, ...]
    """Disjoint, in order. Where an anomaly row overlaps a normal one, the anomaly counts."""


def read_labels(path: Path) -> list[Row]:
    """Reads a labels file.

    Raises:
        LabelsError: it is missing, is not CSV in UTF-8, lacks a column, has no rows, or a row is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            _check_header(path, reader.fieldnames or ())
            numbered = [(_row(path, reader.line_num, record), reader.line_num) for record in reader]
    except OSError as error:
        raise LabelsError(f"labels: {path}: {error.strerror}; name an existing CSV file") from None
    except UnicodeDecodeError:
        raise LabelsError(f"labels: {path}: not UTF-8; save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise LabelsError(f"labels: {path}: line {reader.reader.line_num}: not CSV: {error}; mend the line") from None
    if not numbered:
        raise LabelsError(f"labels: {path}: no rows; add one line for each labelled stretch")
    _check_files(path, numbered)
    return [row for row, _ in numbered]


def rows_by_path(rows: Iterable[Row]) -> dict[Path, list[Row]]:
    """The rows of each file, files in the order of their first row."""
    files: dict[Path, list[Row]] = {}
    for row in rows:
        files.setdefault(row.path, []).append(row)
    return files


def listed_name(path: Path, labels: Path) -> str:
    """A path as the labels have it: relative to their folder, if it is in there."""
    folder = labels if labels.is_dir() else labels.parent
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def truth(rows: Sequence[Row], duration_seconds: float) -> Truth:
    """What is anomaly and what is normal in one file.

    With anomaly rows only, all other time is normal; with `normal` rows too, only theirs is.

    Args:
        rows: all rows of the file.
        duration_seconds: its length.
    """
    anomaly = _union(row.interval(duration_seconds) for row in rows if not row.is_normal)
    normal = _union(row.interval(duration_seconds) for row in rows if row.is_normal)
    if not any(row.is_normal for row in rows):
        normal = ((0.0, duration_seconds),)
    return Truth(anomaly, _difference(normal, anomaly))


def _check_header(path: Path, names: Iterable[str]) -> None:
    present = [name.strip() for name in names]
    if missing := [name for name in COLUMNS if name not in present]:
        first = f"{','.join(COLUMNS)},group"
        raise LabelsError(f"labels: {path}: line 1: no column {', '.join(missing)}; the first line is {first}")


def _row(path: Path, line: int, record: dict[str | None, str | None]) -> Row:
    if None in record:
        raise LabelsError(
            f"labels: {path}: line {line}: more fields than columns; put quotes round a field with commas"
        )
    fields = {name.strip(): (value or "").strip() for name, value in record.items() if name is not None}
    for name in ("path", "label"):
        if not fields[name]:
            raise LabelsError(f"labels: {path}: line {line}: {name} is empty; fill it in")
    start, end = (_seconds(path, line, name, fields[name]) for name in ("start_seconds", "end_seconds"))
    if end is not None and end <= (start or 0):
        problem = f"end_seconds {end:g} is not after start_seconds {start or 0:g}"
        raise LabelsError(f"labels: {path}: line {line}: {problem}; swap or mend them")
    modality = _modality(path, line, fields.get("modality", ""))
    return Row(path.parent / fields["path"], start, end, fields["label"], fields.get("group") or None, modality)


def _modality(path: Path, line: int, text: str) -> str | None:
    if not text:
        return None
    named = [name.strip() for name in text.split("+")]
    if unknown := [name for name in named if name not in MODALITIES]:
        known = ", ".join(MODALITIES)
        raise LabelsError(f"labels: {path}: line {line}: modality {unknown[0]!r} is none of {known}; mend or empty it")
    return "+".join(name for name in MODALITIES if name in named)


def _seconds(path: Path, line: int, name: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        problem = f"{name} {text!r} is not a number; write seconds, or nothing for the whole file"
        raise LabelsError(f"labels: {path}: line {line}: {problem}")
    if value < 0:
        raise LabelsError(f"labels: {path}: line {line}: {name} {text} is negative; times count from the file's start")
    return value


def _check_files(path: Path, numbered: Iterable[tuple[Row, int]]) -> None:
    """Finds every missing file before any work begins."""
    lines: dict[Path, int] = {}
    for row, line in numbered:
        lines.setdefault(row.path, line)
    missing = [file for file in lines if not _is_file(file)]
    if missing:
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        problem = f"no such file {str(missing[0])!r}{others}; paths are relative to the labels file"
        raise LabelsError(f"labels: {path}: line {lines[missing[0]]}: {problem}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file() or has_pictures(path)
    except OSError:  # a name too long, a folder that may not be entered
        return False


def _union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    merged: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(merged)


def _difference(whole: Iterable[Interval], holes: Iterable[Interval]) -> tuple[Interval, ...]:
    rest = list(whole)
    for low, high in holes:
        rest = [
            piece
            for start, end in rest
            for piece in ((start, min(end, low)), (max(start, high), end))
            if piece[0] < piece[1]
        ]
    return tuple(rest)
