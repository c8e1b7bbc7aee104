"""What the people of a drawn scene do: walk by, talk, hug, dance, play ball, and fight."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.scene_draw import Look, look
from pipeline.scene_motion import (
    BLOWS,
    CLINCH,
    DOWN,
    GUARD,
    LEGS,
    RECOIL,
    RIDE,
    STAND,
    Angle,
    Floats,
    between,
    gait,
    joints,
    mirror,
    pose,
    pulse,
    smooth,
    wander,
)

Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, over the whole scene."""

    look: Look
    joints: Floats
    """(F, J, 3) metres, as (right, up, away)."""
    heading: Floats
    """(F,) radians."""
    rides: bool = False
    """On a bicycle."""


def follow(rng: Rng, times: Floats, stops: list[tuple[float, float, float]]) -> Floats:
    """The path (F, 2) through `stops` (time, right, away), corners rounded, never quite straight."""
    at, right, away = (np.array(part) for part in zip(*stops, strict=True))
    path = np.stack([np.interp(times, at, right), np.interp(times, at, away)], 1)
    path[:, 1] += wander(rng, times, 0.15, 0.08)
    return smooth(path, 9)


def headings(path: Floats, step_seconds: float, facing: Floats) -> Floats:
    """Where people look (F,): along the path while they walk, at `facing` (F,) while they stand."""
    moved = smooth(np.gradient(path, axis=0) / step_seconds, 5)
    speed = np.linalg.norm(moved, axis=1)
    walking = np.clip((speed - 0.3) / 0.4, 0, 1)[:, None]
    ahead = moved / np.maximum(speed, 1e-6)[:, None]
    look_at = np.stack([np.cos(facing), np.sin(facing)], 1)
    aim = smooth(walking * ahead + (1 - walking) * look_at, 5)
    return np.arctan2(aim[:, 1], aim[:, 0])


def edge(away: float, side: float) -> float:
    """Just out of the picture, to the right (1) or left (-1), at this distance."""
    return side * (0.66 * away + 1.0)


def passer_by(rng: Rng, times: Floats, start: float, *, run: bool = False) -> Person:
    """Somebody who walks or runs through the picture, and may stop for a while."""
    side = float(rng.choice([-1, 1]))
    away = float(rng.choice([rng.uniform(5.3, 5.7), rng.uniform(7.7, 8.5)]))
    pace = rng.uniform(2.8, 3.8) if run else rng.uniform(0.95, 1.7)
    across = 2 * abs(edge(away, 1)) / pace
    stops = [(start, edge(away, -side), away)]
    pause = 0.0
    if not run and rng.random() < 0.35:
        pause, share = rng.uniform(2, 4), rng.uniform(0.3, 0.7)
        middle = (start + across * share, edge(away, -side) * (1 - 2 * share), away)
        stops += [middle, (middle[0] + pause, *middle[1:])]
    stops.append((start + across + pause, edge(away, side), away))
    step = float(times[1] - times[0])
    path, dressed = follow(rng, times, stops), look(rng)
    facing = np.full(len(times), rng.uniform(0, 2 * np.pi))
    poses = gait(path, step, dressed.height)
    if not run and rng.random() < 0.25:
        poses[:, [Angle.ARM_R, Angle.ELBOW_R, Angle.NOD]] = [0.6, 1.9, 0.45]  # looks at a telephone
    heading = headings(path, step, facing)
    return Person(dressed, joints(poses, path, heading, dressed.height), heading)


def cyclist(rng: Rng, times: Floats, start: float) -> Person:
    """Somebody who rides by on the road."""
    side, dressed = float(rng.choice([-1, 1])), look(rng)
    pace, away = rng.uniform(3.5, 5.5), 9.7
    right = side * (pace * (times - start) - abs(edge(away, 1)))
    turn = 1.1 * 2 * np.pi * times
    poses = np.tile(RIDE, (len(times), 1))
    for leg, angle in ((0, turn), (1, turn + np.pi)):
        poses[:, Angle.HIP_L + leg] += 0.4 * np.sin(angle)
        poses[:, Angle.KNEE_L + leg] += 0.45 * np.sin(angle + 0.9)
    path = np.stack([right, np.full(len(times), away)], 1)
    heading = np.full(len(times), 0.0 if side > 0 else np.pi)
    return Person(dressed, joints(poses, path, heading, dressed.height), heading, rides=True)


def talk(rng: Rng, times: Floats) -> Floats:
    """Speaks with the hands, now one, now the other."""
    made = np.tile(STAND, (len(times), 1))
    for side in (0, 1):
        lively = np.clip(wander(rng, times, 0.5, 1.0), 0, 1)
        made[:, Angle.ARM_L + side] += lively * (0.45 + wander(rng, times, 2, 0.2))
        made[:, Angle.ELBOW_L + side] += lively * (1.1 + wander(rng, times, 2.5, 0.35))
        made[:, Angle.IN_L + side] += 0.3 * lively
    made[:, Angle.NOD] = wander(rng, times, 1.5, 0.12)
    made[:, Angle.TURN] = wander(rng, times, 0.7, 0.25)
    made[:, Angle.ROLL] = wander(rng, times, 0.4, 0.03)
    made[:, Angle.HIP_L] += 0.08
    return made


