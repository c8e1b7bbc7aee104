"""How the drawn people move: joint angles over time, and the joints in space that they make."""

from enum import IntEnum
from typing import Final

import numpy as np

from pipeline.scene.brush import Floats


class Angle(IntEnum):
    """The P angles of a pose, in radians (`JUMP` in metres). Zero everywhere is standing with hanging arms."""

    LEAN, ROLL, TWIST, NOD, TURN = range(5)
    HIP_L, HIP_R, KNEE_L, KNEE_R, SPREAD_L, SPREAD_R = range(5, 11)
    ARM_L, ARM_R, OUT_L, OUT_R, ELBOW_L, ELBOW_R, INWARD_L, INWARD_R = range(11, 19)
    TUMBLE, JUMP = range(19, 21)


class Joint(IntEnum):
    """The J joints of a person, in the order of `joints`."""

    PELVIS, CHEST, NECK, HEAD = range(4)
    SHOULDER_L, ELBOW_L, HAND_L, SHOULDER_R, ELBOW_R, HAND_R = range(4, 10)
    HIP_L, KNEE_L, ANKLE_L, TOE_L, HIP_R, KNEE_R, ANKLE_R, TOE_R = range(10, 18)


LEGS: Final = (Angle.HIP_L, Angle.HIP_R, Angle.KNEE_L, Angle.KNEE_R)
THIGH, SHIN, FOOT, SPINE, UPPER_ARM, FOREARM = 0.43, 0.42, 0.2, 0.5, 0.29, 0.27
HIP_WIDTH, SHOULDER_WIDTH, ANKLE = 0.1, 0.19, 0.07
"""Lengths in metres, of a person of 1.75 m."""


def pose(**angles: float) -> Floats:
    """A pose (P,) from the angles named; `arm=1` means both arms, `arm_l=1` the left one."""
    made = np.zeros(len(Angle))
    for name, value in angles.items():
        for side in [name] if name.upper() in Angle.__members__ else [f"{name}_l", f"{name}_r"]:
            made[Angle[side.upper()]] = value
    return made


def mirror(made: Floats) -> Floats:
    """The same pose (..., P) with left and right exchanged."""
    order = [Angle[_other_side(angle.name)] for angle in Angle]
    flipped = made[..., order].copy()
    flipped[..., [Angle.ROLL, Angle.TWIST, Angle.TURN]] *= -1
    return flipped


def _other_side(name: str) -> str:
    return name[:-1] + {"L": "R", "R": "L"}[name[-1]] if name[-2:] in ("_L", "_R") else name


STAND: Final = pose(arm=0.05, elbow=0.2, out=0.1, spread=0.05)


def wander(rng: np.random.Generator, times: Floats, hertz: float, size: float) -> Floats:
    """Smooth random movement (F,) around zero, of about `size`, changing `hertz` times a second."""
    knots = np.arange(times[0] - 1 / hertz, times[-1] + 2 / hertz, 1 / hertz)
    values = rng.normal(0, size, len(knots))
    place = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
    share = (times - knots[place]) * hertz
    share = share * share * (3 - 2 * share)
    return values[place] * (1 - share) + values[place + 1] * share


def pulse(times: Floats, at: float, attack: float, decay: float) -> Floats:
    """A bump (F,) that rises to 1 in `attack` seconds before `at` and falls in `decay` seconds after it."""
    share = np.where(times < at, (times - at) / attack, (times - at) / decay)
    return np.where(np.abs(share) < 1, np.cos(share * np.pi / 2) ** 2, 0.0)


def between(times: Floats, start: float, end: float, fade: float = 0.35) -> Floats:
    """1 from `start` to `end`, with soft edges of `fade` seconds outside them (F,)."""
    share = np.clip(np.minimum(times - start + fade, end + fade - times) / fade, 0, 1)
    return share * share * (3 - 2 * share)


def gait(path: Floats, step_seconds: float, height: float) -> Floats:
    """Poses (F, P) of somebody who follows `path` (F, 2, metres) on foot: stands, walks or runs by the speed of it."""
    moved = np.linalg.norm(np.diff(path, axis=0, prepend=path[:1]), axis=1)
    speed = smooth(moved / step_seconds, 5) / height
    swing = np.clip(0.55 * speed / 1.4, 0, 0.5) + np.clip((speed - 1.7) * 0.16, 0, 0.4)
    phase = np.cumsum(moved / height / (3.4 * np.sin(np.maximum(swing, 0.18)))) * 2 * np.pi
    hurry = np.clip((speed - 1.7) / 1.5, 0, 1)
    made = np.tile(STAND, (len(path), 1))
    for side, angle in ((0, phase), (1, phase + np.pi)):
        made[:, Angle.HIP_L + side] = swing * np.sin(angle) + 0.1 * hurry
        made[:, Angle.KNEE_L + side] = 0.06 + (1.9 + hurry) * swing * np.maximum(0, np.cos(angle + 0.25))
        made[:, Angle.ARM_L + side] -= 0.85 * swing * np.sin(angle)
        made[:, Angle.ELBOW_L + side] += 0.5 * swing + 1.2 * hurry
    made[:, Angle.LEAN] = 0.08 * swing + 0.2 * hurry
    made[:, Angle.TWIST] = -0.25 * swing * np.sin(phase)
    made[:, Angle.JUMP] = 0.08 * hurry * np.abs(np.cos(phase))
    return made


