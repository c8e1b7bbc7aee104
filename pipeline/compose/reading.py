"""Pictures and sound of a stretch of a file, at the rates composed files have."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from models.spec import Spec
from pipeline.config import LiveConfig
from pipeline.container import open_container, translated
from pipeline.errors import SourceFormatError
from pipeline.media import Samples, open_media

FPS: Final = 15
"""Pictures a second of a composed file."""
SPEC: Final = Spec()
"""Sound is read, and written, at its rate."""
_EDGE_SECONDS: Final = 1e-6

Pictures = list[NDArray[np.uint8]]
"""RGB, each (H, W, 3)."""
Sound = NDArray[np.float32]
"""Mono, (S,)."""


def pictures(path: Path, start_seconds: float, end_seconds: float, size: tuple[int, int] | None = None) -> Pictures:
    """The pictures of a stretch, `FPS` a second; where the source has fewer, the one before again.

    Args:
        path: the file.
        start_seconds: where the stretch begins.
        end_seconds: where it ends.
        size: width and height; pictures of another shape get black bars. None: as they are, the first only.

    Raises:
        SourceError: the file cannot be read or has no picture there.
    """
    cells: dict[int, NDArray[np.uint8]] = {}
    with open_container(str(path), LiveConfig()) as container, translated(str(path)):
        for frame, seconds in _frames(path, container, start_seconds):
            if seconds >= end_seconds - _EDGE_SECONDS:
                break
            cell = math.floor((seconds - start_seconds + _EDGE_SECONDS) * FPS)
            if cell >= 0 and cell not in cells:
                image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                if size is None:
                    return [image]
                cells[cell] = fitted(image, size)
    if not cells:
        raise SourceFormatError(f"source: {path}: no picture from {start_seconds:g} s on; leave the row out")
    latest, found = cells[min(cells)], []
    for cell in range(max(cells) + 1):
        latest = cells.get(cell, latest)
        found.append(latest)
    return found


def fitted(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The picture at this width and height, its aspect kept, black where it does not reach."""
    width, height = size
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = (min(width, round(image.shape[1] * scale)), min(height, round(image.shape[0] * scale)))
    scaled = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    result = np.zeros((height, width, 3), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    result[top : top + inner[1], left : left + inner[0]] = scaled
    return result


def sound(path: Path) -> Sound:
    """All sound of a file at the spec's rate.

    Raises:
        SourceError: the file cannot be read or has no sound.
    """
    with open_media(str(path), SPEC) as media:
        chunks = [item for item in media.items() if isinstance(item, Samples)]
    if not chunks:
        raise SourceFormatError(f"source: {path}: nothing to hear in it; leave its rows out")
    starts = [max(0, round(chunk.pts_seconds * SPEC.sample_rate)) for chunk in chunks]
    result = np.zeros(max(at + len(chunk.data) for at, chunk in zip(starts, chunks, strict=True)), np.float32)
    for at, chunk in zip(starts, chunks, strict=True):
        result[at : at + len(chunk.data)] = chunk.data
    return result


def _frames(path: Path, container: InputContainer, start_seconds: float) -> Iterator[tuple[av.VideoFrame, float]]:
    """Pictures with their times from a key frame at or before the start on; what cannot be decoded is passed over."""
    if not container.streams.video:
        raise SourceFormatError(f"source: {path}: no picture in it; leave its rows out")
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    origin = (container.start_time or 0) / av.time_base
    if start_seconds > 0:
        container.seek(round((origin + start_seconds) * av.time_base))
    for packet in container.demux(stream):
        try:
            decoded = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in decoded:
            if frame.time is not None:
                yield frame, frame.time - origin
