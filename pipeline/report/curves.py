"""Ranking curves: ROC and precision-recall of several scores over each other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.spec import MODALITIES
from pipeline.metrics import Bools, Floats, average_precision, roc_auc
from pipeline.report.chart import Axis, Chart, Figure, Key
from pipeline.report.svg import Point
from pipeline.report.words import spoken
from pipeline.scored import ScoredFile, ScoreOf, fused, other, row_scores, row_windows

_MOST_POINTS: Final = 300
_NUM_STYLES: Final = 6
"""Line styles of the style sheet for what is no modality: `.line-0` …"""


@dataclass(frozen=True, slots=True)
class Series:
    """One score of every row that has it."""

    name: str
    """In words."""
    style: str
    """Class of the style sheet."""
    scores: Floats
    """(N,), higher is more anomalous."""
    positive: Bools
    """(N,), whether the row is an anomaly."""


def fused_series(files: Iterable[ScoredFile], name: str = "fused", style: str = "fused") -> Series:
    """The model's own score."""
    return _series(files, fused, name, style)


def other_series(files: Sequence[ScoredFile]) -> list[Series]:
    """Each modality's own score and each baseline; those that cannot be ranked are left out."""
    names = dict.fromkeys(each for file in files for window in file.windows for each in window.others)
    plain = [each for each in names if each not in MODALITIES]
    styles = {each: f"line-{number % _NUM_STYLES}" for number, each in enumerate(plain)}
    styles |= {modality: modality for modality in MODALITIES}
    series = [_series(files, other(each), spoken(each), styles[each]) for each in names]
    return [each for each in series if is_ranked(each)]


def is_ranked(series: Series) -> bool:
    """Whether there are rows of both kinds."""
    return bool(series.positive.any() and not series.positive.all())


def roc(series: Sequence[Series], thresholds: Sequence[float | None]) -> Figure:
    """The ROC curves; a dot on each that has a threshold."""
    chart = Chart(Axis("False alarms, share of normal clips"), Axis("Found, share of anomalous clips"))
    chart.line([(0, 0), (1, 1)], "chance")
    for each, threshold in _drawn_order(series, thresholds):
        chart.line(_thinned(roc_points(each)), each.style)
        if threshold is not None:
            above = each.scores >= threshold
            chart.dot(float(above[~each.positive].mean()), float(above[each.positive].mean()), each.style)
    words = [f"{each.name}: AUC {roc_auc(each.scores, each.positive):.3f}, {_over(each)}" for each in series]
    return Figure(
        "ROC",
        chart.svg(f"ROC curves. {'; '.join(words)}"),
        (*_keys(series, words), Key("chance", "chance: 0.5")),
        "Higher and further left is better. The dot is the threshold in use.",
    )


def precision_recall(series: Sequence[Series], thresholds: Sequence[float | None]) -> Figure:
    """The precision-recall curves; a dot on each that has a threshold."""
    chart = Chart(Axis("Recall: anomalous clips found"), Axis("Precision: right ones of those flagged"))
    share = float(series[0].positive.mean())
    chart.line([(0, share), (1, share)], "chance")
    for each, threshold in _drawn_order(series, thresholds):
        chart.line(_thinned(precision_recall_points(each)), each.style)
        if threshold is not None and (above := each.scores >= threshold).any():
            chart.dot(float(above[each.positive].mean()), float(each.positive[above].mean()), each.style)
    words = [f"{each.name}: AP {average_precision(each.scores, each.positive):.3f}, {_over(each)}" for each in series]
    return Figure(
        "Precision and recall",
        chart.svg(f"Precision-recall curves. {'; '.join(words)}"),
        (*_keys(series, words), Key("chance", f"chance: {share:.3f}")),
        "Higher and further right is better. Chance is the share of anomalous clips.",
    )


def roc_points(series: Series) -> list[Point]:
    """(false alarms, found) as shares of their kind, the threshold falling."""
    found, false = _cumulative(series)
    return [(0.0, 0.0), *zip((false / false[-1]).tolist(), (found / found[-1]).tolist(), strict=True)]


def precision_recall_points(series: Series) -> list[Point]:
    """(recall, precision), the threshold falling, from recall 0 and by convention precision 1 on."""
    found, false = _cumulative(series)
    precision, recall = found / (found + false), found / found[-1]
    return [(0.0, 1.0), *zip(recall.tolist(), precision.tolist(), strict=True)]


def _series(files: Iterable[ScoredFile], score: ScoreOf, name: str, style: str) -> Series:
    """One score a row, as clip-level figures have it."""
    rows = [(row, found) for file in files for row in file.rows if (found := row_windows(row, file.windows))]
    return Series(name, style, *row_scores(rows, score))


def _drawn_order(series: Sequence[Series], thresholds: Sequence[float | None]) -> list[tuple[Series, float | None]]:
    """The first on top."""
    return list(zip(series, thresholds, strict=True))[::-1]


def _keys(series: Sequence[Series], words: Sequence[str]) -> list[Key]:
    return [Key(each.style, line) for each, line in zip(series, words, strict=True)]


def _over(series: Series) -> str:
    return f"{int(series.positive.sum())} of {len(series.scores)} clips"


def _cumulative(series: Series) -> tuple[Floats, Floats]:
    """Anomalies and normal rows at or over each distinct score, from the highest on."""
    level = np.unique(-series.scores, return_inverse=True)[1]
    return np.cumsum(np.bincount(level, series.positive)), np.cumsum(np.bincount(level, ~series.positive))


def _thinned(points: Sequence[Point]) -> list[Point]:
    """Not more points than a screen shows."""
    places = np.unique(np.linspace(0, len(points) - 1, _MOST_POINTS).round().astype(int))
    return [points[place] for place in places]