def smooth(values: Floats, num: int) -> Floats:
    """The running mean over `num` frames of (F,) or (F, n), ends repeated."""
    if values.ndim > 1:
        return np.stack([smooth(column, num) for column in values.T], axis=1)
    padded = np.pad(values, (num // 2, num - 1 - num // 2), mode="edge")
    return np.convolve(padded, np.full(num, 1 / num), mode="valid")


def joints(poses: Floats, path: Floats, yaw: Floats, height: float) -> Floats:
    """Where the joints are: (F, J, 3) metres as (right, up, away), from poses (F, P), places (F, 2) and headings (F,).

    Args:
        poses: Angles over time.
        path: Where on the ground, as (right, away).
        yaw: Heading in radians; 0 faces right, a quarter turn faces away.
        height: Size; 1 is a person of 1.75 m.
    """
    body = _body(poses)  # (F, J, 3) as (forward, left, up), pelvis at the origin
    body = _tumble(body, poses[:, Angle.TUMBLE])
    body[..., 2] += poses[:, Angle.JUMP, None] + ANKLE - body[..., 2].min(axis=1, keepdims=True)
    body *= height
    cos, sin = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    right = path[:, :1] + body[..., 0] * cos - body[..., 1] * sin
    away = path[:, 1:] + body[..., 0] * sin + body[..., 1] * cos
    return np.stack([right, body[..., 2], away], axis=-1)


def _body(poses: Floats) -> Floats:
    """Joints (F, J, 3) as (forward, left, up) around the pelvis."""
    angle = poses.T
    body = np.zeros((len(poses), len(Joint), 3))
    lean, roll, twist = angle[Angle.LEAN], angle[Angle.ROLL], angle[Angle.TWIST]
    spine = _direction(lean, roll, up=True)
    body[:, Joint.CHEST] = SPINE * spine
    body[:, Joint.NECK] = (SPINE + 0.09) * spine
    body[:, Joint.HEAD] = body[:, Joint.NECK] + 0.16 * _direction(lean + angle[Angle.NOD], roll, up=True)
    across = np.stack([-np.sin(twist), np.cos(twist), np.sin(roll)], axis=1)
    for side, sign in ((0, 1.0), (1, -1.0)):
        arm, out = angle[Angle.ARM_L + side], angle[Angle.OUT_L + side]
        bend, turn = angle[Angle.ELBOW_L + side], angle[Angle.INWARD_L + side]
        shoulder = Joint.SHOULDER_L + 3 * side
        body[:, shoulder] = body[:, Joint.CHEST] + sign * SHOULDER_WIDTH * across
        upper = _twisted(_direction(arm, sign * out), twist)
        fore = _twisted(_direction(arm + bend, sign * (out - turn)), twist)
        body[:, shoulder + 1] = body[:, shoulder] + UPPER_ARM * upper
        body[:, shoulder + 2] = body[:, shoulder + 1] + FOREARM * fore
        hip, knee, spread = angle[Angle.HIP_L + side], angle[Angle.KNEE_L + side], angle[Angle.SPREAD_L + side]
        first = Joint.HIP_L + 4 * side
        body[:, first, 1] = sign * HIP_WIDTH
        body[:, first + 1] = body[:, first] + THIGH * _direction(hip, sign * spread)
        body[:, first + 2] = body[:, first + 1] + SHIN * _direction(hip - knee, sign * spread)
        body[:, first + 3] = body[:, first + 2] + FOOT * _direction(np.pi / 2 - 0.25 + 0.6 * (hip - knee), sign * 0.1)
    return body


def _direction(pitch: Floats, sideways: Floats | float, *, up: bool = False) -> Floats:
    """Unit vectors (F, 3) as (forward, left, up): hanging down, or standing up, then tilted."""
    sign = 1.0 if up else -1.0
    cos = np.cos(sideways)
    return np.stack([np.sin(pitch) * cos, np.sin(sideways) + 0 * pitch, sign * np.cos(pitch) * cos], axis=1)


def _twisted(vector: Floats, twist: Floats) -> Floats:
    """Vectors (F, 3) turned about the upright axis with the shoulders."""
    cos, sin = np.cos(twist), np.sin(twist)
    return np.stack([vector[:, 0] * cos - vector[:, 1] * sin, vector[:, 0] * sin + vector[:, 1] * cos, vector[:, 2]], 1)


def _tumble(body: Floats, angle: Floats) -> Floats:
    """The body (F, J, 3) falling over backwards (positive) or forwards by `angle`."""
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    forward, up = body[..., 0] * cos - body[..., 2] * sin, body[..., 0] * sin + body[..., 2] * cos
    return np.stack([forward, body[..., 1], up], axis=-1)
