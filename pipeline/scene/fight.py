"""How people fight: blows, recoils, clinches and falls. Fast, irregular and in contact, unlike dance or sport."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.scene.brush import Floats, Rng
from pipeline.scene.motion import LEGS, STAND, Angle, between, mirror, pose, pulse, wander

GUARD: Final = pose(lean=0.18, arm=0.65, elbow=2.1, out=0.3, inward=0.5, hip_l=0.45, hip_r=-0.25, knee=0.4, spread=0.1)
CLINCH: Final = pose(lean=0.5, nod=0.3, arm=1.35, elbow=0.7, out=0.2, inward=0.4, hip_l=0.5, hip_r=-0.4, knee=0.5)
DOWN: Final = pose(tumble=1.5, hip=0.8, knee=1.2, arm=1.2, elbow=2.0, inward=0.6, nod=0.5, spread=0.15)
BLOWS: Final[dict[str, Floats]] = {
    "punch": pose(arm_r=0.95, elbow_r=-1.95, twist=0.7, lean=0.25, inward_r=-0.3, out_r=-0.2, hip_l=0.2),
    "hook": pose(arm_r=0.8, out_r=0.9, elbow_r=-0.9, inward_r=0.9, twist=1.1, roll=0.2, lean=0.1),
    "kick": pose(hip_r=1.9, knee_r=-0.3, lean=-0.45, out=0.5, arm=-0.5, elbow=-0.8),
    "knee": pose(hip_r=1.8, knee_r=1.2, lean=0.1, arm=0.4, elbow=-1.0),
    "shove": pose(arm=0.8, elbow=-1.9, lean=0.4, inward=-0.3, hip_l=0.35, hip_r=-0.3),
    "stomp": pose(hip_r=1.3, knee_r=0.9, lean=0.3, arm=-0.3, out=0.6),
    "duck": pose(hip=0.8, knee=1.1, lean=0.6, arm=0.4),
}
RECOIL: Final = pose(lean=-0.65, nod=-0.6, turn=0.9, roll=0.35, out=0.5, arm=0.3, elbow=-0.7, hip_r=-0.3, knee=0.3)


@dataclass(frozen=True, slots=True)
class Bout:
    """One fighter's part of a fight."""

    share: Floats
    """(F,): 1 while fighting."""
    pose: Floats
    """(F, P)."""
    shift: Floats
    """(F, 2) metres, as (towards the opponent, to the left)."""


def fight(rng: Rng, times: Floats, start: float, end: float, num: int) -> list[Bout]:
    """A fight of `num` people: the first is hit by all the others, and hits back. Fast, irregular, in contact."""
    share = between(times, start, end, 0.25)
    poses = [np.tile(GUARD, (len(times), 1)) for _ in range(num)]
    shifts = [np.zeros((len(times), 2)) for _ in range(num)]
    falls = rng.random() < 0.6 and end - start > 3.5
    down = end - rng.uniform(1.9, 2.6) if falls else end
    for index in range(num):
        rival = 0 if index else int(rng.integers(1, num))
        _blows(
            rng, times, (start + rng.uniform(0, 0.3), down if index == 0 else end, down), index, rival, poses, shifts
        )
    if down - start > 2.5 and rng.random() < 0.7:
        first = rng.uniform(start + 0.6, down - 1.6)
        _clinch(rng, times, first, first + rng.uniform(0.9, 1.8), poses, shifts)
    if falls:
        _fall(rng, times, down, end, poses[0], shifts[0])
    drift = np.stack([wander(rng, times, 0.9, 0.3), wander(rng, times, 0.9, 0.15)], 1)
    bouts = []
    for index in range(num):
        for angle in (*LEGS, Angle.LEAN, Angle.TWIST, Angle.ROLL, Angle.ARM_L, Angle.ARM_R):
            poses[index][:, angle] += wander(rng, times, 3.5, 0.14)
        sign = 1 if index == 0 else -1  # the group drifts as one
        shift = (
            shifts[index] + sign * drift + np.stack([wander(rng, times, 2.5, 0.07), wander(rng, times, 2.5, 0.07)], 1)
        )
        bouts.append(Bout(share, poses[index], share[:, None] * shift))
    return bouts


