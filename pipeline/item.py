"""What a source is made of: pictures, runs of sound and subtitles, each with its time on the source's clock."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture."""

    pts_seconds: float
    """When it is shown."""
    image: NDArray[np.uint8]
    """RGB, (H, W, 3): the whole picture, squeezed to the spec's square."""
    still: bytes | None = None
    """JPEG for people, if one was taken of this picture."""


@dataclass(frozen=True, slots=True)
class Samples:
    """A run of sound."""

    pts_seconds: float
    """When its first sample is heard."""
    data: NDArray[np.float32]
    """Mono at the spec's sample rate, (S,), as loud as the source has it."""


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle."""

    pts_seconds: float
    """When it appears."""
    end_seconds: float
    """When it goes."""
    text: str
    """Plain words, lines joined by a line feed; never empty."""


Item = Frame | Samples | Cue
