"""Logits to probabilities, and the probability from which on a window is an anomaly."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.fusion import Judgement
from models.statistics import platt

Line = tuple[float, float]
"""Scale and bias of a logit."""


def calibrate(judged: Judgement, present: Tensor, truth: Tensor, own: Sequence[Line]) -> tuple[Line, Tensor]:
    """Calibrates the joint judgement, as the scorer will use it.

    A modality that is alone has nothing to be fused with: its own calibrated judgement stands.

    Args:
        judged: B windows.
        present: bool (B, M), what there was at each.
        truth: bool (B,), whether each is anomalous.
        own: the line of each modality's own judgement.

    Returns:
        The line of the joint judgement, and the calibrated logits (B,).
    """
    is_alone = present.sum(dim=1) == 1
    fused = ~is_alone
    learnable = truth[fused].any() and not truth[fused].all()
    line = platt(judged.anomaly[fused], truth[fused]) if learnable else (1.0, 0.0)
    lines = torch.tensor(own)
    alone = torch.where(present, lines[:, 0] * judged.modalities + lines[:, 1], 0.0).sum(dim=1)
    return line, torch.where(is_alone, alone, line[0] * judged.anomaly + line[1])


def choose_threshold(ordinary: NDArray[np.float32], share: float) -> float:
    """The least threshold that at most this share of ordinary windows reaches, never in the lowest or highest 2 %.

    Args:
        ordinary: probabilities (B,) of windows in which nothing is wrong.
        share: of them that may be taken for an anomaly.
    """
    return float(np.clip(np.quantile(ordinary, 1 - share), 0.02, 0.98))
