"""Figures that may not exist: None, and by its dotted key the reason."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from pipeline.metrics import (
    Bools,
    Floats,
    UndefinedError,
    at_share,
    average_precision,
    brier,
    calibration_error,
    pr_auc,
    roc_auc,
)

T = TypeVar("T")

Reasons = dict[str, str]
"""Why a figure is None, by its dotted key."""


def defined(compute: Callable[[], T], key: str, reasons: Reasons) -> T | None:
    """A figure, or None and its reason."""
    try:
        return compute()
    except UndefinedError as error:
        reasons[key] = str(error)
        return None


def share(part: float, whole: float, reason: str) -> float:
    """A part of the whole.

    Raises:
        UndefinedError: the whole is nothing, for this reason.
    """
    if not whole:
        raise UndefinedError(reason)
    return part / whole


def ranking(scores: Floats, positive: Bools, key: str, reasons: Reasons) -> dict[str, Any]:
    """How well scores tell anomalies from normal: AUC, and both formulas that go by the name of AP."""
    compute = {"auc": roc_auc, "ap": average_precision, "pr_auc": pr_auc}
    return {"n": len(scores), "num_anomalies": int(positive.sum()), **_each(compute, scores, positive, key, reasons)}


def honesty(
    probabilities: Floats, positive: Bools, prior: float, key: str, reasons: Reasons
) -> dict[str, float | None]:
    """How far probabilities, made for a share `prior` of anomalies, are from what happened."""
    compute = {
        "ece": calibration_error,
        "brier": brier,
        "ece_at_share": lambda told, happened: calibration_error(at_share(told, happened, prior), happened),
    }
    return _each(compute, probabilities, positive, key, reasons)


def _each(
    figures: Mapping[str, Callable[[Floats, Bools], float]], scores: Floats, positive: Bools, key: str, reasons: Reasons
) -> dict[str, float | None]:
    return {
        name: defined(partial(figure, scores, positive), f"{key}.{name}", reasons) for name, figure in figures.items()
    }
