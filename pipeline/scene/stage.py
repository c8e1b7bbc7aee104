"""Puts a scene on stage: who and what is where, and when."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.scene import things
from pipeline.scene.brush import Colour, Floats, Rng, disc, limb, shade
from pipeline.scene.cast import Person, cyclist, edge, meeting, passer_by
from pipeline.scene.motion import Joint, wander
from pipeline.scene.person import flattened
from pipeline.scene.street import LAMPS, Street, street

LANES: Final = ((11.0, 1.0), (13.2, -1.0))
"""Distance of each lane, and the way its cars go: to the right, to the left."""
PARKED: Final = 15.1
"""Distance of the parked cars."""
PAINTS: Final = (
    (170, 40, 40),
    (210, 210, 206),
    (50, 80, 150),
    (44, 46, 52),
    (120, 126, 132),
    (60, 100, 80),
    (196, 160, 70),
)
PLACES: Final = ((0.1, 6.2), (-2.0, 6.7), (2.1, 6.6))
"""Where people meet, as (right, away)."""
NUM_GRAINS: Final = 6
PARK: Final = 14.0
"""Cars park this far to the left and right, in metres."""


@dataclass(frozen=True, slots=True)
class Car:
    """A car that drives through."""

    start_seconds: float
    """When it enters."""
    speed: float
    """Metres a second."""
    lane: int
    kind: int
    paint: Colour

    def place(self, time: float) -> Floats:
        """Where it is, (right, away)."""
        away, ahead = LANES[self.lane]
        return np.array([ahead * (self.speed * (time - self.start_seconds) + edge(away, -1) - 3), away])

    @property
    def seconds(self) -> float:
        """How long it takes from edge to edge."""
        return (2 * edge(LANES[self.lane][0], 1) + 6) / self.speed


@dataclass(frozen=True, slots=True)
class Figure:
    """A person as the camera sees it."""

    person: Person
    spots: Floats
    """(F, J, 3) projected joints: pixels and scale."""
    shadow: Floats
    """(F, J, 3) the same, thrown on the ground."""


@dataclass(frozen=True, slots=True)
class Dog:
    """A dog beside its owner."""

    owner: Person
    coat: Colour


@dataclass(frozen=True, slots=True)
class Ball:
    """A ball that is passed around."""

    path: Floats
    """(F, 3) metres."""
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True)
class Stage:
    """All of a scene that can be seen."""

    street: Street
    times: Floats
    """(F,) seconds of every picture."""
    figures: list[Figure]
    cars: list[Car]
    dogs: list[Dog]
    balls: list[Ball]
    trees: list[tuple[Floats, Floats]]
    """Place and leaves of each."""
    shake: Floats
    """(F, 2) pixels."""
    grain: NDArray[np.int16]
    """A few pictures of noise (N, H, W, 3)."""


Meeting = tuple[str, float, float]
"""What people do together, from when, to when: `fight`, or a key of `PLAYS`."""


def stage(rng: Rng, meetings: list[Meeting], times: Floats, width: int, height: int) -> Stage:
    """Casts a scene: its meetings, and passers-by, traffic and trees as the seed has it."""
    built, end = street(rng, width, height), float(times[-1])
    people, balls, busy = [], [], list[tuple[float, float, int]]()
    for kind, first, last in meetings:
        index = _free_place(rng, busy, first, last)
        busy.append((first, last, index))
        place = np.array(PLACES[index]) + rng.uniform(-0.3, 0.3, 2)
        group = meeting(rng, times, kind, first, last, place)
        people += group
        if kind == "ball":
            balls.append(_ball(rng, times, group, first, last))
    strollers = [passer_by(rng, times, float(at), run=bool(rng.random() < 0.2)) for at in _arrivals(rng, end, 6.5)]
    riders = [cyclist(rng, times, float(at)) for at in _arrivals(rng, end, 22)]
    dogs = [Dog(owner, shade((170, 126, 84), rng.uniform(0.3, 1.3))) for owner in strollers if rng.random() < 0.25]
    cars = [
        Car(
            float(at), rng.uniform(6, 11), int(rng.integers(2)), int(rng.integers(3)), PAINTS[rng.integers(len(PAINTS))]
        )
        for at in _arrivals(rng, end, rng.uniform(4, 12))
    ]
    trees = [
        (np.array([x + rng.uniform(-0.6, 0.6), 8.9]), things.foliage(rng)) for x in (-4.2, 4.8) if rng.random() < 0.7
    ]
    _furnish(rng, built)
    shaken = rng.choice([0.25, 0.6, 1.6])
    shake = np.stack([wander(rng, times, 2.5, shaken), wander(rng, times, 2.5, shaken)], 1)
    grain = rng.normal(0, rng.uniform(1.5, 5), (NUM_GRAINS, height, width, 1)).astype(np.int16)
    figures = [
        Figure(one, built.camera.project(one.joints), built.camera.project(flattened(one.joints, built.sun)))
        for one in people + strollers + riders
    ]
    return Stage(built, times, figures, cars, dogs, balls, trees, shake, np.repeat(grain, 3, axis=3))


def _free_place(rng: Rng, busy: list[tuple[float, float, int]], first: float, last: float) -> int:
    """A place where nobody meets at that time, if there is one."""
    taken = {index for start, end, index in busy if start < last + 4 and first < end + 4}
    free = [index for index in range(len(PLACES)) if index not in taken]
    return int(rng.choice(free or range(len(PLACES))))


def _arrivals(rng: Rng, end: float, gap: float) -> Floats:
    """Times at which things come, `gap` seconds apart on average, the first before the start."""
    at = np.cumsum(rng.exponential(gap, int(end / gap * 2) + 4)) - 6
    return at[at < end]


def _ball(rng: Rng, times: Floats, players: list[Person], start: float, end: float) -> Ball:
    """A ball that goes from foot to foot."""
    feet = [(person.joints[:, Joint.TOE_L] + person.joints[:, Joint.TOE_R]) / 2 for person in players]
    path = np.zeros((len(times), 3))
    at, holder = start, 0
    while at < end:
        receiver = (holder + int(rng.integers(1, len(feet)))) % len(feet)
        flight, hold = rng.uniform(0.45, 0.8), rng.uniform(0.15, 0.6)
        share = np.clip((times - at) / flight, 0, 1)[:, None]
        now = (times >= at)[:, None]
        path = np.where(now, feet[holder] * (1 - share) + feet[receiver] * share, path)
        path[:, 1] = np.where(now[:, 0], rng.uniform(0.1, 0.9) * 4 * share[:, 0] * (1 - share[:, 0]) + 0.13, path[:, 1])
        at, holder = at + flight + hold, receiver
    return Ball(path, start, end)


def _furnish(rng: Rng, built: Street) -> None:
    """Paints what never moves into the background: parked cars and lamps."""
    camera, image = built.camera, built.background
    right = -PARK
    while right < PARK:
        if rng.random() < 0.6:
            paint = PAINTS[rng.integers(len(PAINTS))]
            things.car(image, np.array([right, PARKED]), 1, int(rng.integers(3)), paint, camera)
        right += rng.uniform(5.0, 6.2)
    for x in LAMPS:
        foot, top, arm = camera.spot(x, 0, 8.95), camera.spot(x, 4.6, 8.95), camera.spot(x + 0.7, 4.7, 8.95)
        limb(image, foot, top, 0.07 * foot[2], 0.045 * foot[2], (62, 66, 70))
        limb(image, top, arm, 0.04 * foot[2], 0.04 * foot[2], (62, 66, 70))
        disc(image, arm, 0.13 * foot[2], (250, 240, 200))
