"""Pictures, sounds and scores drawn with characters."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style

from models.spec import NORMAL, Spec
from pipeline.demo.state import NUM_WINDOWS, DemoState
from pipeline.score import Scores

SAMPLE_RATE: Final = Spec().sample_rate
BLOCKS: Final = " ▁▂▃▄▅▆▇█"
CALM, ALARM, QUIET, ACCENT = "#4fbf67", "#f0524f", "grey50", "#5fafd7"
COLOURS: Final = {
    "fight": "#f0524f",
    "gun_shot": "#ff8f40",
    "glass_break": "#5fd7d7",
    "siren": "#d78fff",
    "threat": "#ffd75f",
}
"""Of every label; others take the alarm's."""
WIDE_CELLS: Final = 32 / 9
"""Columns to a row in a 16:9 picture: a character is twice as high as wide."""
LOUD, SILENT = -18.0, -72.0
"""Top and bottom of the spectrum, in dB."""


def colour_of(label: str) -> str:
    """The colour a kind of anomaly has everywhere."""
    return COLOURS.get(label, ALARM)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in half-block characters, as large as fits, 16:9."""

    image: NDArray[np.uint8]
    """(H, W, 3) RGB, squeezed to a square."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Two pixels to a character."""
        rows = options.height or options.max_height
        columns = min(options.max_width, round(rows * WIDE_CELLS))
        rows = min(rows, round(columns / WIDE_CELLS) or 1)
        small = cv2.resize(self.image, (columns, 2 * rows), interpolation=cv2.INTER_AREA)
        small = np.asarray(cv2.convertScaleAbs(small, alpha=1.15), np.uint8) & 0xF8  # brighter, and few styles
        margin = Segment(" " * ((options.max_width - columns) // 2))
        for upper, lower in zip(small[::2].tolist(), small[1::2].tolist(), strict=True):
            yield margin
            yield from (Segment("▀", _two_colours(*top, *bottom)) for top, bottom in zip(upper, lower, strict=True))
            yield Segment.line()


@lru_cache(maxsize=65536)
def _two_colours(*parts: int) -> Style:
    """A style of two RGB colours. Kept, because Rich takes its time to make one."""
    front, back = ("#{:02x}{:02x}{:02x}".format(*rgb) for rgb in (parts[:3], parts[3:]))
    return Style(color=front, bgcolor=back)


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Loudness by pitch, low on the left, and a level meter."""

    samples: NDArray[np.float32]
    """(S,) the newest sound."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Rows of blocks."""
        rows = max(1, (options.height or 6) - 1)
        width = options.max_width
        shares = np.clip((self._bands(width) - SILENT) / (LOUD - SILENT), 0, 1)
        heights = (shares * rows * 8).astype(int).tolist()
        for row in range(rows - 1, -1, -1):
            share = (row + 1) / rows
            colour = ALARM if share > 0.85 else "#d7af5f" if share > 0.6 else CALM
            yield Segment("".join(BLOCKS[max(0, min(8, height - 8 * row))] for height in heights), Style(color=colour))
            yield Segment.line()
        level = self._level()
        lit = round(max(0.0, min(1.0, (level + 60) / 55)) * (width - 8))
        yield Segment("▮" * lit, Style(color=CALM))
        yield Segment("▯" * (width - 8 - lit) + f" {level:4.0f} dB"[-8:], Style(color=QUIET))
        yield Segment.line()

    def _level(self) -> float:
        """Loudness of it all, in dB."""
        power = float(np.mean(np.square(self.samples, dtype=np.float64))) if len(self.samples) else 0.0
        return 10 * math.log10(power + 1e-12)

    def _bands(self, num: int) -> NDArray[np.float64]:
        """Loudness of `num` bands, in dB."""
        if len(self.samples) < 256:
            return np.full(num, SILENT)
        power = np.abs(np.fft.rfft(self.samples * np.hanning(len(self.samples)))) ** 2 / len(self.samples)
        hertz = np.fft.rfftfreq(len(self.samples), 1 / SAMPLE_RATE)
        levels = np.interp(np.geomspace(90, 7600, num), hertz, power)
        return np.asarray(10 * np.log10(levels + 1e-9))


@dataclass(frozen=True, slots=True)
class Bar:
    """A probability as a bar, with a notch where the threshold is."""

    value: float | None
    scores: Scores | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """One line."""
        width = options.max_width
        threshold, value = self.scores.threshold if self.scores else 1.0, self.value or 0.0
        lit, notch = round(value * width), min(width - 1, int(threshold * width))
        colour = ALARM if value >= threshold else CALM
        for column in range(width):
            sign = "╋" if column == notch and self.scores else "━"
            yield Segment(sign, Style(color=colour if column < lit else "grey70" if sign == "╋" else "grey23"))
        yield Segment.line()


@dataclass(frozen=True, slots=True)
class Trace:
    """The score over the last windows, the threshold, and a ribbon of what is really going on."""

    state: DemoState

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Columns of blocks over a ribbon."""
        rows = max(1, (options.height or 4) - 1)
        edges = np.linspace(0, options.max_width, NUM_WINDOWS + 1).round().astype(int)
        columns = list(zip(self.state.scores, np.diff(edges).tolist(), strict=False))
        for row in range(rows - 1, -1, -1):
            yield from (_cell(scores, row, rows, wide) for scores, wide in columns)
            yield Segment.line()
        yield from (self._truth(scores, wide) for scores, wide in columns)
        yield Segment.line()

    def _truth(self, scores: Scores, wide: int) -> Segment:
        """A dash under a window, coloured if something is wrong in it by the script."""
        middle = (scores.start_seconds + scores.end_seconds) / 2
        for act in self.state.scene.acts:
            if act.label != NORMAL and act.start_seconds <= middle < act.end_seconds:
                return Segment("▀" * wide, Style(color=colour_of(act.label)))
        return Segment("·" * wide, Style(color="grey30"))


def _cell(scores: Scores, row: int, rows: int, wide: int) -> Segment:
    """One row of one window's column."""
    height = max(0, min(8, int(scores.anomaly * rows * 8) - 8 * row))
    if height:
        return Segment(BLOCKS[height] * wide, Style(color=ALARM if scores.is_anomaly else CALM))
    on_threshold = row == int(scores.threshold * rows)
    return Segment("╌" * wide if on_threshold else " " * wide, Style(color="grey50"))
