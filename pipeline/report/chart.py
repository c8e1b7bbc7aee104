"""A chart: two axes, and lines, dots and boxes in their quantities."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from markupsafe import Markup

from pipeline.report.svg import Point, drawing, element, path

WIDTH: Final = 380
HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 10, 10, 40

SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Axis:
    """What one side of a chart counts."""

    label: str
    """Its words."""
    ticks: tuple[float, ...] = SHARES
    """Marked values, rising; the first and the last are its ends."""

    def share(self, value: float) -> float:
        """Where a value lies, 0 at the axis' start and 1 at its end; values outside are at the ends."""
        low, high = self.ticks[0], self.ticks[-1]
        return min(1.0, max(0.0, (value - low) / (high - low)))


@dataclass(frozen=True, slots=True)
class Key:
    """What a line or colour of a figure means."""

    style: str
    """Class of the style sheet."""
    words: str
    """What it stands for."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart as it stands on the page."""

    title: str
    """Its heading."""
    svg: Markup
    """The drawing."""
    keys: tuple[Key, ...]
    """Its legend."""
    caption: str
    """How to read it."""


class Chart:
    """Collects what is drawn between two axes."""

    def __init__(self, x: Axis, y: Axis) -> None:
        """Begins with the axes and their grid."""
        self._x, self._y = x, y
        self._parts: list[Element] = [*self._grid()]

    def line(self, points: Iterable[Point], style: str) -> None:
        """A line through points."""
        self._parts.append(element("path", class_=f"line {style}", d=path(self._place(x, y) for x, y in points)))

    def dot(self, x: float, y: float, style: str, radius: float = 4) -> None:
        """A dot."""
        cx, cy = self._place(x, y)
        self._parts.append(element("circle", class_=f"dot {style}", cx=cx, cy=cy, r=radius))

    def box(self, low: Point, high: Point, style: str) -> None:
        """A box between two corners."""
        (left, bottom), (right, top) = self._place(*low), self._place(*high)
        self._parts.append(
            element("rect", class_=f"box {style}", x=left, y=top, width=right - left, height=bottom - top)
        )

    def note(self, x: float, y: float, text: str, style: str = "note", anchor: str = "start") -> None:
        """Words, from a point on."""
        at, base = self._place(x, y)
        self._parts.append(element("text", text=text, class_=style, x=at, y=base, text_anchor=anchor))

    def svg(self, label: str) -> Markup:
        """The finished drawing."""
        return drawing(WIDTH, HEIGHT, label, *self._parts)

    def _place(self, x: float, y: float) -> Point:
        across, up = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
        return _LEFT + across * self._x.share(x), _TOP + up * (1 - self._y.share(y))

    def _grid(self) -> Iterable[Element]:
        left, right, top, bottom = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM
        for tick in self._x.ticks:
            at, _ = self._place(tick, self._y.ticks[0])
            yield element("path", class_="grid", d=path([(at, top), (at, bottom)]))
            yield element("text", text=f"{tick:g}", class_="tick", x=at, y=bottom + 14, text_anchor="middle")
        for tick in self._y.ticks:
            _, at = self._place(self._x.ticks[0], tick)
            yield element("path", class_="grid", d=path([(left, at), (right, at)]))
            yield element("text", text=f"{tick:g}", class_="tick", x=left - 6, y=at + 4, text_anchor="end")
        middle = (left + right) / 2, (top + bottom) / 2
        yield element("text", text=self._x.label, class_="label", x=middle[0], y=HEIGHT - 8, text_anchor="middle")
        turned = f"rotate(-90 12 {middle[1]})"
        yield element(
            "text", text=self._y.label, class_="label", x=12, y=middle[1], text_anchor="middle", transform=turned
        )


def round_ticks(highest: float, count: int = 4) -> tuple[float, ...]:
    """Ticks from 0 to a round number not under `highest`."""
    scale = 10.0 ** math.floor(math.log10(highest / count)) if highest > 0 else 1.0
    step = next(scale * factor for factor in (1, 2, 2.5, 5, 10) if scale * factor * count >= highest)
    return tuple(step * number for number in range(count + 1))
