"""Draws what moves in a scene: people, their shadows, cars, bicycles, dogs, balls and trees."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.scene_motion import Joint
from pipeline.scene_street import Camera, Colour, Floats, Image

SHIFT: Final = 4
"""Bits behind the point of OpenCV's coordinates."""
UNIT: Final = 1 << SHIFT


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


SKINS: Final = ((236, 196, 164), (214, 164, 124), (168, 116, 82), (120, 80, 56), (88, 58, 44))
HAIRS: Final = ((40, 30, 26), (84, 56, 36), (150, 110, 60), (190, 150, 90), (120, 120, 124), (20, 20, 22))
CLOTHES: Final = (
    (196, 60, 52), (52, 96, 168), (56, 122, 84), (222, 178, 62), (232, 228, 218), (60, 62, 74), (124, 74, 132),
    (222, 122, 54), (92, 150, 176), (150, 40, 64), (110, 104, 92), (28, 30, 38), (180, 180, 190), (70, 84, 60),
)  # fmt: skip
TROUSERS: Final = ((44, 58, 92), (36, 36, 42), (92, 84, 72), (70, 72, 82), (130, 118, 96), (58, 44, 40))


def look(rng: np.random.Generator, *, child: bool = False) -> Look:
    """Somebody, dressed at random."""
    pick = lambda colours: tuple(int(c) for c in colours[rng.integers(len(colours))])  # noqa: E731
    skirt, coat = bool(rng.random() < 0.15), bool(rng.random() < 0.2)
    return Look(
        height=float(rng.uniform(0.62, 0.74) if child else rng.uniform(0.93, 1.06)),
        girth=float(rng.uniform(0.9, 1.2)),
        skin=pick(SKINS), hair=pick(HAIRS), top=pick(CLOTHES), bottom=pick(TROUSERS), shoes=pick(TROUSERS),
        long_hair=skirt or bool(rng.random() < 0.3), short_sleeves=not coat and bool(rng.random() < 0.4),
        skirt=skirt, coat=coat, hat=bool(rng.random() < 0.2), bag=not child and bool(rng.random() < 0.25),
    )  # fmt: skip


def shade(colour: Colour, factor: float) -> Colour:
    """The colour, darker or brighter."""
    red, green, blue = (min(255, int(part * factor)) for part in colour)
    return red, green, blue


def disc(image: Image, spot: Floats, radius: float, colour: Colour) -> None:
    """A filled circle, to a sixteenth of a pixel."""
    centre = (int(spot[0] * UNIT), int(spot[1] * UNIT))
    cv2.circle(image, centre, max(int(radius * UNIT), 4), colour, -1, cv2.LINE_AA, SHIFT)


def area(image: Image, corners: Floats, colour: Colour) -> None:
    """A filled convex polygon (N, 2), to a sixteenth of a pixel."""
    cv2.fillConvexPoly(image, (corners * UNIT).astype(np.int32), colour, cv2.LINE_AA, SHIFT)


def limb(image: Image, start: Floats, end: Floats, thick: float, thin: float, colour: Colour) -> None:
    """A tapered bone with round ends, radii in pixels."""
    x0, y0, x1, y1 = float(start[0]), float(start[1]), float(end[0]), float(end[1])
    length = math.hypot(x1 - x0, y1 - y0)
    if length > 0.3:
        dx, dy = (y0 - y1) / length, (x1 - x0) / length
        corners = (
            (x0 + dx * thick, y0 + dy * thick), (x1 + dx * thin, y1 + dy * thin),
            (x1 - dx * thin, y1 - dy * thin), (x0 - dx * thick, y0 - dy * thick),
        )  # fmt: skip
        area(image, np.array(corners), colour)
    cv2.circle(image, (int(x0 * UNIT), int(y0 * UNIT)), max(int(thick * UNIT), 4), colour, -1, cv2.LINE_AA, SHIFT)
    cv2.circle(image, (int(x1 * UNIT), int(y1 * UNIT)), max(int(thin * UNIT), 4), colour, -1, cv2.LINE_AA, SHIFT)


def person(image: Image, points: Floats, dressed: Look) -> None:
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
        limb(image, head + up * 0.62 * radius - side * turned * 0.3 * radius, head + up * 0.3 * radius - side * turned * 0.75 * radius,
             0.6 * radius, 0.45 * radius, dressed.hair)  # fmt: skip
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


def person_shadow(mask: Image, spots: Floats, height: float) -> None:
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


def _pixel(spot: Floats) -> tuple[int, int]:
    return round(float(spot[0])), round(float(spot[1]))


