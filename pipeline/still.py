"""Stills: small pictures of a source for people to look at, a JPEG every few seconds."""

import time
from typing import Final

import av
from av.video.reformatter import Interpolation, VideoReformatter

from pipeline.jpeg import encoded

LONGER_SIDE: Final = 480
"""Pixels; what is smaller stays as it is."""
_QUALITY: Final = 80
"""Of JPEG, of 100."""


class Stills:
    """Takes a still when the last one is old enough."""

    def __init__(self, every_seconds: float) -> None:
        """Takes the first picture that comes.

        Args:
            every_seconds: least time between two, on the clock on the wall.
        """
        self._every_seconds = every_seconds
        self._next_at = 0.0
        self._reformatter = VideoReformatter()

    def take(self, frame: av.VideoFrame) -> bytes | None:
        """A JPEG of the picture, its longer side `LONGER_SIDE` at most; none if it is not time yet."""
        now = time.monotonic()
        if now < self._next_at:
            return None
        self._next_at = now + self._every_seconds
        scale = min(1.0, LONGER_SIDE / max(frame.width, frame.height))
        width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
        small = self._reformatter.reformat(frame, width, height, "bgr24", interpolation=Interpolation.AREA, threads=1)
        return encoded(small.to_ndarray(), _QUALITY)
