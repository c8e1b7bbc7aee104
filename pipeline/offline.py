"""Labelled files, read several at a time and scored through the code that runs live."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from export.runtime import Runtime
from models.spec import Spec
from pipeline.baseline import LATE_FUSION, frame_difference, loudness
from pipeline.config import Config
from pipeline.errors import SourceError
from pipeline.event import Event, events
from pipeline.labels import Row
from pipeline.media import open_media
from pipeline.route import Router
from pipeline.score import CONDITIONS, Scorer, Scores
from pipeline.scored import FoundEvent, ScoredFile, ScoredWindow
from pipeline.window import Window, windows

Progress = Callable[[float, int], None]
"""Told the files done, those at work in part, and the files in all."""


class Reading:
    """Files being read, `num_open` at a time and a window of each in turn; a file's own windows stay in order."""

    failed: dict[Path, str]
    """Files that cannot be read, and why."""
    ended: list[Path]
    """Files read to their end, in the order they ended."""

    def __init__(self, paths: Sequence[Path], spec: Spec, num_open: int, strict: bool = False) -> None:
        self.failed, self.ended = {}, []
        self._header_seconds: dict[Path, float] = {}
        self._read_seconds: dict[Path, float] = {}
        self._spec = spec
        self._waiting = deque((path, self._read(path)) for path in paths)
        self._open = deque[tuple[Path, Iterator[Window]]]()
        self._num_open = num_open
        self._strict = strict

    def windows(self) -> Iterator[Window]:
        """The windows of all files; a window's source is its file's path.

        Raises:
            SourceError: `strict`, and a file cannot be read.
        """
        while self._waiting or self._open:
            while self._waiting and len(self._open) < self._num_open:
                self._open.append(self._waiting.popleft())
            path, reader = self._open.popleft()
            try:
                window = next(reader)
            except StopIteration:
                self._end(path)
            except SourceError as error:
                self._fail(path, error)
            else:
                self._open.append((path, reader))
                yield window

    def duration_seconds(self, path: Path) -> float:
        """A file's length: what its header says, or less where its windows end before."""
        return min(self._header_seconds[path], self._read_seconds[path])

    def done(self) -> float:
        """Files behind us, those at work in part."""
        parts = (
            min(1.0, self._read_seconds[path] / self._header_seconds[path])
            for path, _ in self._open
            if path in self._read_seconds
        )
        return len(self.ended) + len(self.failed) + sum(parts)

    def _read(self, path: Path) -> Iterator[Window]:
        with open_media(str(path), self._spec) as media:
            self._header_seconds[path] = media.duration_seconds or math.inf
            for window in windows(media, str(path), self._spec, datetime.now(UTC)):
                self._read_seconds[path] = window.end_seconds
                yield window

    def _end(self, path: Path) -> None:
        if path in self._read_seconds:
            self.ended.append(path)
        else:
            self._fail(path, SourceError(f"source: {path}: nothing to see, hear or read; leave the file out"))

    def _fail(self, path: Path, error: SourceError) -> None:
        if self._strict:
            raise error
        self.failed[path] = str(error)


def score_files(
    rows: dict[Path, list[Row]],
    runtime: Runtime,
    config: Config,
    progress: Progress,
    *,
    strict: bool = False,
    router: Router | None = None,
) -> tuple[list[ScoredFile], dict[Path, str]]:
    """Scores every file once.

    Args:
        rows: the labels of each file.
        runtime: the model.
        config: `engine.max_batch` windows are scored at once; `event` says when they become one.
        progress: called after every batch.
        strict: whether a file that cannot be read is an error; else it is passed over.
        router: says which encoders a window needs; without one everything is computed.

    Returns:
        The files that could be read, in the order of `rows`, and why the others could not.

    Raises:
        SourceError: `strict`, and a file cannot be read.
    """
    reading = Reading(list(rows), runtime.spec, config.engine.max_batch, strict)
    scorer = Scorer(runtime, conditions=CONDITIONS, router=router)
    kept: dict[Path, list[tuple[ScoredWindow, Scores]]] = {path: [] for path in rows}
    stream, num_forgotten = reading.windows(), 0
    while batch := list(islice(stream, config.engine.max_batch)):
        for window, scores in zip(batch, scorer.score(batch), strict=True):
            kept[Path(window.source)].append((_scored(window, scores), scores))
        for path in reading.ended[num_forgotten:]:
            scorer.forget(str(path))
        num_forgotten = len(reading.ended)
        progress(reading.done(), len(rows))
    ended = set(reading.ended)
    files = [
        ScoredFile(
            path=path,
            rows=tuple(rows[path]),
            duration_seconds=reading.duration_seconds(path),
            windows=tuple(window for window, _ in kept[path]),
            events=found_events(events((scores for _, scores in kept[path]), config.event)),
        )
        for path in rows
        if path in ended
    ]
    return files, reading.failed


def _scored(window: Window, scores: Scores) -> ScoredWindow:
    others = {name: modality.score for name, modality in scores.modalities.items()}
    own = [score for score in others.values() if score is not None]
    others["frame_difference"] = None if window.frames is None else frame_difference(window.frames)
    others["loudness"] = None if window.samples is None else loudness(window.samples)
    others |= {name: rule(own) for name, rule in LATE_FUSION.items()}
    return ScoredWindow(
        index=window.index,
        start_seconds=window.start_seconds,
        end_seconds=window.end_seconds,
        score=scores.anomaly,
        threshold=scores.threshold,
        label=scores.label,
        others=others,
        contributions={name: modality.contribution for name, modality in scores.modalities.items()},
        conditions=dict(scores.conditions),
    )


def found_events(told: Iterable[Event]) -> tuple[FoundEvent, ...]:
    """Begins and ends of one file, joined; the tracker ends every event it began."""
    decided: dict[tuple[str, float], float] = {}
    found = []
    for event in told:
        key = (event.label, event.started_seconds)
        if event.kind == "begin":
            decided[key] = event.decided_seconds
        elif event.ended_seconds is not None:
            found.append(FoundEvent((event.started_seconds, event.ended_seconds), decided[key]))
    return tuple(found)
