"""Windows: 2 seconds of everything a source has, every second."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.spec import Spec
from pipeline.errors import SourceError
from pipeline.item import Cue, Frame, Item, Samples

PATIENCE_SECONDS = 1.0
"""How far one track may run ahead of another before a window closes without the late one."""
LONGEST_CUE_SECONDS = 60.0
"""A cue is read for so long: what stands on the screen for longer is no news, and may have no end at all."""
LONGEST_TEXT = 2000
"""Characters of a window's words: more than anybody reads in 2 s, and an alert stays small whatever a stream holds."""
_EDGE_SECONDS = 1e-6
"""A frame this little before a window's start counts as on it: timestamps are rounded by containers."""


class Stream(Protocol):
    """What windows are cut from; `Media` is one."""

    @property
    def has_video(self) -> bool:
        """Whether there is something to see."""

    @property
    def has_audio(self) -> bool:
        """Whether there is something to hear."""

    @property
    def has_text(self) -> bool:
        """Whether there is something to read."""

    def items(self) -> Iterator[Item]:
        """Frames, samples and cues; each kind in order of time."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """All of a source in [start, end)."""

    source: str
    """Name of the source."""
    session: int
    """Counts the connections of a live source: its clock restarts at 0 with each."""
    index: int
    """Of the window in its session; starts are `index * stride`."""
    start_seconds: float
    """On the source's clock."""
    end_seconds: float
    """On the source's clock."""
    origin: datetime
    """UTC at the source's 0 seconds."""
    frames: NDArray[np.uint8] | None
    """(T, H, W, 3) RGB, one for each cell of time; none: there is nothing to see."""
    samples: NDArray[np.float32] | None
    """(S,) mono; none: there is nothing to hear; a hole is silence."""
    text: str | None
    """The words on screen; none: the source has no text; empty: nobody speaks."""
    closed_at: float
    """`time.monotonic()` when the window's last item had come."""
    picture: bytes | None = None
    """JPEG for people, of the latest picture that one was taken of; none: no new one since the window before."""


def windows(
    media: Stream, source: str, spec: Spec, origin: datetime, session: int = 0, *, arrives: bool = False
) -> Iterator[Window]:
    """Cuts a source's items into windows, and the rest at its end into a last one.

    If it `arrives`, its items come when they happen, and `origin` is now. Seconds of it were taken in while it was
    opened, so its 0 is earlier: as long ago as the latest item of the first window says.

    A window closes when every track has passed its end, or one has by `PATIENCE_SECONDS`. Windows with nothing in them
    (a hole in the stream) are left out; the index tells.

    Raises:
        SourceError: the source cannot be read on; what came before has been cut.
    """
    yield from _cut(media.items(), _Cutter(media, source, spec, origin, session, arrives))


def _cut(items: Iterator[Item], cutter: "_Cutter") -> Iterator[Window]:
    try:
        for item in items:
            cutter.add(item)
            while cutter.is_complete():
                yield from cutter.next()
    except SourceError:
        yield from cutter.rest()
        raise
    yield from cutter.rest()


