"""The few statistics training needs: how well scores rank, and how logits become probabilities."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def roc_auc(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Area under the ROC curve by ranks, ties counted half (Mann and Whitney 1947)."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = int(truth.sum())
    negatives = len(truth) - positives
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def platt(logits: Tensor, truth: Tensor) -> tuple[float, float]:
    """Scale and bias that make `sigmoid(scale * logit + bias)` a probability.

    Source: Platt 1999, with his softened targets.
    """
    positives = float(truth.sum())
    negatives = len(truth) - positives
    target = torch.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2)).double()
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([line], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = functional.binary_cross_entropy_with_logits(line[0] * logits.double() + line[1], target)
        value.backward()
        return value

    solver.step(loss)
    scale, bias = line.tolist()
    return max(scale, 0.05), bias  # a negative scale would turn the ranking round
