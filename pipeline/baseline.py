"""What any model must beat: how much moves, how loud it is."""

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
