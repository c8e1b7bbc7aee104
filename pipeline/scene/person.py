"""Draws people, dressed at random, and their shadows."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from pipeline.scene.brush import Colour, Floats, Image, disc, limb, shade
from pipeline.scene.motion import Joint


@dataclass(frozen=True, slots=True)
class Look:
    """How a person is dressed."""

    height: float
    """1 is 1.75 m."""
    girth: float
    skin: Colour
    hair: Colour
    top: Colour
    bottom: Colour
    shoes: Colour
    long_hair: bool = False
    short_sleeves: bool = False
    skirt: bool = False
    coat: bool = False
    hat: bool = False
    bag: bool = False


SKINS: Final[tuple[Colour, ...]] = ((236, 196, 164), (214, 164, 124), (168, 116, 82), (120, 80, 56), (88, 58, 44))
HAIRS: Final[tuple[Colour, ...]] = (
    (40, 30, 26),
    (84, 56, 36),
    (150, 110, 60),
    (190, 150, 90),
    (120, 120, 124),
    (20, 20, 22),
)
CLOTHES: Final[tuple[Colour, ...]] = (
    (196, 60, 52), (52, 96, 168), (56, 122, 84), (222, 178, 62), (232, 228, 218), (60, 62, 74), (124, 74, 132),
    (222, 122, 54), (92, 150, 176), (150, 40, 64), (110, 104, 92), (28, 30, 38), (180, 180, 190), (70, 84, 60),
)  # fmt: skip
TROUSERS: Final[tuple[Colour, ...]] = (
    (44, 58, 92),
    (36, 36, 42),
    (92, 84, 72),
    (70, 72, 82),
    (130, 118, 96),
    (58, 44, 40),
)


def look(rng: np.random.Generator, *, child: bool = False) -> Look:
    """Somebody, dressed at random."""

    def pick(colours: tuple[Colour, ...]) -> Colour:
        return colours[rng.integers(len(colours))]

    skirt, coat = bool(rng.random() < 0.15), bool(rng.random() < 0.2)
    return Look(
        height=float(rng.uniform(0.62, 0.74) if child else rng.uniform(0.93, 1.06)),
        girth=float(rng.uniform(0.9, 1.2)),
        skin=pick(SKINS), hair=pick(HAIRS), top=pick(CLOTHES), bottom=pick(TROUSERS), shoes=pick(TROUSERS),
        long_hair=skirt or bool(rng.random() < 0.3), short_sleeves=not coat and bool(rng.random() < 0.4),
        skirt=skirt, coat=coat, hat=bool(rng.random() < 0.2), bag=not child and bool(rng.random() < 0.25),
    )  # fmt: skip


def draw_person(image: Image, points: Floats, dressed: Look) -> None:
    """Draws a person.

    Args:
        image: Drawn on, (H, W, 3).
        points: Projected joints (J, 3): pixels and scale.
        dressed: Clothes.
    """
    size = float(points[Joint.PELVIS, 2]) * dressed.height * dressed.girth
    facing = float(
        points[Joint.TOE_L, 0] + points[Joint.TOE_R, 0] - points[Joint.ANKLE_L, 0] - points[Joint.ANKLE_R, 0]
    )
    left_nearer = points[Joint.HIP_L, 2] > points[Joint.HIP_R, 2]
    near, far = (0, 1) if left_nearer else (1, 0)
    _arm(image, points, dressed, size, far, 0.78)
    _leg(image, points, dressed, size, far, 0.76)
    _leg(image, points, dressed, size, near, 1.0)
    _trunk(image, points, dressed, size)
    _head(image, points, dressed, size, facing / max(size, 1))
    _arm(image, points, dressed, size, near, 1.06)


def _arm(image: Image, points: Floats, dressed: Look, size: float, side: int, tone: float) -> None:
    shoulder, elbow, hand = points[Joint.SHOULDER_L + 3 * side : Joint.HAND_L + 3 * side + 1]
    sleeve = shade(dressed.skin if dressed.short_sleeves else dressed.top, tone * 0.94)
    limb(image, elbow, hand, 0.048 * size, 0.038 * size, sleeve)
    limb(image, shoulder, elbow, 0.066 * size, 0.052 * size, shade(dressed.top, tone * 0.94))
    along = (hand - elbow)[:2]
    disc(image, hand[:2] + along * 0.12, 0.05 * size, shade(dressed.skin, tone))


def _leg(image: Image, points: Floats, dressed: Look, size: float, side: int, tone: float) -> None:
    hip, knee, ankle, toe = points[Joint.HIP_L + 4 * side : Joint.TOE_L + 4 * side + 1]
    cloth = shade(dressed.skin if dressed.skirt else dressed.bottom, tone)
    limb(image, ankle, toe, 0.052 * size, 0.04 * size, shade(dressed.shoes, tone * 0.9))
    limb(image, knee, ankle, 0.066 * size, 0.05 * size, cloth)
    limb(image, hip, knee, 0.092 * size, 0.068 * size, cloth)


def _trunk(image: Image, points: Floats, dressed: Look, size: float) -> None:
    """Hips, chest, neck, and what hangs from them."""
    pelvis, chest, neck = points[Joint.PELVIS], points[Joint.CHEST], points[Joint.NECK]
    shoulders, hips = points[[Joint.SHOULDER_L, Joint.SHOULDER_R]], points[[Joint.HIP_L, Joint.HIP_R]]
    waist = 0.45 * chest + 0.55 * pelvis
    lower = dressed.top if dressed.coat else dressed.bottom
    for hip in hips:
        limb(image, hip, waist, 0.1 * size, 0.1 * size, shade(lower, 0.95))
    if dressed.skirt or dressed.coat:
        knees = (points[Joint.KNEE_L] + points[Joint.KNEE_R])[:2] / 2
        hem = 0.25 * hips[:, :2] + 0.75 * (knees + (points[[Joint.KNEE_L, Joint.KNEE_R]][:, :2] - knees) * 0.8)
        for edge in hem:
            limb(image, pelvis, edge, 0.12 * size, 0.11 * size, shade(lower, 0.88))
    for shoulder in shoulders:
        limb(image, waist, 0.82 * shoulder + 0.18 * chest, 0.115 * size, 0.075 * size, dressed.top)
    limb(image, waist, chest, 0.115 * size, 0.12 * size, dressed.top)
    light = 0.5 * shoulders[np.argmin(shoulders[:, 0])] + 0.5 * chest
    limb(image, waist - [0.05 * size, 0, 0], light, 0.04 * size, 0.05 * size, shade(dressed.top, 1.1))
    if dressed.bag:
        limb(image, shoulders[0], waist, 0.018 * size, 0.018 * size, (60, 44, 34))
        limb(image, hips[1], hips[1] - [0, 0.1 * size, 0], 0.1 * size, 0.09 * size, (84, 58, 40))
    limb(image, chest, neck, 0.055 * size, 0.05 * size, shade(dressed.skin, 0.86))


def _head(image: Image, points: Floats, dressed: Look, size: float, facing: float) -> None:
    """A face turned where the feet point, and hair."""
    neck, head = points[Joint.NECK][:2], points[Joint.HEAD][:2]
    up = (head - neck) / max(float(np.hypot(*(head - neck))), 0.1)
    side = np.array([-up[1], up[0]]) * (1 if up[1] < 0 else -1)  # to the right of an upright head
    turned = float(np.clip(facing / 0.35, -1, 1))
    toward = points[Joint.TOE_L, 1] + points[Joint.TOE_R, 1] > points[Joint.ANKLE_L, 1] + points[Joint.ANKLE_R, 1]
    radius = 0.112 * size / dressed.girth * (1.12 if dressed.height < 0.8 else 1)
    if dressed.long_hair:
        limb(
            image,
            head - side * turned * 0.35 * radius,
            neck - side * turned * 0.5 * radius,
            0.95 * radius,
            0.6 * radius,
            dressed.hair,
        )
    limb(image, head + up * 0.2 * radius, head - up * 0.35 * radius, 0.92 * radius, 0.8 * radius, dressed.skin)
    if toward or abs(turned) > 0.4:
        disc(image, head + side * turned * 0.95 * radius - up * 0.05 * radius, 0.2 * radius, dressed.skin)
        crown = head + up * 0.62 * radius - side * turned * 0.3 * radius
        back = head + up * 0.3 * radius - side * turned * 0.75 * radius
        limb(image, crown, back, 0.6 * radius, 0.45 * radius, dressed.hair)
        for eye in (-0.35, 0.35) if abs(turned) < 0.6 else (0.25 * turned,):
            disc(image, head + side * (eye + 0.45 * turned) * radius + up * 0.05 * radius, 0.11 * radius, (30, 24, 22))
    else:
        disc(image, head + up * 0.15 * radius, 0.95 * radius, dressed.hair)
    if dressed.hat:
        brim = head + up * 0.55 * radius
        limb(
            image,
            brim - side * 0.8 * radius,
            brim + side * 0.8 * radius,
            0.35 * radius,
            0.35 * radius,
            shade(dressed.bottom, 1.2),
        )
        limb(
            image, brim, brim + side * turned * 1.35 * radius, 0.18 * radius, 0.12 * radius, shade(dressed.bottom, 0.9)
        )


BONES: Final = (
    (Joint.PELVIS, Joint.CHEST, 0.14), (Joint.NECK, Joint.HEAD, 0.1),
    *((j + 3 * s, j + 3 * s + 1, 0.05) for s in (0, 1) for j in (Joint.SHOULDER_L, Joint.ELBOW_L)),
    *((j + 4 * s, j + 4 * s + 1, 0.07) for s in (0, 1) for j in (Joint.HIP_L, Joint.KNEE_L)),
)  # fmt: skip


def flattened(joints: Floats, sun: float) -> Floats:
    """Joints (F, J, 3) in metres, thrown on the ground by the sun."""
    right, up, away = np.moveaxis(joints, -1, 0)
    return np.stack([right + sun * up, 0 * up, away + 0.35 * abs(sun) * up], axis=-1)


def draw_shadow(mask: Image, spots: Floats, height: float) -> None:
    """Draws a shadow into a mask (H, W), from the flattened and projected joints (J, 3)."""
    pixels = spots[:, :2].round().astype(int).tolist()
    scale = float(spots[0, 2]) * height
    for start, end, radius in BONES:
        cv2.line(mask, pixels[start], pixels[end], 255, max(1, round(1.4 * radius * scale)), cv2.LINE_AA)
    middle = (
        (pixels[Joint.ANKLE_L][0] + pixels[Joint.ANKLE_R][0]) // 2,
        (pixels[Joint.ANKLE_L][1] + pixels[Joint.ANKLE_R][1]) // 2,
    )
    cv2.ellipse(
        mask, middle, (max(1, round(0.3 * scale)), max(1, round(0.09 * scale))), 0, 0, 360, 170, -1, cv2.LINE_AA
    )
