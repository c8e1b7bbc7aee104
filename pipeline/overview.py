"""The lines of `heed watch` on a terminal: one for each source, kept up to date, with what is said above them."""

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from rich.bar import Bar
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from alerts.alert import Alert
from alerts.show import describe, plain
from models.spec import MODALITIES, Spec
from pipeline.live import SourceState
from pipeline.log import StderrLog
from pipeline.score import Scores
from pipeline.terminal import out
from pipeline.window import Window

RATE_SECONDS: Final = 5.0
"""Over which pictures are counted."""
_REFRESHES_A_SECOND: Final = 2
_BAR: Final = 6
"""Characters of a bar."""
_SENSES: Final = ("seen", "heard", "read")
_COLOURS: Final = {"running": "green", "starting": "dim", "ended": "dim", "failed": "bold red"}
"""Of states; of all others, yellow."""
_LONGEST_NAME: Final = 24
"""Characters of a source's name that are shown."""


@dataclass(slots=True)
class _Line:
    """What is known of a source."""

    status: str = "starting"
    scores: Scores | None = None
    """Of its latest window; none while there is none to speak of."""
    lag_seconds: float = 0.0
    """From that window's end until it was judged."""
    seen_at: deque[float] = field(default_factory=deque)
    """When windows with pictures were judged, by the monotonic clock."""
    event: str = ""


@contextmanager
def overview(sources: Iterable[str], spec: Spec, log: StderrLog) -> Iterator["Overview"]:
    """The lines on stderr, with those of the log above them. If it is no terminal, or nobody reads it, only the log is.

    Args:
        sources: Their names.
        spec: Of their windows.
        log: What is said meanwhile.
    """
    with os.fdopen(os.dup(log.fd), "w", encoding="utf-8", errors="replace") as stderr:
        lines = Overview(sources, spec, Console(file=stderr, highlight=False, markup=False))
        if not (stderr.isatty() and log.is_text and lines.can_move):
            yield lines
            return
        with lines, log.shown_by(lines.print):
            yield lines


class Overview:
    """How every source is. A context manager, within which it stands on the terminal. Safe for several threads."""

    def __init__(self, sources: Iterable[str], spec: Spec, console: Console) -> None:
        """All sources are starting.

        Args:
            sources: Their names.
            spec: Of their windows.
            console: A terminal.
        """
        self._lines = {source: _Line() for source in sources}
        self._pictures_a_window = spec.stride_seconds * spec.frame_rate
        self._lock = threading.Lock()
        self._console = console
        self._live = Live(
            get_renderable=self.table,
            console=console,
            refresh_per_second=_REFRESHES_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @property
    def can_move(self) -> bool:
        """Whether lines of this terminal can be written anew."""
        return not self._console.is_dumb_terminal

    def __enter__(self) -> Self:
        self._live.start()
        self._console.show_cursor(True)  # who is killed cannot bring it back
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def print(self, line: str) -> None:
        """Says a line, harmless already, above the others."""
        self._console.print(Text(line), soft_wrap=True)

    def note_state(self, source: str, state: SourceState) -> None:
        """The source is so from now on."""
        with self._lock:
            line = self._lines[source]
            line.status = state.status
            if state.status not in {"running", "ended"}:
                line.scores = None

    def note_scores(self, window: Window, scores: Scores) -> None:
        """The source's latest window has been judged."""
        now = time.monotonic()
        with self._lock:
            line = self._lines[window.source]
            line.scores, line.lag_seconds = scores, now - scores.closed_at
            if window.frames is not None:
                line.seen_at.append(now)

    def show(self, alert: Alert) -> None:
        """A line on stdout, and the source's latest event. Two terminals are one: there it goes above the lines."""
        when, verb = alert.ended_at or alert.started_at, " ended" if alert.ended_at else ""
        with self._lock:
            self._lines[alert.source].event = f"{when.astimezone():%H:%M:%S} {alert.label} {alert.score:.2f}{verb}"
        if self._live.is_started and sys.stdout.isatty():
            self.print(describe(alert))
        else:
            out.print(describe(alert))

    def table(self) -> Table:
        """One row for each source."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("source", "state", "fps", "lag", *_SENSES, "last event"):
            table.add_column(heading, no_wrap=True, justify="right" if heading in {"fps", "lag"} else "left")
        with self._lock:
            for source, line in self._lines.items():
                table.add_row(*self._cells(source, line))
        return table

    def _cells(self, source: str, line: _Line) -> Iterator[RenderableType]:
        yield Text(_shortened(source))
        yield Text(line.status, _COLOURS.get(line.status, "yellow"))
        now = time.monotonic()
        while line.seen_at and line.seen_at[0] < now - RATE_SECONDS:
            line.seen_at.popleft()
        yield Text(f"{len(line.seen_at) * self._pictures_a_window / RATE_SECONDS:.1f}")
        yield Text(f"{line.lag_seconds:.1f} s" if line.scores else "–")
        for name in MODALITIES:
            yield _bar(line.scores, name)
        yield Text(plain(line.event))


def _shortened(name: str) -> str:
    name = plain(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _bar(scores: Scores | None, name: str) -> RenderableType:
    """What a sense alone says; a dash where there is nothing to see, hear or read."""
    score = scores.modalities[name].score if scores else None
    if scores is None or score is None:
        return Text("–", "dim")
    return Bar(1.0, 0.0, score, width=_BAR, color="red" if score >= scores.threshold else "green")