def ball(image: Image, spot: Floats, camera: Camera) -> None:
    """A football at `spot` (metres)."""
    at = camera.project(spot)
    disc(image, at, 0.13 * at[2], (236, 234, 228))
    disc(image, at - [0.03 * at[2], 0.0, 0], 0.05 * at[2], (60, 60, 66))


def bicycle(image: Image, spot: Floats, ahead: float, turn: float, camera: Camera) -> None:
    """A bicycle whose pedals are at `spot` (right, away), heading right or left."""
    at = lambda right, up: camera.project(np.array([spot[0] + ahead * right, up, spot[1]]))  # noqa: E731
    scale = float(at(0, 0.34)[2])
    wheels = [at(-0.5, 0.34), at(0.55, 0.34)]
    thick = max(1, round(0.03 * scale))
    for hub in wheels:
        cv2.circle(image, _pixel(hub), round(0.33 * scale), (30, 30, 32), thick, cv2.LINE_AA)
        for spoke in np.arange(3) * np.pi / 3 + turn:
            arm = np.array([np.cos(spoke), np.sin(spoke)]) * 0.31 * scale
            cv2.line(image, _pixel(hub[:2] - arm), _pixel(hub[:2] + arm), (120, 120, 124), 1, cv2.LINE_AA)
    frame = [at(-0.5, 0.34), at(-0.15, 0.85), at(0.42, 0.85), at(0.0, 0.3), at(-0.15, 0.85)]
    for start, end in [*zip(frame, frame[1:], strict=False), (at(0.42, 0.98), at(0.55, 0.34)), (frame[0], frame[3])]:
        cv2.line(image, _pixel(start), _pixel(end), (178, 44, 40), thick, cv2.LINE_AA)


def dog(image: Image, spot: Floats, ahead: float, phase: float, coat: Colour, camera: Camera) -> None:
    """A trotting dog at `spot` (right, away)."""
    bounce = 0.02 * np.sin(2 * phase)
    at = lambda right, up: camera.project(np.array([spot[0] + ahead * right, up, spot[1]]))  # noqa: E731
    scale = float(at(0, 0.4)[2])
    for hip, angle in ((-0.25, phase), (0.25, phase + np.pi), (-0.25, phase + np.pi), (0.25, phase)):
        swing, lift = 0.13 * np.sin(angle), 0.07 * max(0.0, np.cos(angle))
        limb(
            image,
            at(hip, 0.38 + bounce),
            at(hip + swing * 0.5 + 0.02, 0.2 + lift),
            0.06 * scale,
            0.035 * scale,
            shade(coat, 0.82),
        )
        limb(
            image,
            at(hip + swing * 0.5 + 0.02, 0.2 + lift),
            at(hip + swing, 0.03 + lift),
            0.035 * scale,
            0.03 * scale,
            shade(coat, 0.82),
        )
    limb(image, at(-0.3, 0.44 + bounce), at(0.28, 0.46 + bounce), 0.11 * scale, 0.13 * scale, coat)
    limb(image, at(-0.36, 0.48), at(-0.55, 0.62 + 0.08 * np.sin(4 * phase)), 0.035 * scale, 0.02 * scale, coat)
    limb(image, at(0.3, 0.5 + bounce), at(0.42, 0.68 + bounce), 0.09 * scale, 0.09 * scale, coat)
    limb(image, at(0.44, 0.68 + bounce), at(0.6, 0.64 + bounce), 0.085 * scale, 0.045 * scale, coat)
    limb(image, at(0.38, 0.76 + bounce), at(0.34, 0.64 + bounce), 0.04 * scale, 0.05 * scale, shade(coat, 0.7))


def tree(image: Image, leaves: NDArray[np.float64], spot: Floats, time: float, camera: Camera) -> None:
    """A tree at `spot` (right, away) with leaves (N, 5): place, size and tone; sways with the time."""
    root, crown = camera.project(np.array([spot[0], 0, spot[1]])), camera.project(np.array([spot[0], 2.4, spot[1]]))
    limb(image, root, crown, 0.13 * root[2], 0.08 * root[2], (86, 66, 52))
    sway = 0.06 * np.sin(1.1 * time + spot[0]) + 0.04 * np.sin(2.7 * time + leaves[:, 0] * 3)
    places = np.stack([spot[0] + leaves[:, 0] + sway * leaves[:, 1] / 2, leaves[:, 1], spot[1] + leaves[:, 2]], 1)
    spots = camera.project(places)
    radii = np.maximum(leaves[:, 3] * spots[:, 2] * UNIT, 4).astype(int).tolist()
    for centre, radius, tone in zip(
        (spots[:, :2] * UNIT).astype(int).tolist(), radii, leaves[:, 4].tolist(), strict=True
    ):
        cv2.circle(image, centre, radius, shade((84, 124, 62), tone), -1, cv2.LINE_AA, SHIFT)


