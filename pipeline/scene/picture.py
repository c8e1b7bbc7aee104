"""Draws the pictures of a staged scene, one at a time."""

from collections.abc import Callable, Iterator
from functools import partial

import cv2
import numpy as np

from pipeline.scene import things
from pipeline.scene.brush import Image, area, dimmed
from pipeline.scene.cast import edge
from pipeline.scene.motion import Joint
from pipeline.scene.person import draw_person, draw_shadow
from pipeline.scene.stage import LANES, Dog, Figure, Stage

Layer = tuple[float, Callable[[], None]]
"""How far away something is, and what paints it."""


def picture(stage: Stage, index: int) -> Image:
    """Draws one picture, (H, W, 3) RGB."""
    street = stage.street
    image = street.background.copy()
    _darken(image, _shadows(stage, index))
    for _, paint in sorted(_layers(stage, index, image), key=lambda layer: -layer[0]):
        paint()
    if street.night:
        image = np.asarray(cv2.add(dimmed(image, street.light), street.glow), np.uint8)
    centre = np.array([image.shape[1] - 1, image.shape[0] - 1]) / 2 - stage.shake[index]
    shaken = cv2.getRectSubPix(image, (image.shape[1], image.shape[0]), centre.tolist())
    return np.asarray(cv2.add(shaken, stage.grain[index % len(stage.grain)], dtype=cv2.CV_8U), np.uint8)


def _layers(stage: Stage, index: int, image: Image) -> Iterator[Layer]:
    """Everything that moves and is in the picture."""
    camera, time = stage.street.camera, float(stage.times[index])
    for place, leaves in stage.trees:
        yield place[1], partial(things.tree, image, leaves, place, time, camera)
    for car in stage.cars:
        spot = car.place(time)
        if abs(spot[0]) < edge(spot[1], 1) + 3:
            yield spot[1], partial(things.car, image, spot, LANES[car.lane][1], car.kind, car.paint, camera)
    for figure in stage.figures:
        spot = figure.person.joints[index, Joint.PELVIS]
        if abs(spot[0]) < edge(spot[2], 1):
            yield spot[2], partial(_figure, stage, figure, index, image)
    for dog in stage.dogs:
        yield dog.owner.joints[index, Joint.PELVIS, 2] - 0.3, partial(_dog, stage, dog, index, image)
    for ball in stage.balls:
        if ball.start_seconds <= time < ball.end_seconds:
            yield ball.path[index, 2] - 0.1, partial(things.ball, image, ball.path[index], camera)


def _figure(stage: Stage, figure: Figure, index: int, image: Image) -> None:
    """A person, and the bicycle under a cyclist."""
    person = figure.person
    if person.rides:
        spot, ahead = person.joints[index, Joint.PELVIS], float(np.cos(person.heading[index]))
        pedals = np.array([spot[0] + 0.15 * ahead, spot[2]])
        things.bicycle(image, pedals, ahead, spot[0] * 3 * ahead, stage.street.camera)
    draw_person(image, figure.spots[index], person.look)


def _dog(stage: Stage, dog: Dog, index: int, image: Image) -> None:
    """A dog a step ahead of its owner."""
    right, _, away = dog.owner.joints[index, Joint.PELVIS]
    ahead = 1.0 if np.cos(dog.owner.heading[index]) >= 0 else -1.0
    things.dog(image, np.array([right + 0.9 * ahead, away - 0.3]), ahead, right * 9, dog.coat, stage.street.camera)


def _shadows(stage: Stage, index: int) -> Image:
    """A mask (H, W) of the ground that everybody and every car keeps the light from."""
    camera, time = stage.street.camera, float(stage.times[index])
    mask = np.zeros((camera.height, camera.width), np.uint8)
    for figure in stage.figures:
        spot = figure.person.joints[index, Joint.PELVIS]
        if abs(spot[0]) < edge(spot[2], 1) + 1.5:
            draw_shadow(mask, figure.shadow[index], figure.person.look.height)
    for car in stage.cars:
        right, away = car.place(time)
        corners = np.array([[right + x, 0, away + z] for x, z in ((-2.2, -1), (2.2, -1), (2.2, 0.9), (-2.2, 0.9))])
        area(mask, camera.project(corners)[:, :2], (200, 200, 200))
    return mask


def _darken(image: Image, mask: Image) -> None:
    """Lays soft shadows over the image; only the rows that have any are touched."""
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows):
        part = image[rows[0] : rows[-1] + 1]
        soft = cv2.GaussianBlur(mask[rows[0] : rows[-1] + 1], (5, 5), 0)
        light = cv2.bitwise_not(cv2.convertScaleAbs(soft, alpha=0.5))
        part[:] = dimmed(part, np.asarray(cv2.merge([light] * 3), np.uint8))
