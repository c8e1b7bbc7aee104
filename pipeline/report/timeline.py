"""The timeline of a file: score, threshold, truth, events, and which modality carried each window."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from xml.etree.ElementTree import Element

from markupsafe import Markup

from models.spec import MODALITIES
from pipeline.labels import Interval
from pipeline.report.judged import JudgedFile
from pipeline.report.svg import boxes, drawing, element
from pipeline.scored import ScoredFile, ScoredWindow

_WIDTH: Final = 600
_HEIGHT: Final = 66
_TOP: Final = 7
"""Of the scores; truth has a strip above them."""
_BOTTOM: Final = 57
"""Of the scores; events lie below."""
_MOST_BARS: Final = 600
LONG_SECONDS: Final = 60
"""A longer file has a timeline as wide as the page."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A file as it stands on the page."""

    name: str
    """The path, as the labels file has it."""
    judged: JudgedFile
    """Its stretches."""
    svg: Markup
    """The drawing."""

    @property
    def is_long(self) -> bool:
        """Whether it needs the page's width."""
        return self.judged.file.duration_seconds > LONG_SECONDS


def timeline(judged: JudgedFile, name: str, threshold: float) -> Timeline:
    """Draws the timeline of a file."""
    file = judged.file
    scale = _WIDTH / max(file.duration_seconds, 0.1)
    parts = [*_truth(file, scale), *_bars(file, scale), *_events(file, scale)]
    high = _BOTTOM - (_BOTTOM - _TOP) * threshold
    parts.append(element("path", class_="threshold", d=f"M0 {high:.1f}h{_WIDTH}"))
    return Timeline(name, judged, drawing(_WIDTH, _HEIGHT, _label(judged), *parts, stretches=True))


def _truth(file: ScoredFile, scale: float) -> Iterator[Element]:
    """Anomalies shaded, with a strip that no bar hides; grey what no row covers: it counts for nothing."""
    truth = file.truth
    unlabelled = _gaps([*truth.anomaly, *truth.normal], file.duration_seconds)
    yield from _stretches(truth.anomaly, scale, "truth", (0, _BOTTOM))
    yield from _stretches(truth.anomaly, scale, "anomaly", (0, _TOP - 2))
    yield from _stretches(unlabelled, scale, "unlabelled", (0, _BOTTOM))


def _events(file: ScoredFile, scale: float) -> Iterator[Element]:
    yield from _stretches([event.interval for event in file.events], scale, "event", (_BOTTOM + 3, _HEIGHT))


def _stretches(
    intervals: Sequence[Interval], scale: float, style: str, height: tuple[float, float]
) -> Iterator[Element]:
    if intervals:
        top, bottom = height
        places = [(start * scale, top, (end - start) * scale, bottom - top) for start, end in intervals]
        yield element("path", class_=style, d=boxes(places))


def _bars(file: ScoredFile, scale: float) -> Iterator[Element]:
    """A bar a window, in the colour of what carried it, half a stride to both sides of its centre."""
    windows = _highest(file.windows)
    places: dict[str, list[tuple[float, float, float, float]]] = {}
    edges = _edges(windows, file.duration_seconds)
    for window, (start, end) in zip(windows, edges, strict=True):
        height = max(0.6, (_BOTTOM - _TOP) * window.score)
        place = (start * scale, _BOTTOM - height, (end - start) * scale, height)
        places.setdefault(window.carrier or "nothing", []).append(place)
    for carrier, found in places.items():
        yield element("path", class_=f"bar {carrier}", d=boxes(found))


def _highest(windows: Sequence[ScoredWindow]) -> list[ScoredWindow]:
    """Of a long file, the highest of every few windows."""
    size = math.ceil(len(windows) / _MOST_BARS)
    groups = groupby(enumerate(windows), key=lambda numbered: numbered[0] // size)
    return [max((window for _, window in group), key=lambda window: window.score) for _, group in groups]


def _edges(windows: Sequence[ScoredWindow], duration_seconds: float) -> list[Interval]:
    """Each window's own stretch: to half-way to the next centre, or as far as its own end."""
    centres = [(window.start_seconds + window.end_seconds) / 2 for window in windows]
    between = [
        min((left + right) / 2, window.end_seconds)
        for left, right, window in zip(centres, centres[1:], windows, strict=False)
    ]
    starts = [max(edge, window.start_seconds) for edge, window in zip(between, windows[1:], strict=True)]
    return list(zip([0.0, *starts], [*between, duration_seconds], strict=True))


def _gaps(known: Sequence[Interval], duration_seconds: float) -> list[Interval]:
    ordered = sorted(known)
    starts = [0.0, *(end for _, end in ordered)]
    ends = [*(start for start, _ in ordered), duration_seconds]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if end - start > 0.05]


def _label(judged: JudgedFile) -> str:
    """The drawing in words."""
    file = judged.file
    peak = max(file.windows, key=lambda window: window.score)
    carried = f", carried by {peak.carrier}" if peak.carrier in MODALITIES else ""
    truths = ", ".join(f"{start:.0f} to {end:.0f} s" for start, end in file.truth.anomaly) or "none"
    found = ", ".join(f"{event.interval[0]:.0f} to {event.interval[1]:.0f} s" for event in file.events) or "none"
    highest = f"highest score {peak.score:.2f} at {peak.start_seconds:.0f} s{carried}"
    return f"{file.duration_seconds:.0f} s; {highest}; anomalies: {truths}; events: {found}"
