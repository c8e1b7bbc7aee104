"""Figures of merit on plain arrays: ranking, calibration, events. Numbers match scikit-learn's where it has the metric.

Scores are float64 (N,), higher is more anomalous; `positive` is bool (N,), true for anomaly.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.errors import HeedError
from pipeline.labels import Interval

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NUM_RESAMPLES: Final = 2000
"""Bootstrap resamples behind an interval."""
NUM_BINS: Final = 15
"""Bins of a reliability diagram and its calibration error, as many as Guo et al. have."""
TOLERANCE_SECONDS: Final = 2.0
"""An event may lie this far outside the truth and still be it."""


class UndefinedError(HeedError, ValueError):
    """A figure does not exist for these data; the message is the reason."""


def roc_auc(scores: Floats, positive: Bools) -> float:
    """Area under the ROC curve: how often an anomaly scores above a normal one, ties counting half.

    Raises:
        UndefinedError: there are not both kinds.
    """
    _check_both_classes(positive)
    return _weighted_auc(_level(scores), positive, np.ones(len(scores)))


def average_precision(scores: Floats, positive: Bools) -> float:
    """Average precision by the step formula, the sum of (R_n - R_n-1) P_n: scikit-learn's `average_precision_score`.

    Raises:
        UndefinedError: there are not both kinds.
    """
    precision, recall = _precision_recall(scores, positive)
    return float(np.sum(np.diff(recall) * precision[1:]))


def pr_auc(scores: Floats, positive: Bools) -> float:
    """Area under the precision-recall curve by trapezoids, `auc(recall, precision)`: the other "AP" in use; higher.

    Raises:
        UndefinedError: there are not both kinds.
    """
    precision, recall = _precision_recall(scores, positive)
    return float(np.sum(np.diff(recall) * (precision[1:] + precision[:-1]) / 2))


def accuracy(scores: Floats, positive: Bools, threshold: float) -> float:
    """Share of scores on the right side of the threshold; one at the threshold is an anomaly.

    Raises:
        UndefinedError: there are no scores.
    """
    _check_any(scores)
    return float(np.mean((scores >= threshold) == positive))


def brier(probabilities: Floats, positive: Bools) -> float:
    """Mean squared distance of the probability from what happened.

    Raises:
        UndefinedError: there are no probabilities.
    """
    _check_any(probabilities)
    return float(np.mean((probabilities - positive) ** 2))


@dataclass(frozen=True, slots=True)
class Bin:
    """Probabilities of about the same size, and what came of them."""

    lower: float
    """Its least probability."""
    upper: float
    """From which on probabilities are in the next bin; 1 is in the last."""
    n: int
    """Probabilities in it."""
    mean_probability: float
    """What was said."""
    share_anomalous: float
    """What happened."""


def reliability_bins(probabilities: Floats, positive: Bools) -> list[Bin]:
    """The bins with something in them, of `NUM_BINS` of equal width over [0, 1]."""
    place = np.minimum((probabilities * NUM_BINS).astype(int), NUM_BINS - 1)
    return [
        Bin(
            lower=number / NUM_BINS,
            upper=(number + 1) / NUM_BINS,
            n=int((place == number).sum()),
            mean_probability=float(probabilities[place == number].mean()),
            share_anomalous=float(positive[place == number].mean()),
        )
        for number in np.unique(place).tolist()
    ]


def calibration_error(probabilities: Floats, positive: Bools) -> float:
    """Expected calibration error (ECE): how far share and mean probability of a bin differ, each bin weighted by n.

    Raises:
        UndefinedError: there are no probabilities.

    Source:
        Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3.
    """
    _check_any(probabilities)
    gaps = (
        each.n * abs(each.share_anomalous - each.mean_probability) for each in reliability_bins(probabilities, positive)
    )
    return sum(gaps) / len(probabilities)


def at_share(probabilities: Floats, positive: Bools, prior: float) -> Floats:
    """Probabilities made for a share `prior` of anomalies, for the share there is.

    Raises:
        UndefinedError: there are not both kinds.

    Source:
        Saerens et al. 2002, "Adjusting the Outputs of a Classifier to New a Priori Probabilities", equation 2.4.
    """
    _check_both_classes(positive)
    share = positive.mean()
    anomalous = probabilities * share / prior
    return np.asarray(anomalous / (anomalous + (1 - probabilities) * (1 - share) / (1 - prior)))


def auc_interval(
    scores: Floats, positive: Bools, groups: Sequence[Hashable | None], seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of the AUC, by a percentile bootstrap that draws whole groups with replacement.

    Clips of one recording are alike, so rows drawn singly would make the interval too narrow. A row without
    a group (None) is a group of its own. Resamples without both kinds have no AUC and are left out.

    Raises:
        UndefinedError: there are not both kinds, or they are all in one group.
    """
    _check_both_classes(positive)
    names: dict[Hashable, int] = {}
    owner = np.array(
        [names.setdefault(("row", i) if group is None else group, len(names)) for i, group in enumerate(groups)]
    )
    if len(names) < 2:
        raise UndefinedError("one group only")
    level = _level(scores)
    random = np.random.default_rng(seed)
    draws = random.integers(len(names), size=(NUM_RESAMPLES, len(names)))
    weights = (np.bincount(draw, minlength=len(names))[owner].astype(np.float64) for draw in draws)
    areas = [_weighted_auc(level, positive, w) for w in weights if w[positive].any() and w[~positive].any()]
    if not areas:
        raise UndefinedError("no resample of the groups has both classes")
    low, high = np.percentile(areas, [2.5, 97.5])
    return float(low), float(high)


