"""Logits to probabilities, and the probability from which on a window is an anomaly."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.fusion import Judgement
from models.spec import NOTHING
from models.statistics import platt

Line = tuple[float, float]
"""Scale and bias of a logit."""


class Joint(NamedTuple):
    """How the joint judgement is made: `sigmoid(scale * fused + late * loudest + bias)`."""

    scale: float
    """Of the fused logit."""
    bias: float
    late: float
    """Of late fusion: the log-sum-exp of the present modalities' own calibrated logits."""


def calibrate(
    judged: Judgement, present: Tensor, truth: Tensor, own: Sequence[Line], late: float
) -> tuple[Joint, Tensor]:
    """Calibrates the joint judgement, as the scorer will use it.

    It is a mean of two calibrated logits, that of fusion and that of late fusion, calibrated once more. A modality
    that is alone has nothing to be fused with: its own calibrated judgement stands.

    Args:
        judged: B windows.
        present: bool (B, M), what there was at each.
        truth: bool (B,), whether each is anomalous.
        own: the line of each modality's own judgement.
        late: share of late fusion in the mean.

    Returns:
        How the joint judgement is made, and the calibrated logits (B,).
    """
    lines = torch.tensor(own)
    said = torch.where(present, lines[:, 0] * judged.modalities + lines[:, 1], -torch.inf)
    num = present.sum(dim=1)
    loudest = torch.where(num > 0, said.logsumexp(dim=1), NOTHING)
    several = num > 1
    if not truth[several].any() or truth[several].all():
        return Joint(1.0, 0.0, 0.0), torch.where(num == 1, loudest, judged.anomaly)
    scale, bias = platt(judged.anomaly[several], truth[several])
    mean = (1 - late) * (scale * judged.anomaly + bias) + late * loudest
    again, more = platt(mean[several], truth[several])
    joint = Joint(again * (1 - late) * scale, again * (1 - late) * bias + more, again * late)
    return joint, torch.where(num == 1, loudest, again * mean + more)


def choose_threshold(ordinary: NDArray[np.float32], share: float) -> float:
    """The least threshold that at most this share of ordinary windows reaches, never in the lowest or highest 2 %.

    Args:
        ordinary: probabilities (B,) of windows in which nothing is wrong.
        share: of them that may be taken for an anomaly.
    """
    return float(np.clip(np.quantile(ordinary, 1 - share), 0.02, 0.98))
