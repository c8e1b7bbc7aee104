"""Pictures of an event: one with its score and time drawn in, and a strip of several."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Final, cast

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""BGR, (H, W, 3), as OpenCV has it."""

STRIP_LENGTH: Final = 6
_LONGEST_SIDE: Final = 1280
_STRIP_HEIGHT: Final = 160
_QUALITY: Final = 85
"""Of JPEG, of 100."""
_WHITE: Final = (255, 255, 255)


def pictures_at(file: Path | IO[bytes], times: Sequence[float]) -> list[Picture]:
    """The picture that is on the screen at each of these times, in seconds of the file; the last one beyond its end.

    Empty for a file without pictures.

    Raises:
        av.FFmpegError: it cannot be read.
    """
    with av.open(str(file) if isinstance(file, Path) else file, "r") as container:
        if not container.streams.video:
            return []
        return [shown for time in times if (shown := _picture_at(container, time)) is not None]


def snapshot(picture: Picture, caption: str) -> bytes:
    """A JPEG with a line of ASCII below."""
    small = _scaled(picture, min(1.0, _LONGEST_SIDE / max(picture.shape)))
    width = small.shape[1]
    size = max(0.35, min(1.0, width / 900))
    bar = np.zeros((round(34 * size), width, 3), np.uint8)
    place = (round(8 * size), round(24 * size))
    cv2.putText(bar, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7 * size, _WHITE, 1, cv2.LINE_AA)
    return encoded(np.vstack([small, bar]), _QUALITY)


def strip(pictures: Sequence[Picture]) -> bytes:
    """A JPEG of them side by side, all of one height."""
    row = np.hstack([_scaled(picture, _STRIP_HEIGHT / picture.shape[0]) for picture in pictures])
    return encoded(row, _QUALITY)


def encoded(picture: NDArray[Any], quality: int) -> bytes:
    """A JPEG of a BGR picture (H, W, 3).

    Args:
        picture: uint8.
        quality: of 100.
    """
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def _picture_at(container: av.container.InputContainer, time: float) -> Picture | None:
    stream = container.streams.video[0]
    container.seek(max(0, round(time * av.time_base)))
    latest = None
    for packet in container.demux(stream):
        try:
            for frame in packet.decode():
                if latest is not None and frame.time is not None and frame.time > time:
                    return _bgr(latest)
                latest = frame
        except av.InvalidDataError:  # as in the source
            continue
    return None if latest is None else _bgr(latest)


def _bgr(frame: av.VideoFrame) -> Picture:
    return cast(Picture, frame.to_ndarray(format="bgr24"))


def _scaled(picture: Picture, scale: float) -> Picture:
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    return cast(Picture, cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA))