def poisson_interval(count: int) -> tuple[float, float]:
    """The exact 95 % interval of the mean of a Poisson variable that was seen to be `count`.

    Source:
        Garwood 1936, "Fiducial limits for the Poisson distribution".
    """
    low = _poisson_mean(count - 1, 0.975) if count else 0.0
    return low, _poisson_mean(count, 0.025)


@dataclass(frozen=True, slots=True)
class Matching:
    """What became of the events and the truth of one source. Numbers are places in the lists given."""

    pairs: tuple[tuple[int, int], ...]
    """(event, truth) that belong together; each in one pair at most."""
    repeated: tuple[int, ...]
    """Events on a truth that an earlier event has found: neither right nor false."""
    false: tuple[int, ...]
    """Events on no truth."""
    missed: tuple[int, ...]
    """Truths without an event."""


def match_events(events: Sequence[Interval], truths: Sequence[Interval]) -> Matching:
    """Pairs the events of one source with its true anomalies, one to one, greedily in time; labels do not matter.

    Both ends of a truth are widened by `TOLERANCE_SECONDS`. Truths in order of their start each take the first
    free event they overlap. An event left over that overlaps a truth counts as neither (its truth has been found:
    a warning too many, not a false alarm); one event over two truths finds the first, and the second is missed.
    """
    pairs: list[tuple[int, int]] = []
    touching: set[int] = set()
    free = sorted(range(len(events)), key=lambda index: events[index])
    for truth in sorted(range(len(truths)), key=lambda index: truths[index]):
        start, end = truths[truth][0] - TOLERANCE_SECONDS, truths[truth][1] + TOLERANCE_SECONDS
        found = [event for event in free if events[event][0] < end and events[event][1] > start]
        touching.update(found)
        if found:
            pairs.append((found[0], truth))
            free.remove(found[0])
    matched = {truth for _, truth in pairs}
    return Matching(
        pairs=tuple(pairs),
        repeated=tuple(event for event in free if event in touching),
        false=tuple(event for event in free if event not in touching),
        missed=tuple(truth for truth in range(len(truths)) if truth not in matched),
    )


def _poisson_mean(count: int, probability: float) -> float:
    """The mean with which `count` or less comes with this probability, by bisection."""
    k = np.arange(count + 1)
    log_factorial = np.cumsum(np.log(np.maximum(k, 1)))
    low, high = 0.0, count + 10 + 10 * math.sqrt(count + 1)
    while (middle := (low + high) / 2) not in {low, high}:
        reached = np.exp(k * math.log(middle) - middle - log_factorial).sum()
        low, high = (middle, high) if reached > probability else (low, middle)
    return middle


def _check_any(scores: Floats) -> None:
    if not len(scores):
        raise UndefinedError("nothing scored")


def _check_both_classes(positive: Bools) -> None:
    if not len(positive):
        raise UndefinedError("nothing scored")
    if positive.all() or not positive.any():
        raise UndefinedError(f"one class only: {'anomaly' if positive.all() else 'normal'}")


def _level(scores: Floats) -> npt.NDArray[np.intp]:
    """Rank of every score among the distinct ones, ties sharing a rank."""
    return np.unique(scores, return_inverse=True)[1]


def _weighted_auc(level: npt.NDArray[np.intp], positive: Bools, weights: Floats) -> float:
    """The AUC when row i counts `weights[i]` times."""
    anomalies = np.bincount(level, weights * positive)
    normals = np.bincount(level, weights * ~positive)
    below = np.cumsum(normals) - normals / 2
    return float(anomalies @ below / (anomalies.sum() * normals.sum()))


def _precision_recall(scores: Floats, positive: Bools) -> tuple[Floats, Floats]:
    """The curve from recall 0 (precision 1, by convention) on, one point for each distinct score from the top."""
    _check_both_classes(positive)
    level = _level(scores)
    hits = np.cumsum(np.bincount(level, positive)[::-1])
    taken = np.cumsum(np.bincount(level)[::-1])
    return np.append(1.0, hits / taken), np.append(0.0, hits / hits[-1])
