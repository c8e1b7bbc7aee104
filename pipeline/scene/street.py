"""The street a drawn scene plays in: the camera, the ground, the sky, and the light of the hour."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from pipeline.scene.brush import Floats, Image, Rng, dimmed, grain, noise
from pipeline.scene.houses import TALL, TEXELS, houses

NEAR, KERB, FAR_KERB, HOUSES = 2.0, 9.2, 16.0, 18.5
"""Distance from the camera's foot to where the ground begins, the road's edges and the houses, in metres."""
HALF_WIDTH: Final = 16.0
"""The street is drawn this far to the left and right, in metres."""
LAMPS: Final = (-6.5, 0.8, 8.2)
"""Where the lamps stand along the near kerb, in metres."""
HOURS: Final = ((255, 252, 244), (250, 232, 204), (226, 234, 246))
"""Light of noon, of evening, and of a cloudy day."""
NIGHT: Final = (74, 82, 108)


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole on a pole, looking down across the street."""

    width: int
    height: int
    focal: float
    """In pixels."""
    up: float
    """Metres above the ground."""
    pitch: float
    """Radians it looks down."""

    def project(self, points: Floats) -> Floats:
        """Pixels and scale (pixels per metre), together (..., 3), of points (..., 3) as (right, up, away) in metres."""
        cos, sin = np.cos(self.pitch), np.sin(self.pitch)
        below, away = self.up - points[..., 1], points[..., 2]
        scale = self.focal / np.maximum(away * cos + below * sin, 0.5)
        right = self.width / 2 + points[..., 0] * scale
        down = self.height / 2 + (below * cos - away * sin) * scale
        return np.stack([right, down, scale], axis=-1)

    def spot(self, right: float, up: float, away: float) -> Floats:
        """One point, projected (3,)."""
        return self.project(np.array([right, up, away], float))


@dataclass(frozen=True, slots=True)
class Street:
    """What stands still, painted once."""

    camera: Camera
    background: Image
    """(H, W, 3) RGB; at night not dimmed yet."""
    night: bool
    light: Image
    """What a picture is dimmed by at night, (H, W, 3)."""
    glow: Image
    """What shines over everything at night, (H, W, 3)."""
    sun: float
    """Metres a shadow reaches to the right for each metre of height; 0 under lamps."""


def street(rng: Rng, width: int, height: int) -> Street:
    """A street of its own for every state of `rng`."""
    focal, up = width * rng.uniform(0.85, 1.05), rng.uniform(2.7, 3.3)
    pitch = np.arctan(up / rng.uniform(4.8, 5.2)) - np.arctan(height / 2 / focal)  # puts the lower edge 5 m away
    camera = Camera(width, height, focal, up, float(pitch))
    night = bool(rng.random() < 0.35)
    texture, shining = houses(rng, 2 * HALF_WIDTH, night=night)
    background = _sky(rng, width, height, night=night)
    _lay(background, texture, camera, (0, TALL, HOUSES), (0, 0, HOUSES))
    _lay(background, _ground(rng), camera, (0, 0, HOUSES), (0, 0, NEAR))
    if night:
        light, glow = _lamplight(camera)
        _lay(light, _as_light(shining), camera, (0, TALL, HOUSES), (0, 0, HOUSES))
        return Street(camera, background, night, light, glow, 0.0)
    tint = np.array(HOURS[rng.integers(len(HOURS))]) * rng.uniform(0.86, 1.0)
    light = np.broadcast_to(tint, background.shape).astype(np.uint8)
    sun = float(rng.choice([-1, 1]) * rng.uniform(0.4, 1.1))
    return Street(camera, dimmed(background, light), night, light, np.zeros_like(light), sun)


def _lay(
    canvas: Image, texture: Image, camera: Camera, upper: tuple[int, int, float], lower: tuple[int, int, float]
) -> None:
    """Warps an RGBA texture onto the canvas, between its upper and lower edge as (unused, up, away) in metres."""
    height, width = texture.shape[:2]
    corners = [(-HALF_WIDTH, *upper[1:]), (HALF_WIDTH, *upper[1:]), (HALF_WIDTH, *lower[1:]), (-HALF_WIDTH, *lower[1:])]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    target = camera.project(np.array(corners))[:, :2].astype(np.float32)
    warp = cv2.getPerspectiveTransform(source, target)
    warped = cv2.warpPerspective(texture, warp, (canvas.shape[1], canvas.shape[0]), flags=cv2.INTER_AREA)
    alpha = warped[..., 3:].astype(np.float32) / 255
    canvas[:] = (canvas * (1 - alpha) + warped[..., :3] * alpha).astype(np.uint8)


