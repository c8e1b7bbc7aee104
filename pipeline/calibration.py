"""Calibration: whether something is wrong in seven of ten windows that score 0.7."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from models.spec import MODALITIES
from pipeline.metrics import NUM_BINS, Bools, Floats, reliability_bins
from pipeline.reasons import Reasons, honesty
from pipeline.scored import ScoredFile, ScoredWindow, ScoreOf, fused, other


class LabelledWindow(NamedTuple):
    """A window with its centre in labelled time."""

    window: ScoredWindow
    labels: frozenset[str]
    """Kinds of anomaly at its centre; none is normal."""


def labelled_windows(files: Iterable[ScoredFile]) -> list[LabelledWindow]:
    """The windows of all files that have their centre in labelled time."""
    return [labelled for file in files for labelled in _labelled(file)]


def calibration(windows: Sequence[LabelledWindow], prior: float, reasons: Reasons) -> dict[str, Any]:
    """Of the fused score; of each modality by itself, where it is present; of each kind of anomaly beside normal."""
    kinds = sorted({kind for each in windows for kind in each.labels})
    beside_normal = {kind: [each for each in windows if not each.labels or kind in each.labels] for kind in kinds}
    return {
        "prior": prior,
        **window_honesty(windows, fused, prior, "calibration", reasons),
        "binning": f"{NUM_BINS} bins of equal width from 0 to 1, without the empty ones",
        "bins": [asdict(each) for each in reliability_bins(*_told(windows, fused))],
        "by_modality": {
            name: window_honesty(windows, other(name), prior, f"calibration.by_modality.{name}", reasons)
            for name in MODALITIES
        },
        "by_label": {
            kind: window_honesty(chosen, fused, prior, f"calibration.by_label.{kind}", reasons)
            for kind, chosen in beside_normal.items()
        },
    }


def window_honesty(
    windows: Iterable[LabelledWindow], probability: ScoreOf, prior: float, key: str, reasons: Reasons
) -> dict[str, Any]:
    """Counts, calibration error and Brier score over the windows that have this probability.

    The error is told twice: of the probabilities as they are, made for a share `prior` of anomalies, and for the share
    there is, as test files have far more of them than life.
    """
    probabilities, positive = _told(windows, probability)
    counts = {"n": len(positive), "num_anomalies": int(positive.sum())}
    return {**counts, **honesty(probabilities, positive, prior, key, reasons)}


def _told(windows: Iterable[LabelledWindow], probability: ScoreOf) -> tuple[Floats, Bools]:
    """Probabilities, and whether it was an anomaly."""
    told = [(value, bool(each.labels)) for each in windows if (value := probability(each.window)) is not None]
    return np.array([value for value, _ in told]), np.array([happened for _, happened in told], dtype=bool)


def _labelled(file: ScoredFile) -> Iterator[LabelledWindow]:
    truth = file.truth
    anomalies = [(row.label, row.interval(file.duration_seconds)) for row in file.rows if not row.is_normal]
    for window in file.windows:
        centre = (window.start_seconds + window.end_seconds) / 2
        time = min(centre, math.nextafter(file.duration_seconds, 0))  # a file shorter than half a window
        labels = frozenset(label for label, (start, end) in anomalies if start <= time < end)
        if labels or any(start <= time < end for start, end in truth.normal):
            yield LabelledWindow(window, labels)