def _blows(
    rng: Rng,
    times: Floats,
    when: tuple[float, float, float],
    index: int,
    rival: int,
    poses: list[Floats],
    shifts: list[Floats],
) -> None:
    """Adds one fighter's blows, and what they do to the rival, to everybody's poses and shifts."""
    at, end, down = when
    while at < end - 0.2:
        low = at > down + 0.2
        name = str(
            rng.choice(
                ["stomp", "kick", "stomp"]
                if low
                else ["punch", "punch", "hook", "hook", "kick", "knee", "shove", "duck"]
            )
        )
        blow = BLOWS[name] if rng.random() < 0.6 else mirror(BLOWS[name])
        force = rng.uniform(0.75, 1.15)
        poses[index] += np.outer(pulse(times, at + 0.14, 0.14, 0.2) * force, blow)
        shifts[index][:, 0] += pulse(times, at + 0.15, 0.2, 0.35) * force * (0.1 if name == "duck" else 0.24)
        if name != "duck" and not low:
            hit = pulse(times, at + 0.24, 0.1, 0.35) * force
            recoil = RECOIL if rng.random() < 0.5 else mirror(RECOIL)
            poses[rival] += np.outer(hit * rng.uniform(0.4, 1.0), recoil)
            push = 0.5 if name in ("shove", "kick") else 0.2
            shifts[rival][:, 0] -= pulse(times, at + 0.35, 0.22, 0.6) * force * push
        at += float(rng.uniform(0.22, 0.62)) + (0.5 if rng.random() < 0.12 else 0)


def _clinch(rng: Rng, times: Floats, start: float, end: float, poses: list[Floats], shifts: list[Floats]) -> None:
    """The first two grapple: they hold each other and wrestle."""
    share = between(times, start, end, 0.2)
    sway = wander(rng, times, 2.2, 0.22)
    for index, sign in ((0, 1), (1, -1)):
        poses[index] *= 1 - share[:, None]
        poses[index] += share[:, None] * CLINCH
        poses[index][:, Angle.ROLL] += share * wander(rng, times, 2.5, 0.2)
        poses[index][:, Angle.TWIST] += share * wander(rng, times, 2.5, 0.35)
        shifts[index] *= 1 - 0.7 * share[:, None]
        shifts[index][:, 0] += share * (sign * sway + 0.06)


def _fall(rng: Rng, times: Floats, start: float, end: float, made: Floats, shift: Floats) -> None:
    """The first goes down, curls up, is kicked, and gets up as the fight ends."""
    share = np.clip(np.minimum((times - start) / 0.45, (end + 0.7 - times) / 0.8), 0, 1)
    share = share * share * (3 - 2 * share)
    made *= 1 - share[:, None]
    made += share[:, None] * DOWN
    for angle in LEGS:
        made[:, angle] += share * wander(rng, times, 3, 0.35)
    shift *= 1 - 0.6 * share[:, None]
    shift[:, 0] -= 0.45 * share


def turned(shift: Floats, facing: Floats) -> Floats:
    """A shift (F, 2) towards and left of where somebody faces, as (right, away)."""
    cos, sin = np.cos(facing), np.sin(facing)
    return np.stack([shift[:, 0] * cos - shift[:, 1] * sin, shift[:, 0] * sin + shift[:, 1] * cos], 1)


def fought(poses: Floats, bout: Bout) -> Floats:
    """The gait with the fight laid over it; legs keep half of their steps."""
    share = bout.share[:, None]
    mixed = poses * (1 - share) + bout.pose * share
    standing = (1 - np.clip(bout.pose[:, Angle.TUMBLE], 0, 1)) * bout.share
    for leg in LEGS:
        mixed[:, leg] += 0.5 * standing * (poses[:, leg] - STAND[leg])
    mixed[:, Angle.TUMBLE] = np.maximum(poses[:, Angle.TUMBLE], bout.pose[:, Angle.TUMBLE])
    return mixed
