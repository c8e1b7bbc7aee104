"""The people of a scene: who walks by, who meets whom, and what they do together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.scene import gesture
from pipeline.scene.brush import Floats, Rng
from pipeline.scene.fight import fight, fought, turned
from pipeline.scene.motion import Angle, between, gait, joints, pose, smooth, wander
from pipeline.scene.person import Look, look

RIDE: Final = pose(lean=0.55, arm=1.05, elbow=0.25, nod=-0.35, hip=1.05, knee=1.15, jump=0.2)


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
    "talk": Play(gesture.talk, (0.45, 0.7), (2, 3)),
    "wave": Play(gesture.wave, (0.7, 1.4), (2, 3), brief=True),
    "hug": Play(gesture.hug, (0.2, 0.24), (2, 2), brief=True),
    "handshake": Play(gesture.handshake, (0.42, 0.46), (2, 2), brief=True),
    "clap": Play(gesture.clap, (0.7, 1.0), (2, 4)),
    "dance": Play(gesture.dance, (0.6, 1.0), (2, 4)),
    "exercise": Play(gesture.exercise, (0.8, 1.1), (2, 3)),
    "ball": Play(gesture.talk, (1.3, 1.7), (2, 3)),
    "chase": Play(gesture.talk, (1.0, 1.4), (2, 3)),
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
            path = path + turned(bout.shift, facing)
        poses = gait(path, step, dressed.height)
        poses = fought(poses, bout) if bout else _gestured(rng, times, poses, kind, start, end)
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
    layers = [(gesture.talk(rng, times), start - 0.2, end + 0.5)]
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
