"""Routing: which encoders a window really needs. Where nothing unusual happens, the last token is kept."""

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import EventConfig, RouteConfig
from pipeline.window import Window

Levels = NDArray[np.float32]
"""How much happens in a window for one sense, (F,): more is more."""

_GREY: Final = np.array([0.299, 0.587, 0.114], np.float32)
"""ITU-R BT.601, as OpenCV has it."""
_CELLS: Final = 10
"""The picture has so many cells a side: fine enough for a person far away, too coarse for the sensor's noise."""
_BUSIEST: Final = 5
"""Cells whose mean change is a window's motion: what moves may be small."""
_PIECE: Final = 1024
"""Samples of sound that are looked at together; the next piece begins at the half of it."""
_OCTAVES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""First line of a piece's spectrum in each band."""
_SILENCE: Final = 1e-4
"""Power of a band that counts as nothing: a tone at some -90 dB."""
_LEAST: Final = {"video": 4.0, "audio": 6.0}
"""A rise that is none on the stillest source: grey levels of 255, and dB."""
_REMEMBERED: Final = 60
"""Windows that tell what is usual: a minute."""
_GOLDEN: Final = (math.sqrt(5) - 1) / 2
"""Its multiples, without their whole part, lie evenly in 0..1 however many there are."""


def motion(frames: NDArray[np.uint8]) -> Levels:
    """How much the busiest cells of pictures (T, H, W, 3) change from one to the next at most, in grey levels (1,)."""
    cells = np.stack([cv2.resize(grey, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA) for grey in frames @ _GREY])
    most = np.abs(np.diff(cells, axis=0)).max(axis=0, initial=0)
    return np.asarray(np.sort(most, axis=None)[-_BUSIEST:].mean(keepdims=True))


def loudness(samples: NDArray[np.float32]) -> Levels:
    """The greatest level of sound (S,) in each octave, in dB (9,)."""
    pieces = np.lib.stride_tricks.sliding_window_view(samples, _PIECE)[:: _PIECE // 2]
    spectrum = np.fft.rfft(pieces * np.hanning(_PIECE).astype(np.float32), axis=1)
    power = np.add.reduceat(np.abs(spectrum) ** 2, _OCTAVES, axis=1)
    return np.asarray(10 * np.log10(power.max(axis=0) + _SILENCE), np.float32)


class Router:
    """Says for each window how old the token of each sense may be; at 0 seconds its encoder must run.

    A token is kept while no more happens than is usual: the median of the source's own last minute and some of its
    deviations. What the window of something unusual gave is not kept: it may lie across a change of scene. New words
    are always read. And all encoders run, whatever happens, in the first windows of a session, once in
    `explore_seconds`, right after a score near the threshold and as long as an event may be open: an old token confirms
    nothing.
    """

    def __init__(self, config: RouteConfig, event: EventConfig) -> None:
        """Begins with no source.

        Args:
            config: how much is kept.
            event: when an event ends. All its windows are computed.
        """
        self._config, self._event = config, event
        self._sources: dict[str, _Source] = {}
        self._num_begun = 0
        self._num_parts = Counter[tuple[str, str]]()  # of windows, by source and modality
        self._num_kept = Counter[tuple[str, str]]()

    def ages(self, window: Window) -> dict[str, float]:
        """Seconds since each token was made, by what the window has; windows of a source come in order."""
        source = self._source(window)
        must = source.must_be_whole(window, self._config)
        usual = source.usual(window, self._config.tolerance)
        at = window.start_seconds
        source.made = {name: source.made.get(name, at) if usual[name] and not must else at for name in usual}
        for name, made in source.made.items():
            self._num_parts[window.source, name] += 1
            self._num_kept[window.source, name] += made < at
        return {name: at - made for name, made in source.made.items()}

    def note(self, window: Window, anomaly: float, threshold: float) -> None:
        """What the window came to."""
        source = self._sources[window.source]
        if anomaly >= self._event.release * threshold:
            source.whole_until = window.end_seconds + self._event.merge_seconds
        elif anomaly >= self._config.near * threshold:
            source.whole_until = max(source.whole_until, window.end_seconds)

    def saved(self, *, source: str | None = None, modality: str | None = None) -> float | None:
        """Share of encoder runs that were not needed, of one or all; None where there were none to do."""
        keys = [key for key in self._num_parts if source in {None, key[0]} and modality in {None, key[1]}]
        num_parts = sum(self._num_parts[key] for key in keys)
        return sum(self._num_kept[key] for key in keys) / num_parts if num_parts else None

    def forget(self, source: str) -> None:
        """Drops a source's memory."""
        self._sources.pop(source, None)

    def _source(self, window: Window) -> "_Source":
        source = self._sources.get(window.source)
        if source is None or source.session != window.session or source.index >= window.index:
            source = self._sources[window.source] = _Source(window.session, self._num_begun * _GOLDEN % 1)
            self._num_begun += 1
        source.index = window.index
        return source


class _Background:
    """What is usual on a source for one sense."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._levels = deque[Levels](maxlen=_REMEMBERED)
        self._is_calm = False

    def is_usual(self, levels: Levels, tolerance: float) -> bool:
        """Whether no more happens than mostly did, nor in the window before; from now on it counts among that."""
        was_calm, self._is_calm = self._is_calm, len(self._levels) > 0 and self._holds(levels, tolerance)
        self._levels.append(levels)
        return was_calm and self._is_calm

    def _holds(self, levels: Levels, tolerance: float) -> bool:
        past = np.array(self._levels)  # (N, F)
        median = np.median(past, axis=0)
        deviation = np.median(np.abs(past - median), axis=0)
        return bool((levels <= median + self._least + tolerance * deviation).all())


@dataclass(slots=True)
class _Source:
    """A source in one session."""

    session: int
    phase: float
    """Of its exploration, as a share of the time between, so that sources do not all explore at once."""
    index: int = -1
    num_windows: int = 0
    whole_until: float = 0.0
    """Windows that start sooner are computed whole; seconds."""
    explore_at: float = 0.0
    made: dict[str, float] = field(default_factory=dict)
    """When the window of each token started, in seconds, by modality."""
    words: str | None = None
    video: _Background = field(default_factory=lambda: _Background(_LEAST["video"]))
    audio: _Background = field(default_factory=lambda: _Background(_LEAST["audio"]))

    def must_be_whole(self, window: Window, config: RouteConfig) -> bool:
        """Whether all encoders must run, whatever happens in the window."""
        self.num_windows += 1
        at, every = window.start_seconds, config.explore_seconds
        if self.num_windows > config.first_windows and self.whole_until <= at < self.explore_at:
            return False
        self.explore_at = (math.floor(at / every + self.phase) + 1 - self.phase) * every
        return True

    def usual(self, window: Window, tolerance: float) -> dict[str, bool]:
        """Whether each sense has nothing unusual, by what the window has."""
        usual = {}
        if window.frames is not None:
            usual["video"] = self.video.is_usual(motion(window.frames), tolerance)
        if window.samples is not None:
            usual["audio"] = self.audio.is_usual(loudness(window.samples), tolerance)
        if window.text:
            usual["text"] = window.text == self.words
        self.words = window.text
        return usual
