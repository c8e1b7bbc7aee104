"""Puts a scene on stage: who is where when, and every picture of it."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import scene_draw as draw
from pipeline.scene_motion import Floats, Joint, wander
from pipeline.scene_play import Person, cyclist, edge, meeting, passer_by
from pipeline.scene_street import LAMPS, Colour, Image, Street, street

Rng = np.random.Generator

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
    set_, end = street(rng, width, height), float(times[-1])
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
    dogs = [Dog(owner, draw.shade((170, 126, 84), rng.uniform(0.3, 1.3))) for owner in strollers if rng.random() < 0.25]
    cars = [
        Car(
            float(at), rng.uniform(6, 11), int(rng.integers(2)), int(rng.integers(3)), PAINTS[rng.integers(len(PAINTS))]
        )
        for at in _arrivals(rng, end, rng.uniform(4, 12))
    ]
    trees = [
        (np.array([x + rng.uniform(-0.6, 0.6), 8.9]), draw.foliage(rng)) for x in (-4.2, 4.8) if rng.random() < 0.7
    ]
    _furnish(rng, set_)
    shaken = rng.choice([0.25, 0.6, 1.6])
    shake = np.stack([wander(rng, times, 2.5, shaken), wander(rng, times, 2.5, shaken)], 1)
    grain = rng.normal(0, rng.uniform(1.5, 5), (NUM_GRAINS, height, width, 1)).astype(np.int16)
    figures = [
        Figure(one, set_.camera.project(one.joints), set_.camera.project(draw.flattened(one.joints, set_.sun)))
        for one in people + strollers + riders
    ]
    return Stage(set_, times, figures, cars, dogs, balls, trees, shake, np.repeat(grain, 3, axis=3))


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


def _furnish(rng: Rng, set_: Street) -> None:
    """Paints what never moves into the background: parked cars and lamps."""
    right = -HALF
    while right < HALF:
        if rng.random() < 0.6:
            paint = PAINTS[rng.integers(len(PAINTS))]
            draw.car(set_.background, np.array([right, PARKED]), 1, int(rng.integers(3)), paint, set_.camera)
        right += rng.uniform(5.0, 6.2)
    for x in LAMPS:
        foot, top, arm = (
            set_.camera.project(np.array([x + dx, up, 8.95])) for dx, up in ((0, 0), (0, 4.6), (0.7, 4.7))
        )
        draw.limb(set_.background, foot, top, 0.07 * foot[2], 0.045 * foot[2], (62, 66, 70))
        draw.limb(set_.background, top, arm, 0.04 * foot[2], 0.04 * foot[2], (62, 66, 70))
        draw.disc(set_.background, arm, 0.13 * foot[2], (250, 240, 200))


HALF: Final = 14.0


def picture(staged: Stage, index: int) -> Image:
    """Draws one picture, (H, W, 3) RGB."""
    set_, time = staged.street, float(staged.times[index])
    image = set_.background.copy()
    _shadows(staged, index, image)
    for _, paint in sorted(_cast(staged, index, time, image), key=lambda entry: -entry[0]):
        paint()
    if set_.night:
        image = cv2.add(cv2.multiply(image, set_.light, scale=1 / 255), set_.glow)
    move = np.array([[1, 0, staged.shake[index, 0]], [0, 1, staged.shake[index, 1]]])
    image = cv2.warpAffine(image, move, (image.shape[1], image.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.add(image, staged.grain[index % NUM_GRAINS], dtype=cv2.CV_8U), np.uint8)


def _cast(staged: Stage, index: int, time: float, image: Image):  # type: ignore[no-untyped-def]
    """Everything that moves and is in the picture, as (distance, painter)."""
    camera = staged.street.camera
    for place, leaves in staged.trees:
        yield place[1], lambda place=place, leaves=leaves: draw.tree(image, leaves, place, time, camera)
    for car in staged.cars:
        spot = car.place(time)
        if abs(spot[0]) < edge(spot[1], 1) + 3:
            yield (
                spot[1],
                lambda car=car, spot=spot: draw.car(image, spot, LANES[car.lane][1], car.kind, car.paint, camera),
            )
    for figure in staged.figures:
        spot = figure.person.joints[index, Joint.PELVIS]
        if abs(spot[0]) < edge(spot[2], 1):
            yield spot[2], lambda figure=figure: _person(staged, figure, index, image)
    for dog in staged.dogs:
        spot, ahead = dog.owner.joints[index, Joint.PELVIS], float(np.sign(np.cos(dog.owner.heading[index])) or 1)
        moved = spot[0] * 9
        yield (
            spot[2] - 0.3,
            lambda spot=spot, ahead=ahead, moved=moved, dog=dog: draw.dog(
                image, np.array([spot[0] + 0.9 * ahead, spot[2] - 0.3]), ahead, moved, dog.coat, camera
            ),
        )
    for ball in staged.balls:
        if ball.start_seconds <= time < ball.end_seconds:
            yield ball.path[index, 2] - 0.1, lambda ball=ball: draw.ball(image, ball.path[index], camera)


def _person(staged: Stage, figure: Figure, index: int, image: Image) -> None:
    camera, one = staged.street.camera, figure.person
    if one.rides:
        spot, ahead = one.joints[index, Joint.PELVIS], float(np.cos(one.heading[index]))
        draw.bicycle(image, np.array([spot[0] + 0.15 * ahead, spot[2]]), ahead, spot[0] * 3 * ahead, camera)
    draw.person(image, figure.spots[index], one.look)


def _shadows(staged: Stage, index: int, image: Image) -> None:
    """Darkens the ground under everybody."""
    camera, time = staged.street.camera, float(staged.times[index])
    mask = np.zeros(image.shape[:2], np.uint8)
    for figure in staged.figures:
        spot = figure.person.joints[index, Joint.PELVIS]
        if abs(spot[0]) < edge(spot[2], 1) + 1.5:
            draw.person_shadow(mask, figure.shadow[index], figure.person.look.height)
    for car in staged.cars:
        right, away = car.place(time)
        if abs(right) < edge(away, 1) + 3:
            corners = np.array([[right + x, 0, away + z] for x, z in ((-2.2, -1), (2.2, -1), (2.2, 0.9), (-2.2, 0.9))])
            draw.area(mask, camera.project(corners)[:, :2], (200, 200, 200))
    if mask.any():
        top = int(mask.any(axis=1).argmax())
        part = image[top:]
        dark = cv2.merge([cv2.GaussianBlur(mask[top:], (5, 5), 0)] * 3)
        part[:] = cv2.multiply(part, cv2.bitwise_not(cv2.convertScaleAbs(dark, alpha=0.5)), scale=1 / 255)
