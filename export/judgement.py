"""What fusion thinks of windows, and how that becomes the logits that are told."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from export.bundle import Calibration
from models.spec import MODALITIES, NOTHING


class Judgement(NamedTuple):
    """What fusion thinks of B windows, as logits."""

    anomaly: NDArray[np.float32]
    """(B,)"""
    classes: NDArray[np.float32]
    """(B, C)"""
    modalities: NDArray[np.float32]
    """(B, M)"""


def calibrated(
    calibration: Calibration, judgement: Judgement, present: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The joint logits (B,) and each modality's own (B, M), of windows in which modalities are present (B, M)."""
    scale, bias = calibration.anomaly
    lines = np.array([calibration.modalities[name] for name in MODALITIES])
    own = lines[:, 0] * judgement.modalities.astype(np.float64) + lines[:, 1]
    loudest = np.logaddexp.reduce(np.where(present, own, -np.inf), axis=1)
    loudest = np.where(present.any(axis=1), loudest, NOTHING)
    joint = scale * judgement.anomaly.astype(np.float64) + bias + calibration.late * loudest
    # A modality that is alone has nothing to be fused with: its own judgement stands.
    return np.where(present.sum(axis=1) == 1, loudest, joint), own
