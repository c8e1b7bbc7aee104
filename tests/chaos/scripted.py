"""A stream of which it is known when it is bright and when it is loud."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from media_files import SOUND_RATE, write_media

FRAME_RATE: Final = 10
_DARK, _WHITE = 40, 235
_QUIET, _AMPLITUDE = 0.05, 0.8
_TONE_HZ = 1000


@dataclass(frozen=True, slots=True)
class Burst:
    """A time in which something is wrong."""

    start_seconds: float
    """In the file."""
    end_seconds: float
    """In the file."""
    sense: Literal["seen", "heard"]
    """Whether the picture is white or the sound loud; the other sense shows nothing."""


SCRIPT: Final = (
    Burst(2.0, 4.0, "heard"),
    Burst(6.0, 8.0, "seen"),
)
"""What happens in `SCRIPT_SECONDS`: a burst of two seconds every four."""
SCRIPT_SECONDS: Final = 8.0
BURST_SURE_SECONDS: Final = 6.0
"""Any stretch of `SCRIPT`, over and over, that is this long has a whole burst in it."""


def write_script(
    path: Path, bursts: Sequence[Burst] = SCRIPT, seconds: float = SCRIPT_SECONDS, rounds: int = 1
) -> Path:
    """Writes H.264 of 64x64 pictures and AAC, with these bursts in each of its rounds of so many seconds."""
    levels = np.full(round(seconds * FRAME_RATE), _DARK)
    sound = np.full(round(seconds * SOUND_RATE), _QUIET, np.float32)
    for burst in bursts:
        if burst.sense == "seen":
            levels[round(burst.start_seconds * FRAME_RATE) : round(burst.end_seconds * FRAME_RATE)] = _WHITE
        else:
            sound[round(burst.start_seconds * SOUND_RATE) : round(burst.end_seconds * SOUND_RATE)] = _AMPLITUDE
    sound *= np.sin(2 * np.pi * _TONE_HZ / SOUND_RATE * np.arange(len(sound)), dtype=np.float32)
    return write_media(
        path,
        rounds * seconds,
        frame_rate=FRAME_RATE,
        size=(64, 64),
        levels=np.tile(levels, rounds).tolist(),
        sound=np.tile(sound, rounds),
    )
