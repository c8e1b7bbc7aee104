"""The figures of `metrics.json`, from scored files and their labels. What cannot be computed is None with a reason."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np

from models.spec import MODALITIES
from pipeline.labels import Interval, Row
from pipeline.metrics import (
    Bools,
    Floats,
    UndefinedError,
    accuracy,
    auc_interval,
    average_precision,
    brier,
    calibration_error,
    match_events,
    pr_auc,
    roc_auc,
)
from pipeline.scored import ScoredFile, ScoredWindow, row_windows

T = TypeVar("T")

CELL_SECONDS: Final = 0.1
"""Frame-level figures look at labelled time in cells of this length."""
BASELINES: Final = ("frame_difference", "loudness")
"""Names of the functions of `pipeline.baseline`."""

ScoredRow = tuple[Row, list[ScoredWindow]]
"""A row and its windows, one at least."""
Reasons = dict[str, str]
"""Why a figure is None, by its dotted key."""


def figures(files: Sequence[ScoredFile], threshold: float, confirm_windows: int) -> dict[str, Any]:
    """All figures about right and wrong, nested as in `metrics.json`, with `reasons` for those that are None.

    Args:
        files: what was scored.
        threshold: at or over it a window is an anomaly.
        confirm_windows: a file must have as many for an event to begin in it.
    """
    reasons: Reasons = {}
    rows = [(row, found) for file in files for row in file.rows if (found := row_windows(row, file.windows))]
    return {
        "clip": _clip(rows, threshold, reasons),
        "frame": _frame(files, reasons),
        "event": _event(files, confirm_windows, reasons),
        "calibration": _calibration(files, reasons),
        "by_modality": {name: _by_name(rows, name, f"by_modality.{name}", reasons) for name in MODALITIES},
        "by_label": {label: _by_label(rows, label, reasons) for label in _anomalies(row for row, _ in rows)},
        "baselines": {name: _by_name(rows, name, f"baselines.{name}", reasons) for name in BASELINES},
        "reasons": reasons,
    }


def _clip(rows: Sequence[ScoredRow], threshold: float, reasons: Reasons) -> dict[str, Any]:
    """One score a row: the highest of its windows. Rows of a file without a group are a group for the interval."""
    scores = np.array([_highest(found) for _, found in rows])
    positive = _positive(row for row, _ in rows)
    groups = [row.group or row.path for row, _ in rows]
    return {
        **_ranking(scores, positive, "clip", reasons),
        "accuracy": _defined(lambda: accuracy(scores, positive, threshold), "clip.accuracy", reasons),
        "threshold": threshold,
        "auc_ci95": _defined(lambda: list(auc_interval(scores, positive, groups)), "clip.auc_ci95", reasons),
    }


def _by_name(rows: Sequence[ScoredRow], name: str, key: str, reasons: Reasons) -> dict[str, Any]:
    """One of a window's other scores, over the rows that have it."""
    highest = [
        (row, max(values))
        for row, found in rows
        if (values := [value for window in found if (value := window.others.get(name)) is not None])
    ]
    scores = np.array([score for _, score in highest])
    return _ranking(scores, _positive(row for row, _ in highest), key, reasons)


def _by_label(rows: Sequence[ScoredRow], label: str, reasons: Reasons) -> dict[str, Any]:
    """Rows of one kind of anomaly against the normal rows."""
    chosen = [(row, found) for row, found in rows if row.is_normal or row.label == label]
    scores = np.array([_highest(found) for _, found in chosen])
    return _ranking(scores, _positive(row for row, _ in chosen), f"by_label.{label}", reasons)


def _frame(files: Sequence[ScoredFile], reasons: Reasons) -> dict[str, Any]:
    """Over labelled time in cells; a cell's score is the mean of the windows that cover its centre, later ones too.

    Cells that no window covers have no score and are left out.
    """
    cells = [_cells(file) for file in files]
    scores = np.concatenate([score for score, _ in cells])
    positive = np.concatenate([inside for _, inside in cells])
    return _ranking(scores, positive, "frame", reasons)


def _cells(file: ScoredFile) -> tuple[Floats, Bools]:
    times = (np.arange(round(file.duration_seconds / CELL_SECONDS), dtype=np.float64) + 0.5) * CELL_SECONDS
    total, count = np.zeros(len(times)), np.zeros(len(times))
    for window in file.windows:
        covered = slice(*np.searchsorted(times, [window.start_seconds, window.end_seconds]))
        total[covered] += window.score
        count[covered] += 1
    positive, normal = _inside(times, file.truth.anomaly), _inside(times, file.truth.normal)
    known = (positive | normal) & (count > 0)
    return total[known] / count[known], positive[known]


class _Tally(NamedTuple):
    """What became of all events and all true anomalies."""

    right: int
    false: int
    missed: int
    delays: list[float]


