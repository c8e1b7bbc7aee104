"""The figures of `metrics.json`, from scored files and their labels. What cannot be computed is None with a reason."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from models.spec import MODALITIES
from pipeline.attribution import attribution
from pipeline.baseline import LATE_FUSION
from pipeline.calibration import calibration, labelled_windows
from pipeline.conditions import by_condition
from pipeline.event_figures import event_figures
from pipeline.labels import Interval
from pipeline.metrics import Bools, Floats, accuracy, auc_interval
from pipeline.reasons import Reasons, defined, ranking
from pipeline.scored import ScoredFile, ScoredRow, fused, other, row_scores, row_windows

CELL_SECONDS: Final = 0.1
"""Frame-level figures look at labelled time in cells of this length."""
BASELINES: Final = ("frame_difference", "loudness", *LATE_FUSION)
"""Names of the functions of `pipeline.baseline`."""


def figures(files: Sequence[ScoredFile], threshold: float, prior: float, confirm_windows: int) -> dict[str, Any]:
    """All figures about right and wrong, nested as in `metrics.json`, with `reasons` for those that are None.

    Args:
        files: what was scored.
        threshold: at or over it a window is an anomaly.
        prior: share of anomalies that the probabilities are for.
        confirm_windows: a file must have as many for an event to begin in it.
    """
    reasons: Reasons = {}
    rows = [(row, found) for file in files for row in file.rows if (found := row_windows(row, file.windows))]
    windows = labelled_windows(files)
    return {
        "clip": _clip(rows, threshold, reasons),
        "frame": _frame(files, reasons),
        "event": event_figures(files, confirm_windows, reasons),
        "calibration": calibration(windows, prior, reasons),
        "by_modality": {name: _by_name(rows, name, f"by_modality.{name}", reasons) for name in MODALITIES},
        "by_condition": by_condition(rows, windows, threshold, prior, reasons),
        "by_label": {label: _by_label(rows, label, reasons) for label in _anomalies(rows)},
        "attribution": attribution(rows, threshold, reasons),
        "baselines": {name: _by_name(rows, name, f"baselines.{name}", reasons) for name in BASELINES},
        "reasons": reasons,
    }


def _clip(rows: Sequence[ScoredRow], threshold: float, reasons: Reasons) -> dict[str, Any]:
    """One score a row: the highest of its windows. Rows of a file without a group are a group for the interval."""
    scores, positive = row_scores(rows, fused)
    groups = [row.group or row.path for row, _ in rows]
    return {
        **ranking(scores, positive, "clip", reasons),
        "accuracy": defined(partial(accuracy, scores, positive, threshold), "clip.accuracy", reasons),
        "threshold": threshold,
        "auc_ci95": defined(lambda: list(auc_interval(scores, positive, groups)), "clip.auc_ci95", reasons),
    }


def _by_name(rows: Sequence[ScoredRow], name: str, key: str, reasons: Reasons) -> dict[str, Any]:
    """One of a window's other scores, over the rows that have it."""
    return ranking(*row_scores(rows, other(name)), key, reasons)


def _by_label(rows: Sequence[ScoredRow], label: str, reasons: Reasons) -> dict[str, Any]:
    """Rows of one kind of anomaly against the normal rows."""
    chosen = [(row, found) for row, found in rows if row.is_normal or row.label == label]
    return ranking(*row_scores(chosen, fused), f"by_label.{label}", reasons)


def _frame(files: Sequence[ScoredFile], reasons: Reasons) -> dict[str, Any]:
    """Over labelled time in cells; a cell's score is the mean of the windows that cover its centre, later ones too.

    Cells that no window covers have no score and are left out.
    """
    cells = [_cells(file) for file in files]
    scores = np.concatenate([score for score, _ in cells])
    positive = np.concatenate([inside for _, inside in cells])
    return ranking(scores, positive, "frame", reasons)


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


def _anomalies(rows: Iterable[ScoredRow]) -> list[str]:
    return sorted({row.label for row, _ in rows if not row.is_normal})


def _inside(times: Floats, intervals: Iterable[Interval]) -> Bools:
    inside = np.zeros(len(times), dtype=bool)
    for start, end in intervals:
        inside |= (times >= start) & (times < end)
    return inside