def wave(rng: Rng, times: Floats) -> Floats:
    """Waves an arm overhead."""
    made = talk(rng, times)
    made[:, Angle.ARM_R], made[:, Angle.OUT_R] = 2.5, 0.35
    made[:, Angle.ELBOW_R] = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(1.4, 2.2) * times)
    return made


def hug(rng: Rng, times: Floats) -> Floats:
    """Holds the other in both arms, and sways a little."""
    made = np.tile(pose(arm=1.25, elbow=0.9, out=0.35, **{"in": 0.95}, lean=0.1, nod=0.3), (len(times), 1))
    made[:, Angle.ROLL] = 0.06 * np.sin(2 * np.pi * 0.5 * times)
    made[:, Angle.ELBOW_R] += 0.15 * np.sin(2 * np.pi * rng.uniform(1.5, 2.5) * times)
    return made


def handshake(rng: Rng, times: Floats) -> Floats:
    """Shakes the other's right hand."""
    made = np.tile(pose(arm_r=0.75, elbow_r=0.55, in_r=0.25, elbow_l=0.2, out_l=0.1, lean=0.12), (len(times), 1))
    made[:, Angle.ELBOW_R] += 0.18 * np.sin(2 * np.pi * rng.uniform(2, 3) * times)
    return made


def clap(rng: Rng, times: Floats) -> Floats:
    """Applauds."""
    made = np.tile(pose(arm=0.7, elbow=1.3, **{"in": 0.3}), (len(times), 1))
    beat = np.sin(2 * np.pi * rng.uniform(2.2, 3.2) * times)
    made[:, [Angle.IN_L, Angle.IN_R]] += 0.35 * beat[:, None]
    return made


def dance(rng: Rng, times: Floats) -> Floats:
    """Dances to a beat: wide and fast, but regular."""
    beat = 2 * np.pi * rng.uniform(0.9, 1.25) * times
    made = np.tile(STAND, (len(times), 1))
    made[:, Angle.ARM_L] = 1.4 + 1.1 * np.sin(beat)
    made[:, Angle.ARM_R] = 1.4 + 1.1 * np.sin(beat + rng.choice([0, np.pi]))
    made[:, [Angle.OUT_L, Angle.OUT_R]] = 0.5 + 0.4 * np.cos(beat)[:, None]
    made[:, [Angle.ELBOW_L, Angle.ELBOW_R]] = 0.9 + 0.5 * np.sin(2 * beat)[:, None]
    for side, shift in ((0, 0), (1, np.pi)):
        made[:, Angle.HIP_L + side] = 0.25 + 0.4 * np.maximum(0, np.sin(beat + shift))
        made[:, Angle.KNEE_L + side] = 0.4 + 0.6 * np.maximum(0, np.sin(beat + shift))
    made[:, Angle.TWIST], made[:, Angle.ROLL] = 0.5 * np.sin(beat), 0.15 * np.sin(beat + 0.5)
    return made


def exercise(rng: Rng, times: Floats) -> Floats:
    """Jumping jacks."""
    open_ = 0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(0.9, 1.2) * times)
    made = np.tile(STAND, (len(times), 1))
    made[:, [Angle.OUT_L, Angle.OUT_R]] = 0.1 + 2.6 * open_[:, None]
    made[:, [Angle.SPREAD_L, Angle.SPREAD_R]] = 0.05 + 0.4 * open_[:, None]
    made[:, Angle.JUMP] = 0.6 * open_ * (1 - open_)
    return made


@dataclass(frozen=True, slots=True)
class Play:
    """One thing people do together."""

    gesture: Callable[[Rng, Floats], Floats]
    reach: tuple[float, float]
    """Distance from the middle of the group, in metres."""
    people: tuple[int, int]
    """Fewest and most of them."""
    brief: bool = False
    """Done once, between talk, and not all the time."""


PLAYS: Final[dict[str, Play]] = {
    "talk": Play(talk, (0.45, 0.7), (2, 3)),
    "wave": Play(wave, (0.7, 1.4), (2, 3), brief=True),
    "hug": Play(hug, (0.2, 0.24), (2, 2), brief=True),
    "handshake": Play(handshake, (0.42, 0.46), (2, 2), brief=True),
    "clap": Play(clap, (0.7, 1.0), (2, 4)),
    "dance": Play(dance, (0.6, 1.0), (2, 4)),
    "exercise": Play(exercise, (0.8, 1.1), (2, 3)),
    "ball": Play(talk, (1.3, 1.7), (2, 3)),
    "chase": Play(talk, (1.0, 1.4), (2, 3)),
}
"""What is ordinary, though some of it is fast and close."""


