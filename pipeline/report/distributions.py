"""How scores lie: of normal and anomalous clips, against what happened, and as the threshold moves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from pipeline.config import EventConfig
from pipeline.event import events
from pipeline.event_figures import normal_hours, verdict
from pipeline.offline import found_events
from pipeline.report.chart import Axis, Chart, Figure, Key, round_ticks
from pipeline.report.curves import Series
from pipeline.score import Scores
from pipeline.scored import ScoredFile, ScoredWindow

_NUM_BINS: Final = 20
_NUM_THRESHOLDS: Final = 25


def histogram(series: Series, threshold: float) -> Figure:
    """The fused scores of normal and of anomalous clips."""
    edges = np.linspace(0, 1, _NUM_BINS + 1)
    normal = np.histogram(series.scores[~series.positive], edges)[0]
    anomaly = np.histogram(series.scores[series.positive], edges)[0]
    chart = Chart(Axis("Highest score of the clip"), Axis("Clips", round_ticks(max(normal.max(), anomaly.max()))))
    width = 1 / _NUM_BINS
    for start, quiet, wrong in zip(edges[:-1].tolist(), normal.tolist(), anomaly.tolist(), strict=True):
        chart.box((start + 0.06 * width, 0), (start + 0.5 * width, quiet), "normal")
        chart.box((start + 0.5 * width, 0), (start + 0.94 * width, wrong), "anomaly")
    highest = round_ticks(max(normal.max(), anomaly.max()))[-1]
    chart.line([(threshold, 0), (threshold, highest)], "threshold")
    above = [int((series.scores[kind] >= threshold).sum()) for kind in (~series.positive, series.positive)]
    totals = int((~series.positive).sum()), int(series.positive.sum())
    words = f"{above[0]} of {totals[0]} normal and {above[1]} of {totals[1]} anomalous clips are at or over it"
    return Figure(
        "Scores of normal and anomalous clips",
        chart.svg(f"Histogram of scores; threshold {threshold:.3f}: {words}."),
        (Key("normal", "normal"), Key("anomaly", "anomaly"), Key("threshold", f"threshold {threshold:.3f}")),
        f"The further apart the better. {words[0].upper()}{words[1:]}.",
    )


def reliability(bins: Sequence[Mapping[str, Any]], error: float | None) -> Figure:
    """What a score of 0.7 is worth: in how many of such windows something was wrong.

    Args:
        bins: `calibration.bins` of the metrics.
        error: the calibration error.
    """
    chart = Chart(Axis("Mean score of the windows"), Axis("Share of them that are anomalous"))
    chart.line([(0, 0), (1, 1)], "chance")
    filled = [(float(each["mean_probability"]), float(each["share_anomalous"]), int(each["n"])) for each in bins]
    largest = max((n for _, _, n in filled), default=1)
    for score, share, n in filled:
        chart.dot(score, share, "fused hollow", radius=2.5 + 7 * (n / largest) ** 0.5)
    for score, share, n in filled:
        chart.note(score, share + (0.07 if share < 0.9 else -0.1), f"{n}", anchor="middle")
    said = "; ".join(f"score {score:.2f}: {share:.2f} of {n}" for score, share, n in filled)
    measured = "" if error is None else f" Their mean distance from it, weighted by n, is {error:.3f}."
    return Figure(
        "Reliability",
        chart.svg(f"Reliability diagram. {said}."),
        (Key("fused hollow", "windows of like score, and how many"), Key("chance", "a score that means what it says")),
        f"Points on the diagonal are honest probabilities; below it the model is too sure.{measured}",
    )


def trade_off(files: Sequence[ScoredFile], config: EventConfig, threshold: float) -> Figure | None:
    """False alarms an hour against anomalies found, as the threshold moves; none without intervals or normal time."""
    hours = normal_hours(files, config.confirm_windows)
    has_intervals = any(not row.is_normal and not row.is_whole for file in files for row in file.rows)
    if not hours or not has_intervals:
        return None
    points = [(*_at(files, config, value, hours), value) for value in _thresholds(files, threshold)]
    chart = Chart(
        Axis("False alarms an hour", round_ticks(max(rate for rate, _, _ in points))),
        Axis("Found, share of anomalies"),
    )
    chart.line([(rate, recall) for rate, recall, _ in points], "fused")
    for rate, recall, value in points:
        chart.dot(rate, recall, "fused", radius=5 if value == threshold else 2)
    said = "; ".join(f"threshold {value:.2f}: {recall:.2f} found, {rate:.1f} an hour" for rate, recall, value in points)
    swept = f"thresholds {points[0][2]:.2f} to {points[-1][2]:.2f}; large dot: {threshold:.3f}"
    return Figure(
        "False alarms an hour and anomalies found",
        chart.svg(f"Trade-off. {said}."),
        (Key("fused", swept),),
        f"Events, confirmed and merged as in live use, in {hours:.2f} hours of normal time. "
        "Not a straight trade: at a low threshold events merge into few long ones.",
    )


def _thresholds(files: Sequence[ScoredFile], used: float) -> list[float]:
    """Spread over the scores there are, falling."""
    scores = np.array([window.score for file in files for window in file.windows])
    spread = np.quantile(scores, np.linspace(0.2, 1, _NUM_THRESHOLDS))
    return sorted({*spread.tolist(), used}, reverse=True)


def _at(files: Sequence[ScoredFile], config: EventConfig, threshold: float, hours: float) -> tuple[float, float]:
    """False alarms an hour and share of anomalies found with a threshold."""
    judged = verdict(
        replace(file, events=found_events(events((_scores(window, threshold) for window in file.windows), config)))
        for file in files
    )
    found = sum(anomaly.delay_seconds is not None for anomaly in judged.anomalies)
    return judged.num_false / hours, found / len(judged.anomalies)


def _scores(window: ScoredWindow, threshold: float) -> Scores:
    """The window as events are made of it."""
    return Scores(
        source="",
        session=0,
        index=window.index,
        start_seconds=window.start_seconds,
        end_seconds=window.end_seconds,
        origin=datetime.fromtimestamp(0, UTC),
        closed_at=0.0,
        anomaly=window.score,
        threshold=threshold,
        classes={window.label: 1.0},
        modalities={},
        text=None,
    )
