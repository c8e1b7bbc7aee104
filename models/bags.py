"""Weak labels: a row of several windows is a bag, and only some of its windows need show what it is labelled with.

Source: Sultani, Chen and Shah, "Real-world Anomaly Detection in Surveillance Videos", CVPR 2018; the mean of the top k
of RTFM, Tian et al., ICCV 2021.
"""

import torch
from torch import Generator, Tensor


def draw_bags(bags: Tensor, chosen: Tensor, size: int, generator: Generator) -> Tensor:
    """Windows (G, size) of the rows of G chosen windows: one from each of `size` equal stretches of the row.

    Args:
        bags: int64 (N,): of each window, its row.
        chosen: int64 (G,) windows.
        size: windows of a row; a shorter row gives some of its own more than once.
        generator: of the random numbers.
    """
    order = bags.argsort(stable=True)  # windows of a row lie together, in order
    ends = bags[order]
    first = torch.searchsorted(ends, bags[chosen])
    count = torch.searchsorted(ends, bags[chosen], right=True) - first
    place = (torch.arange(size) + torch.rand(len(chosen), size, generator=generator)) / size
    offset = (place * count[:, None]).long().clamp(max=count[:, None] - 1)
    return order[first[:, None] + offset]


def top_mean(logits: Tensor, classes: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The judgement of bags: the mean over the `k` windows with the highest anomaly logits.

    Args:
        logits: (G, size).
        classes: (G, size, C).
        k: up to `size`.

    Returns:
        Logits (G,) and (G, C).
    """
    highest, places = logits.topk(k, dim=1)
    return highest.mean(dim=1), classes.take_along_dim(places[:, :, None], dim=1).mean(dim=1)