def _event(files: Sequence[ScoredFile], confirm_windows: int, reasons: Reasons) -> dict[str, Any]:
    """Events against true anomalies. Files too short for an event to begin in them add no normal hours."""
    right, false, missed, delays = _tally(files)
    hours = sum(_length(file.truth.normal) for file in files if len(file.windows) >= confirm_windows) / 3600
    compute: dict[str, Callable[[], float]] = {
        "precision": lambda: _share(right, right + false, "no event"),
        "recall": lambda: _share(right, right + missed, "no anomaly"),
        "f1": lambda: _share(2 * right, 2 * right + false + missed, "neither event nor anomaly"),
        "delay_seconds_p50": lambda: _percentile(delays, 50),
        "delay_seconds_p95": lambda: _percentile(delays, 95),
    }
    if gap := _why_no_events(files):
        reasons |= {f"event.{name}": gap for name in compute}
    rate = partial(_share, false, hours, "no normal time long enough for an event")
    return {
        "num_anomalies": right + missed,
        "num_found": right,
        "num_false": false,
        "normal_hours": hours,
        **{name: None if gap else _defined(figure, f"event.{name}", reasons) for name, figure in compute.items()},
        "false_alarms_per_hour": _defined(rate, "event.false_alarms_per_hour", reasons),
    }


def _tally(files: Iterable[ScoredFile]) -> _Tally:
    """Matches events with true anomalies (`match_events`), whatever their labels.

    An event on no truth is a false alarm when it touches normal time; in time that no row covers it counts for
    nothing. The delay is from the truth's start to the event's decision, 0 when that came first.
    """
    right, false, missed, delays = 0, 0, 0, list[float]()
    for file in files:
        intervals, known = [event.interval for event in file.events], file.truth
        matching = match_events(intervals, known.anomaly)
        right += len(matching.pairs)
        false += sum(_touches(intervals[event], known.normal) for event in matching.false)
        missed += len(matching.missed)
        delays += [max(0.0, file.events[e].decided_seconds - known.anomaly[t][0]) for e, t in matching.pairs]
    return _Tally(right, false, missed, delays)


def _why_no_events(files: Sequence[ScoredFile]) -> str | None:
    """Clips cut to their label say nothing of when: events need anomalies with times."""
    anomalies = [row for file in files for row in file.rows if not row.is_normal]
    if not anomalies:
        return "no anomaly rows"
    return "no intervals: every anomaly row is a whole clip" if all(row.is_whole for row in anomalies) else None


def _calibration(files: Sequence[ScoredFile], reasons: Reasons) -> dict[str, Any]:
    """Over the windows whose centre lies in labelled time, each a probability of its own."""
    scores, positive = [np.empty(0)], [np.empty(0, bool)]
    for file in files:
        centres = np.array([(window.start_seconds + window.end_seconds) / 2 for window in file.windows])
        times = np.minimum(centres, math.nextafter(file.duration_seconds, 0))  # a file shorter than half a window
        inside = _inside(times, file.truth.anomaly)
        known = inside | _inside(times, file.truth.normal)
        scores.append(np.array([window.score for window in file.windows])[known])
        positive.append(inside[known])
    probabilities, happened = np.concatenate(scores), np.concatenate(positive)
    return {
        "n": len(probabilities),
        "ece": _defined(lambda: calibration_error(probabilities, happened), "calibration.ece", reasons),
        "brier": _defined(lambda: brier(probabilities, happened), "calibration.brier", reasons),
    }


def _ranking(scores: Floats, positive: Bools, key: str, reasons: Reasons) -> dict[str, Any]:
    compute = {"auc": roc_auc, "ap": average_precision, "pr_auc": pr_auc}
    return {
        "n": len(scores),
        "num_anomalies": int(positive.sum()),
        **{
            name: _defined(partial(figure, scores, positive), f"{key}.{name}", reasons)
            for name, figure in compute.items()
        },
    }


def _defined(compute: Callable[[], T], key: str, reasons: Reasons) -> T | None:
    try:
        return compute()
    except UndefinedError as error:
        reasons[key] = str(error)
        return None


def _share(part: float, whole: float, reason: str) -> float:
    if not whole:
        raise UndefinedError(reason)
    return part / whole


def _percentile(values: Sequence[float], percent: float) -> float:
    if not values:
        raise UndefinedError("no anomaly found")
    return float(np.percentile(values, percent))


def _highest(found: Sequence[ScoredWindow]) -> float:
    return max(window.score for window in found)


def _positive(rows: Iterable[Row]) -> Bools:
    return np.array([not row.is_normal for row in rows], dtype=bool)


def _anomalies(rows: Iterable[Row]) -> list[str]:
    return sorted({row.label for row in rows if not row.is_normal})


def _inside(times: Floats, intervals: Iterable[Interval]) -> Bools:
    inside = np.zeros(len(times), dtype=bool)
    for start, end in intervals:
        inside |= (times >= start) & (times < end)
    return inside


def _touches(interval: Interval, others: Iterable[Interval]) -> bool:
    return any(interval[0] < end and start < interval[1] for start, end in others)


def _length(intervals: Iterable[Interval]) -> float:
    return sum(end - start for start, end in intervals)
