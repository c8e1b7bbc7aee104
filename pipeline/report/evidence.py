"""What there was to see, hear and read in a window, read again from its file."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.spec import Spec
from pipeline.config import LiveConfig
from pipeline.container import file_path, open_container
from pipeline.errors import SourceError
from pipeline.media import open_media
from pipeline.subtitles import SUFFIXES
from pipeline.window import Window, windows

_FRAME_SIZE: Final = 160
_SHOWN: Final = (0, 7, 15)
"""Pictures of a window that are shown."""
_PICTURE_HEIGHT: Final = 120
_SPECTRUM_SIZE: Final = (320, 80)
_JPEG_QUALITY: Final = 72
_RANGE_DB: Final = 70
"""Of a spectrogram, down from full scale."""
_SILENCE: Final = 0.001
"""Sound that never gets louder is none: -60 dB."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A window for people."""

    pictures: str | None
    """A few pictures side by side, a JPEG as a data: URI; none where there is nothing to see."""
    spectrogram: str | None
    """Of its sound, a JPEG as a data: URI; none where there is nothing to hear."""
    is_silent: bool
    """Whether it has sound without anything in it."""
    text: str | None
    """Its words; none where there is nothing to read."""


def evidence(wanted: Mapping[Path, Iterable[int]], spec: Spec) -> dict[tuple[Path, int], Evidence]:
    """Reads windows again, each file once and no further than it must.

    Args:
        wanted: numbers of windows by file.
        spec: how windows are cut.

    Returns:
        By file and number; what can no longer be read is left out.
    """
    found: dict[tuple[Path, int], Evidence] = {}
    large = replace(spec, frame_size=_FRAME_SIZE)
    for path, numbers in wanted.items():
        missing = set(numbers)
        try:
            aspect = _aspect(path)
            with open_media(str(path), large) as media:
                for window in windows(media, str(path), large, datetime.now(UTC)):
                    if window.index in missing:
                        missing.remove(window.index)
                        found[path, window.index] = _evidence(window, spec, aspect)
                    if not missing:
                        break
        except SourceError:
            continue  # gone or changed since it was scored
    return found


def _evidence(window: Window, spec: Spec, aspect: float) -> Evidence:
    samples = window.samples
    is_heard = samples is not None and bool(np.abs(samples).max() > _SILENCE)
    return Evidence(
        pictures=None if window.frames is None else _jpeg(_strip(window.frames, aspect)),
        spectrogram=_jpeg(_spectrogram(samples, spec.sample_rate)) if samples is not None and is_heard else None,
        is_silent=samples is not None and not is_heard,
        text=window.text or None,
    )


def _aspect(path: Path) -> float:
    """Width over height of a file's pictures; windows have them squeezed to a square."""
    if path.suffix in SUFFIXES or file_path(str(path)) is None:
        return 1.0
    with open_container(str(path), LiveConfig()) as container:
        for stream in container.streams.video:
            if stream.width and stream.height:
                return min(3.0, max(0.4, stream.width / stream.height * float(stream.sample_aspect_ratio or 1)))
    return 1.0


def _strip(frames: NDArray[np.uint8], aspect: float) -> NDArray[np.uint8]:
    """Pictures of a window side by side in BGR, (H, W, 3)."""
    size = (round(_PICTURE_HEIGHT * aspect), _PICTURE_HEIGHT)
    shown = [frames[place] for place in _SHOWN if place < len(frames)]
    resized = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in shown]
    return np.ascontiguousarray(np.hstack(resized)[:, :, ::-1], np.uint8)


def _spectrogram(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.uint8]:
    """Short-time spectrum in dB below full scale, low tones at the bottom, (H, W, 3) BGR."""
    size, hop = sample_rate // 32, sample_rate // 128
    frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop] * np.hanning(size).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, axis=1)).T[::-1] / (size / 4)
    decibels = 20 * np.log10(np.maximum(power, 1e-6))
    grey = np.clip(255 * (decibels + _RANGE_DB) / _RANGE_DB, 0, 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(cv2.resize(grey, _SPECTRUM_SIZE), cv2.COLORMAP_VIRIDIS), np.uint8)


def _jpeg(image: NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
