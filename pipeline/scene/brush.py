"""The brush of drawn scenes: discs, polygons and limbs, placed to a sixteenth of a pixel."""

import math
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]
Rng = np.random.Generator
Colour = tuple[int, int, int]
"""Red, green, blue."""

SHIFT: Final = 4
"""Bits behind the point of OpenCV's coordinates."""
UNIT: Final = 1 << SHIFT


@lru_cache(maxsize=4096)
def shade(colour: Colour, factor: float) -> Colour:
    """The colour, darker or brighter."""
    red, green, blue = (min(255, int(part * factor)) for part in colour)
    return red, green, blue


def pixel(spot: Floats) -> tuple[int, int]:
    """The nearest whole pixel."""
    return round(float(spot[0])), round(float(spot[1]))


def disc(image: Image, spot: Floats, radius: float, colour: Colour) -> None:
    """A filled circle."""
    centre = (int(spot[0] * UNIT), int(spot[1] * UNIT))
    cv2.circle(image, centre, max(int(radius * UNIT), 4), colour, -1, cv2.LINE_AA, SHIFT)


def area(image: Image, corners: Floats, colour: Colour) -> None:
    """A filled convex polygon (N, 2)."""
    cv2.fillConvexPoly(image, (corners * UNIT).astype(np.int32), colour, cv2.LINE_AA, SHIFT)


def limb(image: Image, start: Floats, end: Floats, thick: float, thin: float, colour: Colour) -> None:
    """A tapered bone with round ends, radii in pixels."""
    x0, y0, x1, y1 = float(start[0]), float(start[1]), float(end[0]), float(end[1])
    length = math.hypot(x1 - x0, y1 - y0)
    if length > 0.3:
        dx, dy = (y0 - y1) / length, (x1 - x0) / length
        corners = (
            (x0 + dx * thick, y0 + dy * thick),
            (x1 + dx * thin, y1 + dy * thin),
            (x1 - dx * thin, y1 - dy * thin),
            (x0 - dx * thick, y0 - dy * thick),
        )
        area(image, np.array(corners), colour)
    cv2.circle(image, (int(x0 * UNIT), int(y0 * UNIT)), max(int(thick * UNIT), 4), colour, -1, cv2.LINE_AA, SHIFT)
    cv2.circle(image, (int(x1 * UNIT), int(y1 * UNIT)), max(int(thin * UNIT), 4), colour, -1, cv2.LINE_AA, SHIFT)


def noise(rng: Rng, height: int, width: int, cell: int, size: float) -> NDArray[np.float32]:
    """Smooth noise (height, width, 1) of about `size` grey levels, `cell` pixels wide."""
    coarse = rng.normal(0, size, (height // cell + 2, width // cell + 2)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)[..., None]


def grain(image: Image, rng: Rng, size: float) -> None:
    """Roughens a texture (H, W, 3 or more), coarsely and finely."""
    height, width = image.shape[:2]
    rough = noise(rng, height, width, 24, size) + noise(rng, height, width, 2, size)
    image[..., :3] = np.clip(image[..., :3] + rough, 0, 255).astype(np.uint8)


def dimmed(image: Image, light: Image) -> Image:
    """The image in that light (255 is full), both (H, W, 3)."""
    return np.asarray(cv2.multiply(image, light, scale=1 / 255), np.uint8)
