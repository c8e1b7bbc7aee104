"""What any model must beat: how much moves, how loud it is, and its own senses put together by rule."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_QUIETEST = 1e-5
"""Amplitude that silence is taken for: -100 dB."""


def frame_difference(frames: NDArray[np.uint8]) -> float:
    """Mean absolute difference of successive pictures in grey, 0..255.

    Args:
        frames: (T, H, W, 3) RGB.

    Source:
        Grey by ITU-R BT.601, as OpenCV has it.
    """
    grey = frames @ np.array([0.299, 0.587, 0.114], np.float32)  # (T, H, W)
    return float(np.abs(np.diff(grey, axis=0)).mean()) if len(grey) > 1 else 0.0


def loudness(samples: NDArray[np.float32]) -> float:
    """Root mean square in dB below full scale; silence is -100.

    Args:
        samples: (S,) in -1..1.
    """
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    return 20 * float(np.log10(max(rms, _QUIETEST)))


def late_fusion_max(probabilities: Sequence[float]) -> float | None:
    """The largest of the calibrated probabilities of the modalities that are there; None if none is.

    It stands for "some sense sees an anomaly". Noisy-or, 1 - prod(1 - p), is that for senses that err independently:
    they do not, and it would rise with every calm one.
    """
    return max(probabilities, default=None)


def late_fusion_mean(probabilities: Sequence[float]) -> float | None:
    """The mean of the calibrated probabilities of the modalities that are there; None if none is."""
    return sum(probabilities) / len(probabilities) if probabilities else None


LATE_FUSION: Final[dict[str, Callable[[Sequence[float]], float | None]]] = {
    "late_fusion_max": late_fusion_max,
    "late_fusion_mean": late_fusion_mean,
}
"""Rules that put the senses together without having learned how."""
