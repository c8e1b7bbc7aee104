"""Paints a row of houses as one flat texture, seen from the front."""

from typing import Final

import cv2
import numpy as np

from pipeline.scene.brush import Colour, Image, Rng, grain, shade

TEXELS: Final = 40
"""Texture pixels to a metre."""
TALL: Final = 8
"""Height of the texture, in metres."""

WALLS: Final = ((172, 96, 76), (204, 180, 146), (156, 124, 104), (196, 196, 186), (126, 142, 150), (214, 190, 120))
PAINTS: Final = ((46, 92, 74), (128, 38, 42), (36, 62, 110), (70, 54, 44), (190, 140, 50), (40, 40, 46))
FRAME: Final = (226, 222, 212)
LIT: Final = ((255, 214, 142), (255, 232, 190), (240, 196, 120))

Box = tuple[float, float, float, float]
"""Left, bottom, right and top in metres; the left of the texture is 0."""


def houses(rng: Rng, width: float, *, night: bool) -> tuple[Image, Image]:
    """A row `width` metres long: the texture (H, W, 4) RGBA, and (H, W) what is lit from inside."""
    texture = np.zeros((TALL * TEXELS, round(width * TEXELS), 4), np.uint8)
    shining = np.zeros(texture.shape[:2], np.uint8)
    left = 0.0
    while left < width:
        right = left + rng.uniform(4.2, 6.4)
        _house(texture, shining, rng, left, right, night=night)
        left = right + (rng.uniform(0.6, 1.6) if rng.random() < 0.3 else 0)
    return texture, shining


def _house(texture: Image, shining: Image, rng: Rng, left: float, right: float, *, night: bool) -> None:
    """Paints one house from `left` to `right`."""
    wall, paint = WALLS[rng.integers(len(WALLS))], PAINTS[rng.integers(len(PAINTS))]
    roof = rng.uniform(4.8, 6.4)
    _wall(texture, rng, (left, 0, right, roof), wall)
    is_shop = rng.random() < 0.5
    windows = _windows(left, right, is_shop=bool(is_shop))
    for window in windows:
        is_lit = night and rng.random() < 0.45
        glass = LIT[rng.integers(len(LIT))] if is_lit else (58, 72, 88)
        _window(texture, window, glass, curtain=rng.uniform(0.3, 0.8))
        if is_lit:
            _paint(shining, window, 255)
    if is_shop:
        for index, x in enumerate(np.arange(left + 0.3, right - 1.5, 0.3)):
            stripe = paint if index % 2 else (232, 228, 218)
            _paint(texture, (x, 2.35, min(x + 0.3, right - 1.4), 2.75), stripe)
    _paint(texture, (right - 1.25, 0, right - 0.25, 2.25), FRAME)
    _paint(texture, (right - 1.17, 0.05, right - 0.33, 2.15), paint)
    _paint(texture, (right - 1.0, 1.2, right - 0.5, 2.0), shade(paint, 1.25))
    _paint(texture, (right - 0.48, 1.0, right - 0.41, 1.08), (230, 210, 140))


def _wall(texture: Image, rng: Rng, box: Box, colour: Colour) -> None:
    """Bricks, plinth, gutter and chimney."""
    left, _, right, roof = box
    _paint(texture, box, colour)
    for course in np.arange(0, roof, 0.15):
        _paint(texture, (left, course, right, course + 0.025), shade(colour, 0.9))
    part = texture[round((TALL - roof) * TEXELS) :, round(left * TEXELS) : round(right * TEXELS)]
    grain(part, rng, 5)
    _paint(texture, (left - 0.1, roof - 0.25, right + 0.1, roof), shade(colour, 0.7))
    _paint(texture, (left, 0, right, 0.35), shade(colour, 0.6))
    chimney = rng.uniform(left + 0.4, right - 0.9)
    _paint(texture, (chimney, roof, chimney + 0.5, roof + 0.6), shade(colour, 0.75))


def _windows(left: float, right: float, *, is_shop: bool) -> list[Box]:
    """Where the windows are: above in a row, below in a row too or as one shop window."""
    columns = int((right - left) / 1.5)
    middles = [left + (right - left) * (column + 0.5) / columns for column in range(columns)]
    above: list[Box] = [(middle - 0.42, 3.3, middle + 0.42, 4.6) for middle in middles]
    if is_shop:
        return [*above, (left + 0.4, 0.6, right - 1.5, 2.3)]
    return above + [(float(x), 1.0, float(x) + 0.9, 2.3) for x in np.arange(left + 0.5, right - 2.2, 1.4)]


def _window(texture: Image, box: Box, glass: Colour, curtain: float) -> None:
    """Frame, glass, a reflection or curtain over that share of it, bar and sill."""
    left, low, right, high = box
    _paint(texture, (left - 0.07, low - 0.07, right + 0.07, high + 0.07), FRAME)
    _paint(texture, box, glass)
    _paint(texture, (left, low, left + (right - left) * curtain, high), shade(glass, 1.35 if glass[0] < 200 else 0.86))
    middle = (left + right) / 2
    _paint(texture, (middle - 0.02, low, middle + 0.02, high), shade(FRAME, 0.95))
    _paint(texture, (left - 0.12, low - 0.14, right + 0.12, low - 0.05), shade(FRAME, 0.88))


def _paint(texture: Image, box: Box, colour: Colour | int) -> None:
    """A filled rectangle."""
    corner = round(box[0] * TEXELS), round((TALL - box[3]) * TEXELS)
    other = round(box[2] * TEXELS) - 1, round((TALL - box[1]) * TEXELS) - 1
    cv2.rectangle(texture, corner, other, colour if isinstance(colour, int) else (*colour, 255), -1)
