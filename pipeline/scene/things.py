"""Draws the things of a scene: balls, bicycles, dogs, trees and cars."""

from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from pipeline.scene.brush import SHIFT, UNIT, Colour, Floats, Image, area, disc, limb, pixel, shade
from pipeline.scene.street import Camera


def ball(image: Image, spot: Floats, camera: Camera) -> None:
    """A football at `spot` (metres)."""
    at = camera.project(spot)
    disc(image, at, 0.13 * at[2], (236, 234, 228))
    disc(image, at - [0.03 * at[2], 0.0, 0], 0.05 * at[2], (60, 60, 66))


def bicycle(image: Image, spot: Floats, ahead: float, turn: float, camera: Camera) -> None:
    """A bicycle whose pedals are at `spot` (right, away), heading right or left."""

    def at(right: float, up: float) -> Floats:
        return camera.project(np.array([spot[0] + ahead * right, up, spot[1]]))

    scale = float(at(0, 0.34)[2])
    wheels = [at(-0.5, 0.34), at(0.55, 0.34)]
    thick = max(1, round(0.03 * scale))
    for hub in wheels:
        cv2.circle(image, pixel(hub), round(0.33 * scale), (30, 30, 32), thick, cv2.LINE_AA)
        for spoke in np.arange(3) * np.pi / 3 + turn:
            arm = np.array([np.cos(spoke), np.sin(spoke)]) * 0.31 * scale
            cv2.line(image, pixel(hub[:2] - arm), pixel(hub[:2] + arm), (120, 120, 124), 1, cv2.LINE_AA)
    frame = [at(-0.5, 0.34), at(-0.15, 0.85), at(0.42, 0.85), at(0.0, 0.3), at(-0.15, 0.85)]
    for start, end in [*pairwise(frame), (at(0.42, 0.98), at(0.55, 0.34)), (frame[0], frame[3])]:
        cv2.line(image, pixel(start), pixel(end), (178, 44, 40), thick, cv2.LINE_AA)


def dog(image: Image, spot: Floats, ahead: float, phase: float, coat: Colour, camera: Camera) -> None:
    """A trotting dog at `spot` (right, away)."""
    bounce = 0.02 * np.sin(2 * phase)

    def at(right: float, up: float) -> Floats:
        return camera.project(np.array([spot[0] + ahead * right, up, spot[1]]))

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


def tree(image: Image, leaves: Floats, spot: Floats, time: float, camera: Camera) -> None:
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
    cv2.line(image, pixel(pillar[0]), pixel(pillar[1]), shade(colour, 0.7), 1, cv2.LINE_AA)
    for x in (-1.3, 1.3):
        hub = at(np.array([[ahead * x, 0.33]]), near)[0]
        disc(image, hub, 0.34 * hub[2], (26, 26, 28))
        disc(image, hub, 0.19 * hub[2], (150, 152, 156))
    nose, tail = at(np.array([[ahead * 2.0, 0.7]]), near)[0], at(np.array([[ahead * -2.0, 0.75]]), near)[0]
    disc(image, nose, 0.09 * nose[2], (250, 246, 220))
    disc(image, tail, 0.08 * tail[2], (190, 30, 30))
