"""Optical flow: where in a window things move, and how."""

from itertools import pairwise

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

MEASURES = 6
"""Of each cell: what `flow_measures` lists."""
GRID = (2, 5, 5)
"""Cells of a window: halves of its time, and parts of the picture."""


def flow_measures(frames: Tensor) -> Tensor:
    """How each part of windows moves, from the flow between one picture and the next.

    Args:
        frames: uint8 (N, T, H, W, 3).

    Returns:
        float32 (N, MEASURES, *GRID), logarithms of 1 and the means over each cell of: speed, in pixels a picture; speed
        beside the median of the picture, which is the camera's own; how far the speed is from its mean over time;
        divergence; curl; acceleration.

    Source:
        Farnebäck, "Two-Frame Motion Estimation Based on Polynomial Expansion", SCIA 2003.
    """
    return torch.stack([_measures(_flow(window.numpy())) for window in frames])


def _flow(window: NDArray[np.uint8]) -> Tensor:
    """Movement (2, T-1, H, W) in pixels a picture, across and down."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in window]
    settings = {"pyr_scale": 0.5, "levels": 2, "winsize": 11, "iterations": 2, "poly_n": 5, "poly_sigma": 1.1}
    found = [
        cv2.calcOpticalFlowFarneback(one, other, None, flags=0, **settings)  # type: ignore[call-overload]
        for one, other in pairwise(grey)
    ]
    return torch.from_numpy(np.stack(found)).permute(3, 0, 1, 2)


def _measures(flow: Tensor) -> Tensor:
    across, down = flow
    speed = flow.norm(dim=0)
    beside = (flow - flow.flatten(2).median(dim=2).values[:, :, None, None]).norm(dim=0)
    varies = (speed - speed.mean(dim=0)).abs()
    divergence = (_slope(across, 2) + _slope(down, 1)).abs()
    curl = (_slope(down, 2) - _slope(across, 1)).abs()
    # one fewer than there are flows: it does not change after the last
    acceleration = functional.pad(flow.diff(dim=1).abs().sum(dim=0), (0, 0, 0, 0, 0, 1))
    each = torch.stack([speed, beside, varies, divergence, curl, acceleration])
    return functional.adaptive_avg_pool3d(each, GRID).log1p()


def _slope(values: Tensor, dim: int) -> Tensor:
    return torch.gradient(values, dim=dim)[0]