def foliage(rng: np.random.Generator) -> Floats:
    """Leaves (N, 5) for `tree`."""
    num = 90
    angle, reach, up = rng.uniform(0, 2 * np.pi, num), np.sqrt(rng.random(num)), rng.uniform(2.3, 4.6, num)
    wide = 1.3 * np.sqrt(np.clip(1 - ((up - 3.3) / 1.5) ** 2, 0.1, 1)) * reach
    leaves = np.stack([wide * np.cos(angle), up, wide * np.sin(angle), rng.uniform(0.16, 0.34, num), np.zeros(num)], 1)
    leaves[:, 4] = 0.62 + 0.2 * (up - 2.3) + rng.uniform(-0.12, 0.12, num)
    return leaves[np.argsort(leaves[:, 4])]


PROFILES: Final = (
    (
        (-2.1, 0.35),
        (-2.1, 0.8),
        (-1.75, 0.92),
        (-1.25, 1.42),
        (0.35, 1.45),
        (1.05, 0.95),
        (1.95, 0.82),
        (2.1, 0.6),
        (2.1, 0.35),
    ),
    ((-1.9, 0.35), (-1.95, 0.9), (-1.75, 1.48), (0.3, 1.5), (0.95, 1.0), (1.8, 0.86), (1.9, 0.6), (1.9, 0.35)),
    ((-2.4, 0.4), (-2.45, 1.95), (-2.35, 2.05), (1.3, 2.05), (1.85, 1.2), (2.4, 1.0), (2.45, 0.4)),
)
"""Outlines of a saloon, a hatchback and a van, nose to the right, in metres."""
GLASS: Final = (
    ((-1.3, 0.98), (-1.0, 1.34), (0.25, 1.36), (0.85, 0.98)),
    ((-1.7, 1.0), (-1.6, 1.4), (0.2, 1.42), (0.75, 1.02)),
    ((0.45, 1.25), (0.45, 1.8), (1.2, 1.8), (1.6, 1.25)),
)


def car(image: Image, spot: Floats, ahead: float, kind: int, colour: Colour, camera: Camera) -> None:
    """A car with its middle at `spot` (right, away), heading right (1) or left (-1)."""
    outline = np.array(PROFILES[kind]) * [ahead, 1]
    near, far = spot[1] - 0.85, spot[1] + 0.85

    def at(shape: Floats, away: float) -> Floats:
        return camera.project(np.column_stack([spot[0] + shape[:, 0], shape[:, 1], np.full(len(shape), away)]))

    front, back = at(outline, near), at(outline, far)
    for index in range(len(outline) - 1):
        quad = np.stack([front[index], front[index + 1], back[index + 1], back[index]])[:, :2]
        steep = abs(outline[index + 1, 1] - outline[index, 1]) / np.hypot(*(outline[index + 1] - outline[index]))
        glazed = 0.5 < steep < 0.95 and outline[index : index + 2, 1].max() > 1.3
        area(image, quad, (70, 84, 98) if glazed else shade(colour, 1.12 - 0.4 * steep))
    cv2.fillPoly(image, [np.asarray(front[:, :2] * UNIT, np.int32)], shade(colour, 0.9), cv2.LINE_AA, SHIFT)
    area(image, at(np.array(GLASS[kind]) * [ahead, 1], near)[:, :2], (48, 58, 70))
    pillar = at(np.array([[-0.35, 1.38], [-0.4, 0.4]]) * [ahead, 1], near)
    cv2.line(image, _pixel(pillar[0]), _pixel(pillar[1]), shade(colour, 0.7), 1, cv2.LINE_AA)
    for x in (-1.3, 1.3):
        hub = at(np.array([[ahead * x, 0.33]]), near)[0]
        disc(image, hub, 0.34 * hub[2], (26, 26, 28))
        disc(image, hub, 0.19 * hub[2], (150, 152, 156))
    nose, tail = at(np.array([[ahead * 2.0, 0.7]]), near)[0], at(np.array([[ahead * -2.0, 0.75]]), near)[0]
    disc(image, nose, 0.09 * nose[2], (250, 246, 220))
    disc(image, tail, 0.08 * tail[2], (190, 30, 30))