class _Cutter:
    """Items on their way into windows."""

    def __init__(self, media: Stream, source: str, spec: Spec, origin: datetime, session: int, arrives: bool) -> None:
        self._source, self._spec, self._origin, self._session = source, spec, origin, session
        self._arrives, self._opened, self._opened_at = arrives, time.monotonic(), origin
        self._has_text = media.has_text
        self._continuous: list[type[Item]] = [
            kind for kind, has in ((Frame, media.has_video), (Samples, media.has_audio)) if has
        ] or [Cue]
        self._clocks: dict[type[Item], float] = {}
        self._frames: dict[int, Frame] = {}  # by cell
        self._still: bytes | None = None
        self._samples: list[Samples] = []
        self._cues: list[Cue] = []
        self._index = 0
        self._covered_seconds = -math.inf

    def add(self, item: Item) -> None:
        end = item.pts_seconds
        if isinstance(item, Frame):
            cell = math.floor((item.pts_seconds + _EDGE_SECONDS) * self._spec.frame_rate)
            self._frames.setdefault(cell, item)
            self._still = item.still or self._still
        elif isinstance(item, Samples):
            self._samples.append(item)
            end += len(item.data) / self._spec.sample_rate
        else:
            longest = item.pts_seconds + LONGEST_CUE_SECONDS
            self._cues.append(replace(item, end_seconds=min(item.end_seconds, longest)))
        self._clocks[type(item)] = max(end + _EDGE_SECONDS, self._clocks.get(type(item), 0.0))
        if self._arrives and not isinstance(item, Cue):
            age_seconds = time.monotonic() - self._opened - end
            self._origin = min(self._origin, self._opened_at + timedelta(seconds=age_seconds))

    def is_complete(self) -> bool:
        """Whether nothing more can come into the next window."""
        end = self._start() + self._spec.window_seconds
        clocks = [self._clocks.get(kind, 0.0) for kind in self._continuous]
        return min(clocks) >= end or max(clocks) >= end + PATIENCE_SECONDS

    def rest(self) -> Iterator[Window]:
        """At the source's end: the material that no window has covered yet."""
        while self._has_rest():
            yield from self.next()

    def _has_rest(self) -> bool:
        frame_seconds = 1 / self._spec.frame_rate
        ends = [(cell + 1) * frame_seconds for cell in self._frames] if Frame in self._continuous else []
        ends += [chunk.pts_seconds + len(chunk.data) / self._spec.sample_rate for chunk in self._samples]
        ends += [cue.end_seconds for cue in self._cues] if Cue in self._continuous else []
        # Up to a picture's time beyond the last window is rounding, not material.
        return max(ends, default=-math.inf) > self._covered_seconds + frame_seconds

    def next(self) -> Iterator[Window]:
        """The next window, if there is anything in it; what no later one needs is let go."""
        start, end = self._start(), self._start() + self._spec.window_seconds
        frames, samples, text = self._cut_frames(), self._cut_samples(start), self._cut_text(start, end)
        if frames is not None or samples is not None or text:
            self._covered_seconds = end
            self._arrives = False
            yield Window(
                source=self._source,
                session=self._session,
                index=self._index,
                start_seconds=start,
                end_seconds=end,
                origin=self._origin,
                frames=frames,
                samples=samples,
                text=text,
                closed_at=time.monotonic(),
                picture=self._still,
            )
            self._still = None
        self._index += 1
        self._let_go()
        if frames is None and samples is None and not text:
            self._skip_hole()

    def _start(self) -> float:
        return self._index * self._spec.stride_seconds

    def _first_cell(self) -> int:
        return math.ceil(self._start() * self._spec.frame_rate - _EDGE_SECONDS)

    def _cut_frames(self) -> NDArray[np.uint8] | None:
        """The first picture of each cell; an empty cell repeats the one before it, or the first there is."""
        first = self._first_cell()
        found = [self._frames.get(cell) for cell in range(first, first + self._spec.num_frames)]
        latest = next((frame for frame in found if frame is not None), None)
        if latest is None:
            return None
        pictures = []
        for frame in found:
            latest = frame or latest
            pictures.append(latest.image)
        return np.stack(pictures)

    def _cut_samples(self, start: float) -> NDArray[np.float32] | None:
        """Chunks laid by sample index over silence."""
        rate, sound, heard = self._spec.sample_rate, np.zeros(self._spec.num_samples, np.float32), False
        for chunk in self._samples:
            at = round((chunk.pts_seconds - start) * rate)
            part = chunk.data[max(0, -at) : max(0, len(sound) - at)]
            if len(part):
                sound[max(0, at) : max(0, at) + len(part)] = part
                heard = True
        return sound if heard else None

    def _cut_text(self, start: float, end: float) -> str | None:
        spoken = [cue.text for cue in self._cues if cue.pts_seconds < end and cue.end_seconds > start]
        return "\n".join(spoken)[:LONGEST_TEXT] if self._has_text or spoken else None

    def _let_go(self) -> None:
        start, first, rate = self._start(), self._first_cell(), self._spec.sample_rate
        self._frames = {cell: frame for cell, frame in self._frames.items() if cell >= first}
        self._samples = [chunk for chunk in self._samples if chunk.pts_seconds + len(chunk.data) / rate > start]
        self._cues = [cue for cue in self._cues if cue.end_seconds > start]

    def _skip_hole(self) -> None:
        """On to the first window that touches anything at hand."""
        times = [cell / self._spec.frame_rate for cell in self._frames]
        times += [item.pts_seconds for item in self._samples] + [cue.pts_seconds for cue in self._cues]
        if times:
            before = (min(times) - self._spec.window_seconds) / self._spec.stride_seconds
            self._index = max(self._index, math.floor(before) + 1)