def _as_light(shining: Image) -> Image:
    """A mask (H, W) as a texture of full light, with soft edges."""
    soft = cv2.GaussianBlur(shining, (0, 0), 3)
    return np.asarray(cv2.merge([np.full_like(shining, 255)] * 3 + [np.maximum(soft, shining)]), np.uint8)


def _sky(rng: Rng, width: int, height: int, *, night: bool) -> Image:
    """Blue above, pale below, with clouds."""
    share = np.linspace(0, 1, height)[:, None, None] ** 0.6
    blue = np.array([110, 160, 215]) * (1 - share) + np.array([225, 232, 236]) * share
    cloud = np.clip(noise(rng, height, width, 70, 60) + noise(rng, height, width, 25, 20), 0, 90)
    sky = np.clip((blue + 0.7 * cloud) * (0.4 if night else 1), 0, 250)
    return np.asarray(sky, np.uint8)


def _row(away: float) -> int:
    """Where a distance lies in the texture of the ground, its far edge first."""
    return round((HOUSES - away) * TEXELS)


def _ground(rng: Rng) -> Image:
    """Pavement, road and far pavement seen from above (RGBA)."""
    width, depth = round(2 * HALF_WIDTH * TEXELS), _row(NEAR)
    stone = np.array(rng.choice([[168, 164, 158], [178, 168, 150], [150, 152, 156]]))
    ground = np.full((depth, width, 4), 255, np.uint8)
    ground[..., :3] = stone * 0.82
    slab = int(rng.choice([24, 32, 44]))
    for index, y in enumerate(range(0, depth, slab)):
        for x in range(-(index % 2) * slab // 2, width, slab):
            tint = np.minimum(stone * rng.uniform(0.94, 1.05), 255).tolist()
            cv2.rectangle(ground, (x + 1, y + 2), (x + slab - 2, y + slab - 1), (*tint, 255), -1)
    _road(ground, rng)
    stains = np.full((depth, width), 255, np.uint8)
    for _ in range(14):
        spot, radius = (int(rng.integers(width)), int(rng.integers(depth))), rng.integers(5, 36, 2).tolist()
        cv2.ellipse(stains, spot, radius, 0, 0, 360, int(rng.integers(225, 245)), -1, cv2.LINE_AA)
    ground[..., :3] = dimmed(ground[..., :3].copy(), np.asarray(cv2.merge([stains] * 3), np.uint8))
    grain(ground, rng, 4)
    return ground


def _road(ground: Image, rng: Rng) -> None:
    """Asphalt, kerbs, the middle line, and sometimes a crossing."""
    width = ground.shape[1]
    ground[_row(FAR_KERB) : _row(KERB), :, :3] = (86, 87, 91)
    for edge in (FAR_KERB, KERB):
        cv2.line(ground, (0, _row(edge)), (width, _row(edge)), (196, 194, 188, 255), 9)
    cv2.line(ground, (0, _row(KERB) - 12), (width, _row(KERB) - 12), (60, 60, 63, 255), 8)
    middle = _row((KERB + FAR_KERB) / 2)
    for x in range(0, width, 150):
        cv2.rectangle(ground, (x, middle - 3), (x + 80, middle + 3), (214, 214, 208, 255), -1)
    if rng.random() < 0.6:
        start = int(rng.integers(width // 5, width - width // 3))
        for x in range(start, start + 130, 40):
            corner, other = (x, _row(FAR_KERB) + 10), (x + 20, _row(KERB) - 24)
            cv2.rectangle(ground, corner, other, (218, 218, 212, 255), -1)


def _lamplight(camera: Camera) -> tuple[Image, Image]:
    """The light map of the night, and the glow around the lamps."""
    light = np.full((camera.height, camera.width, 3), NIGHT, np.float32)
    glow = np.zeros_like(light)
    for x in LAMPS:
        light += _pool(camera, camera.spot(x, 0.0, KERB - 1.6), 4.2, 2.2) * np.array([175, 150, 100])
        halo = _pool(camera, camera.spot(x + 0.7, 4.6, KERB - 0.3), 1.1, 1.0)
        light += halo * np.array([105, 90, 60])
        glow += halo**3 * np.array([120, 100, 60])
    return np.clip(light, 0, 255).astype(np.uint8), np.clip(glow, 0, 255).astype(np.uint8)


def _pool(camera: Camera, spot: Floats, reach: float, flat: float) -> Floats:
    """A soft round of light (H, W, 1) about a projected spot, `reach` metres wide, flattened upright."""
    down, right = np.mgrid[0 : camera.height, 0 : camera.width]
    far = (right - spot[0]) ** 2 + ((down - spot[1]) * flat) ** 2
    return np.asarray(np.exp(-far / (reach * spot[2]) ** 2))[..., None]
