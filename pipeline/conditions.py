"""What fusion says when modalities are missing, beside what those that are left say without it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from pipeline.baseline import LATE_FUSION
from pipeline.calibration import LabelledWindow, window_honesty
from pipeline.metrics import accuracy
from pipeline.reasons import Reasons, defined, ranking
from pipeline.score import CONDITIONS
from pipeline.scored import ScoredRow, ScoredWindow, ScoreOf, fused, other, row_scores


def by_condition(
    rows: Sequence[ScoredRow],
    windows: Sequence[LabelledWindow],
    threshold: float,
    prior: float,
    reasons: Reasons,
) -> dict[str, Any]:
    """Figures of each condition over the rows that have all its modalities, and of `all` over every row as it is.

    On the same rows: what each of those modalities says alone, and what late fusion makes of it. Calibration is over
    the windows that have all of them. A condition that no row has is left out.
    """
    result: dict[str, Any] = {}
    for name, subset in CONDITIONS.items():
        if there := [(row, found) for row, found in rows if _has(found, subset)]:
            here = [each for each in windows if _has([each.window], subset)]
            key = f"by_condition.{name}"
            result[name] = {
                **_judged(there, here, _under(name), threshold, prior, key, reasons),
                "alone": {
                    each: ranking(*row_scores(there, other(each)), f"{key}.alone.{each}", reasons) for each in subset
                },
                **{
                    rule: ranking(*row_scores(there, _ruled(combine, subset)), f"{key}.{rule}", reasons)
                    for rule, combine in LATE_FUSION.items()
                },
            }
    return {**result, "all": _judged(rows, windows, fused, threshold, prior, "by_condition.all", reasons)}


def _judged(
    rows: Sequence[ScoredRow],
    windows: Sequence[LabelledWindow],
    score: ScoreOf,
    threshold: float,
    prior: float,
    key: str,
    reasons: Reasons,
) -> dict[str, Any]:
    scores, positive = row_scores(rows, score)
    honest = window_honesty(windows, score, prior, key, reasons)
    return {
        **ranking(scores, positive, key, reasons),
        "accuracy": defined(partial(accuracy, scores, positive, threshold), f"{key}.accuracy", reasons),
        "num_windows": honest["n"],
        "ece": honest["ece"],
        "brier": honest["brier"],
        "ece_at_share": honest["ece_at_share"],
    }


def _under(condition: str) -> ScoreOf:
    return lambda window: window.conditions[condition]


def _ruled(rule: Callable[[Sequence[float]], float | None], names: Sequence[str]) -> ScoreOf:
    return lambda window: rule(_own(window, names))


def _own(window: ScoredWindow, names: Sequence[str]) -> list[float]:
    return [score for name in names if (score := window.others.get(name)) is not None]


def _has(windows: Sequence[ScoredWindow], names: Sequence[str]) -> bool:
    """Whether each modality is in one of the windows."""
    return all(any(window.others.get(name) is not None for window in windows) for name in names)
