"""The windows of one modality that a network learns from, with their labels."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """N windows as one modality has them."""

    inputs: tuple[Tensor, ...]
    """What the encoder takes, each (N, …): uint8 frames; float32 samples; or int64 token ids and mask."""
    labels: Tensor
    """int64 (N,): 0 is normal, `i + 1` is the spec's label `i`."""
    groups: NDArray[np.str_]
    """(N,) the recordings they come from."""
    bags: Tensor | None = None
    """int64 (N,) the labelled rows they come from, numbered; None: each window has one to itself."""
    weights: Tensor | None = None
    """float32 (N,) how much more often than others they are drawn; None: all alike."""
    validates: Tensor | None = None
    """bool (N,) whether they may be kept aside for validation; None: all may."""

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def rows(self) -> Tensor:
        """`bags`, of every pool."""
        return torch.arange(len(self)) if self.bags is None else self.bags

    def take(self, chosen: Tensor) -> "Pool":
        """Some of the windows, by index or mask."""
        inputs = tuple(part[chosen] for part in self.inputs)
        others = (None if part is None else part[chosen] for part in (self.bags, self.weights, self.validates))
        return Pool(inputs, self.labels[chosen], self.groups[chosen.numpy()], *others)

    def split(self, fraction: float, seed: int) -> tuple["Pool", "Pool"]:
        """Train and validation, cut between groups: each label has about `fraction` of its windows in validation."""
        return self._cut(lambda labels, groups: validation_mask(labels, groups, fraction, seed))

    def split_fold(self, folds: int, fold: int) -> tuple["Pool", "Pool"]:
        """Train and validation, which is one of several parts that together are all of it."""
        return self._cut(lambda labels, groups: fold_numbers(labels, groups, folds) == fold)

    def _cut(self, choose: Callable[[NDArray[np.int64], NDArray[np.str_]], NDArray[np.bool_]]) -> tuple["Pool", "Pool"]:
        """Keeps aside what is chosen of the recordings that may validate as a whole."""
        may = np.ones(len(self), np.bool_)
        if self.validates is not None:
            may = ~np.isin(self.groups, self.groups[~self.validates.numpy()])
        kept = np.zeros(len(self), np.bool_)
        kept[may] = choose(self.labels.numpy()[may], self.groups[may])
        mask = torch.from_numpy(kept)
        return self.take(~mask), self.take(mask)


def validation_mask(
    labels: NDArray[np.int64], groups: NDArray[np.str_], fraction: float, seed: int
) -> NDArray[np.bool_]:
    """Which windows are kept aside.

    Groups come in a random order; one is kept aside while the rarest label in it still lacks windows there and no label
    would lose more than half of its windows.

    Args:
        labels: (N,)
        groups: (N,)
        fraction: of each label's windows wanted in validation.
        seed: of the order.
    """
    num_labels = int(labels.max(initial=0)) + 1
    total = np.bincount(labels, minlength=num_labels)
    kept = np.zeros(num_labels, dtype=np.int64)
    mask = np.zeros(len(labels), dtype=np.bool_)
    for group in np.random.default_rng(seed).permutation(np.unique(groups)):
        inside = groups == group
        counts = np.bincount(labels[inside], minlength=num_labels)
        rarest = min(np.flatnonzero(counts), key=lambda label: total[label])
        if kept[rarest] < fraction * total[rarest] and (kept + counts <= total / 2).all():
            kept += counts
            mask |= inside
    return mask


def fold_numbers(labels: NDArray[np.int64], groups: NDArray[np.str_], folds: int) -> NDArray[np.int64]:
    """The part (N,) that each window belongs to: whole groups, large ones first, each to where its labels are rarest.

    Args:
        labels: (N,)
        groups: (N,)
        folds: number of parts.
    """
    share = 1 / np.bincount(labels).clip(min=1)
    names, sizes = np.unique(groups, return_counts=True)
    held = np.zeros((folds, len(share)))
    numbers = np.zeros(len(labels), dtype=np.int64)
    for group in names[np.argsort(-sizes, kind="stable")]:
        inside = groups == group
        counts = np.bincount(labels[inside], minlength=len(share)) * share
        fold = int(np.argmin(np.square(held + counts).sum(axis=1) - np.square(held).sum(axis=1)))
        held[fold] += counts
        numbers[inside] = fold
    return numbers


def draw_weights(pool: Pool) -> Tensor:
    """How often windows are drawn, float32 (N,).

    Half of the draws are normal, half anomalous; a label comes with the root of its count, a recording with the root
    of its rows of that label, and a row as one, however many windows it has.
    """
    labels = pool.labels
    weight = 1 / _total(torch.ones(len(labels)), pool.rows)
    recordings = torch.from_numpy(np.unique(pool.groups, return_inverse=True)[1]).flatten()
    weight = weight / _total(weight, recordings * (int(labels.max()) + 1) + labels).sqrt()
    weight = weight * (1.0 if pool.weights is None else pool.weights)
    weight = weight / _total(weight, labels) * torch.bincount(labels).float().sqrt()[labels]
    return weight / _total(weight, (labels > 0).long())


def _total(weight: Tensor, keys: Tensor) -> Tensor:
    """Of each element, the weight of all that share its key."""
    places: Tensor = keys.unique(return_inverse=True)[1]
    return torch.zeros(int(places.max()) + 1).index_add(0, places, weight)[places]
