"""Two or more runs over the same labels, side by side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.labels import Row, listed_name
from pipeline.report.chart import Figure
from pipeline.report.curves import fused_series, is_ranked, precision_recall, roc
from pipeline.report.judged import JudgedRow, judged_rows
from pipeline.report.runs import Run
from pipeline.report.tables import figures
from pipeline.report.words import LOWER_IS_BETTER, number, spoken


@dataclass(frozen=True, slots=True)
class Change:
    """How this run's figure differs from another's."""

    value: str
    """With its sign."""
    verdict: str
    """`better`, `worse` or `same`."""


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One figure of every run."""

    name: str
    """In words."""
    values: tuple[str, ...]
    """Of each run, this one first."""
    changes: tuple[Change | None, ...]
    """Of this run against each other one; none where one has no figure."""


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A stretch that the runs judge differently."""

    name: str
    """The path as the labels file has it."""
    row: Row
    """The stretch."""
    judged: tuple[JudgedRow | None, ...]
    """By each run, this one first; none where a run has no window."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it."""

    runs: tuple[Run, ...]
    """This one first."""
    figures: tuple[ComparedFigure, ...]
    """Side by side."""
    curves: tuple[Figure, ...]
    """Over each other."""
    changed: tuple[ChangedRow, ...]
    """Those that this run has wrong first."""


def comparison(runs: Sequence[Run], labels: Path) -> Comparison:
    """Compares the first run with the others."""
    changed = sorted(_changed(runs, labels), key=lambda row: row.judged[0] is None or row.judged[0].is_right)
    return Comparison(tuple(runs), tuple(_figures(runs)), tuple(_curves(runs)), tuple(changed))


def _figures(runs: Sequence[Run]) -> Iterator[ComparedFigure]:
    tables = [{key: value for key, _, value in figures(run.metrics)} for run in runs]
    for key, last, value in figures(runs[0].metrics):
        others = [table.get(key) for table in tables[1:]]
        if value is not None or any(other is not None for other in others):
            words = " · ".join(spoken(part) for part in key.removeprefix("by_").split("."))
            changes = tuple(_change(last, value, other) for other in others)
            yield ComparedFigure(words, tuple(map(number, (value, *others))), changes)


def _change(last: str, value: float | None, other: float | None) -> Change | None:
    if value is None or other is None:
        return None
    difference = value - other
    if abs(difference) < 0.0005:
        return Change("0", "same")
    verdict = "better" if (difference > 0) != (last in LOWER_IS_BETTER) else "worse"
    return Change(f"{'+' if difference > 0 else '−'}{number(abs(difference))}", verdict)


def _curves(runs: Sequence[Run]) -> list[Figure]:
    styles = ["fused", *(f"line-{number}" for number in range(len(runs) - 1))]
    every = [(fused_series(run.files, run.name, style), run) for run, style in zip(runs, styles, strict=True)]
    ranked = [(series, run.threshold) for series, run in every if is_ranked(series)]
    if not ranked:
        return []
    series, thresholds = zip(*ranked, strict=True)
    return [roc(series, thresholds), precision_recall(series, thresholds)]


def _changed(runs: Sequence[Run], labels: Path) -> Iterator[ChangedRow]:
    tables = [{judged.row: judged for judged in judged_rows(run.files, run.threshold)} for run in runs]
    for row in tables[0]:
        judged = tuple(table.get(row) for table in tables)
        if len({each.is_right for each in judged if each is not None}) > 1:
            yield ChangedRow(listed_name(row.path, labels), row, judged)
