"""Logits to probabilities, and the probability from which on a window is an anomaly."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.recipe import Recipe
from models.spec import MODALITIES, NOTHING
from models.statistics import platt, roc_auc
from models.verdicts import Verdicts

Line = tuple[float, float]
"""Scale and bias of a logit."""


class Joint(NamedTuple):
    """How the joint judgement is made: `sigmoid(scale * fused + late * loudest + bias)`."""

    scale: float
    """Of the fused logit."""
    bias: float
    late: float
    """Of late fusion: the log-sum-exp of the present modalities' own calibrated logits."""


def calibration(said: Verdicts, recipe: Recipe) -> dict[str, Any]:
    """Calibration, threshold and validation figures, as `run.json` has them.

    All probabilities are moved alike, from the share of anomalies in the composed sequences to the recipe's prior, and
    the threshold with them: every decision stays.

    Source:
        Saerens et al., "Adjusting the Outputs of a Classifier to New a Priori Probabilities", 2002.
    """
    lines, auc = dict.fromkeys(MODALITIES, (1.0, 0.0)), {}
    for name, logits, truth in zip(MODALITIES, said.own, said.truths, strict=True):
        if _has_both(truth):
            lines[name] = platt(logits, truth)
            auc[name] = roc_auc(truth.numpy(), logits.numpy())
    made, logits = calibrate(said, list(lines.values()), recipe.fusion.late)
    auc["composed"] = roc_auc(said.truth.numpy(), logits.numpy())
    moved = _log_odds(recipe.prior) - _log_odds(float(said.truth.float().mean()))
    # `sigmoid(scale * logit + bias)` is a probability; from the threshold on, a window is an anomaly.
    threshold = choose_threshold(torch.sigmoid(logits + moved)[~said.truth].numpy(), recipe.false_alarm_share)
    return {
        "calibration": {
            "anomaly": (made.scale, made.bias + moved * (1 - made.late)),
            "late": made.late,
            "prior": recipe.prior,
            "modalities": {name: (scale, bias + moved) for name, (scale, bias) in lines.items()},
            "threshold": threshold,
        },
        "validation_auc": {name: round(value, 4) for name, value in auc.items()},
    }


def calibrate(said: Verdicts, own: Sequence[Line], late: float) -> tuple[Joint, Tensor]:
    """Calibrates the joint judgement, as the scorer will use it.

    It is a mean of two calibrated logits, that of fusion and that of late fusion, calibrated once more. A modality
    that is alone has nothing to be fused with: its own calibrated judgement stands.

    Args:
        said: of B composed sequences.
        own: the line of each modality's own judgement.
        late: share of late fusion in the mean.

    Returns:
        How the joint judgement is made, and the calibrated logits (B,).
    """
    lines = torch.tensor(own)
    calibrated = torch.where(said.present, lines[:, 0] * said.modalities + lines[:, 1], -torch.inf)
    num = said.present.sum(dim=1)
    loudest = torch.where(num > 0, calibrated.logsumexp(dim=1), NOTHING)
    several = num > 1
    truth = said.truth[several]
    if not _has_both(truth):
        return Joint(1.0, 0.0, 0.0), torch.where(num == 1, loudest, said.anomaly)
    scale, bias = platt(said.anomaly[several], truth)
    mean = (1 - late) * (scale * said.anomaly + bias) + late * loudest
    again, more = platt(mean[several], truth)
    joint = Joint(again * (1 - late) * scale, again * (1 - late) * bias + more, again * late)
    return joint, torch.where(num == 1, loudest, again * mean + more)


def choose_threshold(ordinary: NDArray[np.float32], share: float) -> float:
    """The least threshold that at most this share of ordinary windows reaches, never in the lowest or highest 2 %.

    Args:
        ordinary: probabilities (B,) of windows in which nothing is wrong.
        share: of them that may be taken for an anomaly.
    """
    return float(np.clip(np.quantile(ordinary, 1 - share), 0.02, 0.98))


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))


def _has_both(truth: Tensor) -> bool:
    """Whether some windows are anomalous and some not."""
    return bool(truth.any() and not truth.all())
