"""The street a drawn scene plays in: the camera, the houses, the ground, and the light of the hour."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Floats = NDArray[np.float64]
Colour = tuple[int, int, int]

KERB, FAR_KERB, HOUSES = 9.2, 16.0, 18.5
"""Distance from the camera's foot to the near and far edge of the road and to the houses, in metres."""
TEXELS: Final = 40
"""Texture pixels to a metre."""
HALF_WIDTH: Final = 16.0
"""The street is drawn this far to the left and right, in metres."""
LAMPS: Final = (-6.5, 0.8, 8.2)
"""Where the lamps stand along the near kerb, in metres."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole on a pole, looking down the street's width."""

    width: int
    height: int
    focal: float
    """In pixels."""
    up: float
    """Metres above the ground."""
    pitch: float
    """Radians it looks down."""

    def project(self, points: Floats) -> Floats:
        """Pixels (..., 2) and scale in pixels per metre, together (..., 3), of points (..., 3) as (right, up, away)."""
        cos, sin = np.cos(self.pitch), np.sin(self.pitch)
        below, away = self.up - points[..., 1], points[..., 2]
        scale = self.focal / np.maximum(away * cos + below * sin, 0.5)
        right = self.width / 2 + points[..., 0] * scale
        down = self.height / 2 + (below * cos - away * sin) * scale
        return np.stack([right, down, scale], axis=-1)

    def homography(self, corners: Floats, texture: Image) -> Floats:
        """The warp that lays a texture on the flat quadrilateral `corners` (4, 3), from its upper left, clockwise."""
        height, width = texture.shape[:2]
        source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        target = self.project(corners)[:, :2].astype(np.float32)
        return np.asarray(cv2.getPerspectiveTransform(source, target), np.float64)


@dataclass(frozen=True, slots=True)
class Street:
    """What stands still, painted once."""

    camera: Camera
    background: Image
    """By daylight, (H, W, 3) RGB."""
    light: Image
    """What a picture is multiplied with at night (255 is full light), (H, W, 3)."""
    glow: Image
    """What shines by itself at night and is added last, (H, W, 3)."""
    night: bool
    sun: float
    """Metres a shadow reaches to the right for each metre of height; the light of lamps makes none."""


def street(rng: np.random.Generator, width: int, height: int) -> Street:
    """A street of its own for every state of `rng`."""
    zoom = rng.uniform(0.85, 1.05)
    up = rng.uniform(2.7, 3.3)
    pitch = np.arctan(up / rng.uniform(4.8, 5.2)) - np.arctan(
        height / 2 / (width * zoom)
    )  # where the picture ends below
    camera = Camera(width, height, width * zoom, up, float(pitch))
    night = bool(rng.random() < 0.35)
    canvas = _sky(rng, width, height)
    facade, windows = _facade(rng)
    corners = np.array(
        [[-HALF_WIDTH, 8, HOUSES], [HALF_WIDTH, 8, HOUSES], [HALF_WIDTH, 0, HOUSES], [-HALF_WIDTH, 0, HOUSES]]
    )
    _lay(canvas, facade, camera.homography(corners, facade))
    ground = _ground(rng)
    near = 2.0
    corners = np.array(
        [[-HALF_WIDTH, 0, HOUSES], [HALF_WIDTH, 0, HOUSES], [HALF_WIDTH, 0, near], [-HALF_WIDTH, 0, near]]
    )
    _lay(canvas, ground, camera.homography(corners, ground))
    light, glow = _light(rng, camera, windows, night)
    if not night:
        canvas = np.asarray(cv2.multiply(canvas, light, scale=1 / 255), np.uint8)
    sun = 0.0 if night else float(rng.choice([-1, 1]) * rng.uniform(0.4, 1.1))
    return Street(camera, canvas, light, glow, night, sun)


def _lay(canvas: Image, texture: Image, homography: Floats) -> None:
    """Warps an RGBA texture onto the canvas."""
    size = (canvas.shape[1], canvas.shape[0])
    warped = cv2.warpPerspective(texture, homography, size, flags=cv2.INTER_AREA)
    alpha = warped[..., 3:].astype(np.float32) / 255
    canvas[:] = (canvas * (1 - alpha) + warped[..., :3] * alpha).astype(np.uint8)