def meeting(rng: Rng, times: Floats, kind: str, start: float, end: float, place: Floats) -> list[Person]:
    """People who come, do something together around `place` (right, away) from `start` to `end`, and go."""
    play = PLAYS.get(kind)
    num = int(rng.integers(play.people[0], play.people[1] + 1)) if play else int(rng.choice([2, 2, 2, 3, 3, 4]))
    reach = rng.uniform(*play.reach) if play else rng.uniform(0.36, 0.5)
    turn = rng.uniform(-0.5, 0.5) + (np.pi if rng.random() < 0.5 else 0)
    angles = turn + np.arange(num) * 2 * np.pi / num
    spots = place + reach * np.stack([np.cos(angles), np.sin(angles)], 1)
    bouts = fight(rng, times, start, end, num) if not play else [None] * num
    people = []
    for spot, angle, bout in zip(spots, angles, bouts, strict=True):
        dressed = look(rng, child=kind in ("ball", "chase") and bool(rng.random() < 0.7))
        path, facing = _visit(rng, times, start, end, spot), np.full(len(times), angle + np.pi)
        step = float(times[1] - times[0])
        if kind in ("ball", "chase"):
            path = path + _running(rng, times, kind, start, end, angle, reach)
        heading = headings(path, step, facing)
        if bout is not None:
            path = path + _turned(bout.shift, facing)
        poses = gait(path, step, dressed.height)
        poses = _fought(poses, bout) if bout else _gestured(rng, times, poses, kind, start, end)
        people.append(Person(dressed, joints(poses, path, heading, dressed.height), heading))
    return people


def _visit(rng: Rng, times: Floats, start: float, end: float, spot: Floats) -> Floats:
    """Comes from one side, stays at `spot`, leaves to one side."""
    pace, later = rng.uniform(1.2, 1.7), rng.uniform(0.4, 1.2)
    come, go = (edge(spot[1], float(rng.choice([-1, 1]))) for _ in range(2))
    lane = spot[1] + rng.uniform(-0.6, 0.6)
    arrive = start - abs(come - spot[0]) / pace - 0.3
    leave = end + later + abs(go - spot[0]) / pace
    return follow(rng, times, [(arrive, come, lane), (start - 0.3, *spot), (end + later, *spot), (leave, go, lane)])


def _running(rng: Rng, times: Floats, kind: str, start: float, end: float, angle: float, reach: float) -> Floats:
    """How children run about their places (F, 2)."""
    share = between(times, start, end, 1.0)[:, None]
    if kind == "chase":
        round_ = angle + rng.uniform(1.2, 1.7) * np.cumsum(share[:, 0]) * (times[1] - times[0])
        away = reach * np.stack([1.5 * np.cos(round_) - np.cos(angle), np.sin(round_) - np.sin(angle)], 1)
        return share * away
    return share * np.stack([wander(rng, times, 0.8, 0.7), wander(rng, times, 0.8, 0.4)], 1)


def _gestured(rng: Rng, times: Floats, poses: Floats, kind: str, start: float, end: float) -> Floats:
    """The gait, with talk and the gesture of this kind of meeting laid over it."""
    play = PLAYS[kind]
    layers = [(talk(rng, times), start - 0.2, end + 0.5)]
    if play.brief:
        middle, half = (start + end) / 2, min(1.4, (end - start) / 2)
        layers.append((play.gesture(rng, times), middle - half, middle + half))
    elif kind not in ("ball", "chase"):
        layers.append((play.gesture(rng, times), start, end))
    else:
        layers = []
    for layer, first, last in layers:
        share = between(times, first, last)[:, None]
        poses = poses * (1 - share) + layer * share
    return poses


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


def _turned(shift: Floats, facing: Floats) -> Floats:
    """A shift (F, 2) towards and left of where somebody faces, as (right, away)."""
    cos, sin = np.cos(facing), np.sin(facing)
    return np.stack([shift[:, 0] * cos - shift[:, 1] * sin, shift[:, 0] * sin + shift[:, 1] * cos], 1)


def _fought(poses: Floats, bout: Bout) -> Floats:
    """The gait with the fight laid over it; legs keep half of their steps."""
    share = bout.share[:, None]
    mixed = poses * (1 - share) + bout.pose * share
    standing = (1 - np.clip(bout.pose[:, Angle.TUMBLE], 0, 1)) * bout.share
    for leg in LEGS:
        mixed[:, leg] += 0.5 * standing * (poses[:, leg] - STAND[leg])
    mixed[:, Angle.TUMBLE] = np.maximum(poses[:, Angle.TUMBLE], bout.pose[:, Angle.TUMBLE])
    return mixed