def _noise(rng: np.random.Generator, height: int, width: int, cell: int, size: float) -> NDArray[np.float32]:
    """Smooth grain (height, width, 1) of about `size` grey levels, `cell` pixels wide."""
    grain = rng.normal(0, size, (height // cell + 2, width // cell + 2)).astype(np.float32)
    return np.asarray(cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)[..., None]


def _grained(image: Image, rng: np.random.Generator, size: float) -> Image:
    """The texture with coarse and fine grain on it."""
    height, width = image.shape[:2]
    grain = _noise(rng, height, width, 24, size) + _noise(rng, height, width, 2, size)
    image[..., :3] = np.clip(image[..., :3] + grain, 0, 255).astype(np.uint8)
    return image


def _sky(rng: np.random.Generator, width: int, height: int) -> Image:
    """Blue above, pale below, with clouds."""
    share = np.linspace(0, 1, height)[:, None, None] ** 0.6
    blue = np.array([110, 160, 215]) * (1 - share) + np.array([225, 232, 236]) * share
    cloud = np.clip(_noise(rng, height, width, 70, 60) + _noise(rng, height, width, 25, 20), 0, 90)
    return np.clip(blue + 0.7 * cloud, 0, 250).astype(np.uint8)


def _ground(rng: np.random.Generator) -> Image:
    """Pavement, road and far pavement seen from above, far edge first (RGBA)."""
    near = 2.0
    width, depth = round(2 * HALF_WIDTH * TEXELS), round((HOUSES - near) * TEXELS)
    stone = np.array(rng.choice([[168, 164, 158], [178, 168, 150], [150, 152, 156]]))
    ground = np.full((depth, width, 4), 255, np.uint8)
    ground[..., :3] = stone
    row = lambda away: round((HOUSES - away) * TEXELS)  # noqa: E731
    slab = int(rng.choice([24, 32, 44]))
    for index, y in enumerate(range(0, depth, slab)):
        cv2.line(ground, (0, y), (width, y), (*(stone * 0.82).tolist(), 255), 2)
        for x in range(-(index % 2) * slab // 2, width, slab):
            tint = stone * rng.uniform(0.94, 1.05)
            cv2.rectangle(
                ground, (x + 1, y + 2), (x + slab - 2, y + slab - 1), (*np.minimum(tint, 255).tolist(), 255), -1
            )
    ground[row(FAR_KERB) : row(KERB), :, :3] = (86, 87, 91)
    for edge in (FAR_KERB, KERB):
        cv2.line(ground, (0, row(edge)), (width, row(edge)), (196, 194, 188, 255), 9)
    cv2.line(ground, (0, row(KERB) - 12), (width, row(KERB) - 12), (60, 60, 63, 255), 8)
    middle = row((KERB + FAR_KERB) / 2)
    for x in range(0, width, 150):
        cv2.rectangle(ground, (x, middle - 3), (x + 80, middle + 3), (214, 214, 208, 255), -1)
    if rng.random() < 0.6:
        start = int(rng.integers(width // 5, width - width // 3))
        for x in range(start, start + 130, 40):
            cv2.rectangle(ground, (x, row(FAR_KERB) + 10), (x + 20, row(KERB) - 24), (218, 218, 212, 255), -1)
    for _ in range(14):
        spot = (int(rng.integers(width)), int(rng.integers(depth)))
        radius = (int(rng.integers(6, 40)), int(rng.integers(4, 26)))
        cv2.ellipse(ground, spot, radius, 0, 0, 360, (*(ground[spot[1], spot[0], :3] * 0.93).tolist(), 255), -1)
    return _grained(ground, rng, 4)


def _facade(rng: np.random.Generator) -> tuple[Image, list[tuple[float, float, float, float]]]:
    """A row of houses seen from the front (RGBA), and the windows as (left, bottom, right, top) in metres."""
    tall = 8 * TEXELS
    facade = np.zeros((tall, round(2 * HALF_WIDTH * TEXELS), 4), np.uint8)
    windows: list[tuple[float, float, float, float]] = []
    left = -HALF_WIDTH
    while left < HALF_WIDTH:
        wide = rng.uniform(4.2, 6.4)
        windows += _house(facade, rng, left, left + wide, rng.uniform(4.8, 6.4))
        left += wide + (rng.uniform(0.6, 1.6) if rng.random() < 0.3 else 0)
    return facade, windows


WALLS: Final = (
    (172, 96, 76),
    (204, 180, 146),
    (156, 124, 104),
    (196, 196, 186),
    (126, 142, 150),
    (214, 190, 120),
    (150, 84, 84),
)
PAINTS: Final = ((46, 92, 74), (128, 38, 42), (36, 62, 110), (70, 54, 44), (190, 140, 50), (40, 40, 46))


def _house(
    facade: Image, rng: np.random.Generator, left: float, right: float, roof: float
) -> list[tuple[float, float, float, float]]:
    """Paints one house; gives its windows."""
    wall, paint = np.array(WALLS[rng.integers(len(WALLS))]), PAINTS[rng.integers(len(PAINTS))]

    def box(x0: float, y0: float, x1: float, y1: float, colour: Colour | list[float]) -> None:
        corner = (round((x0 + HALF_WIDTH) * TEXELS), round((8 - y1) * TEXELS))
        other = (round((x1 + HALF_WIDTH) * TEXELS) - 1, round((8 - y0) * TEXELS) - 1)
        cv2.rectangle(facade, corner, other, (*colour, 255), -1)

    box(left, 0, right, roof, wall.tolist())
    for course in np.arange(0, roof, 0.15):
        box(left, course, right, course + 0.025, (wall * 0.9).tolist())
    part = facade[
        round((8 - roof) * TEXELS) :, round((left + HALF_WIDTH) * TEXELS) : round((right + HALF_WIDTH) * TEXELS)
    ]
    _grained(part, rng, 5)
    box(left - 0.1, roof - 0.25, right + 0.1, roof, (wall * 0.7).tolist())
    box(left, 0, right, 0.35, (wall * 0.6).tolist())
    chimney = rng.uniform(left + 0.4, right - 0.9)
    box(chimney, roof, chimney + 0.5, roof + 0.6, (wall * 0.75).tolist())
    windows = []
    columns = int((right - left) / 1.5)
    for column in range(columns):
        middle = left + (right - left) * (column + 0.5) / columns
        windows.append((middle - 0.42, 3.3, middle + 0.42, 4.6))
    if rng.random() < 0.5:  # a shop
        windows.append((left + 0.4, 0.6, right - 1.5, 2.3))
        for index, x in enumerate(np.arange(left + 0.3, right - 1.5, 0.3)):
            box(x, 2.35, min(x + 0.3, right - 1.4), 2.75, paint if index % 2 else (232, 228, 218))
    else:
        windows += [(x, 1.0, x + 0.9, 2.3) for x in np.arange(left + 0.5, right - 2.2, 1.4)]
    for x0, y0, x1, y1 in windows:
        box(x0 - 0.07, y0 - 0.07, x1 + 0.07, y1 + 0.07, (226, 222, 212))
        box(x0, y0, x1, y1, (58, 72, 88))
        box(x0, y0, x1 - (x1 - x0) * rng.uniform(0.3, 0.8), y1, (84, 104, 122))
        box((x0 + x1) / 2 - 0.02, y0, (x0 + x1) / 2 + 0.02, y1, (216, 212, 202))
        box(x0 - 0.12, y0 - 0.14, x1 + 0.12, y0 - 0.05, (200, 196, 186))
    box(right - 1.25, 0, right - 0.25, 2.25, (224, 220, 210))
    box(right - 1.17, 0.05, right - 0.33, 2.15, paint)
    box(right - 0.5, 1.0, right - 0.42, 1.08, (230, 210, 140))
    return windows


def _light(
    rng: np.random.Generator, camera: Camera, windows: list[tuple[float, float, float, float]], night: bool
) -> tuple[Image, Image]:
    """The light map and the glow of the hour."""
    shape = (camera.height, camera.width, 3)
    if not night:
        tint = np.array(rng.choice([[255, 252, 244], [250, 235, 210], [226, 234, 246]])) * rng.uniform(0.86, 1.0)
        return np.broadcast_to(tint, shape).astype(np.uint8), np.zeros(shape, np.uint8)
    light = np.full(shape, (74, 82, 108), np.float32)
    glow = np.zeros(shape, np.float32)
    down, right = np.mgrid[0 : camera.height, 0 : camera.width].astype(np.float32)
    for x in LAMPS:
        for spot, reach, strength in (([x, 4.3, KERB - 0.3], 1.1, 0), ([x, 0.0, KERB - 1.6], 4.2, 1)):
            u, v, scale = camera.project(np.array(spot, float))
            near = np.exp(-(((right - u) ** 2 + ((down - v) * (2.2 if strength else 1)) ** 2) / (reach * scale) ** 2))
            light += near[..., None] * np.array([175, 150, 100]) * (1.0 if strength else 0.6)
            if not strength:
                glow += near[..., None] ** 3 * np.array([120, 100, 60])
    for x0, y0, x1, y1 in windows:
        if rng.random() < 0.45:
            corners = np.array([[x0, y0, HOUSES], [x1, y0, HOUSES], [x1, y1, HOUSES], [x0, y1, HOUSES]])
            quad = camera.project(corners)[:, :2]
            lit = np.zeros(shape, np.uint8)
            cv2.fillConvexPoly(
                lit, np.round(quad).astype(np.int32), tuple(rng.choice([[170, 130, 70], [150, 140, 110]]).tolist())
            )
            glow += lit
    return np.clip(light, 0, 255).astype(np.uint8), np.clip(cv2.GaussianBlur(glow, (0, 0), 1.5), 0, 255).astype(
        np.uint8
    )
