"""What Heed says on stderr: lines for people, or an object a line for programs; no secrets, no floods."""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Self

from alerts.alert import rfc3339
from alerts.show import plain
from pipeline.config import LogConfig
from pipeline.fold import Entry, Folding
from pipeline.redact import redact

_OURS: Final = ("pipeline", "alerts")
"""Packages whose informative lines are shown; of others, warnings."""
_STANDARD: Final = vars(logging.makeLogRecord({})).keys() | {"message", "asctime", "event", "source"}
"""What every record has. All else was given as `extra`, and is a key of the JSON object."""
_LONGEST_LINE: Final = 2000
"""Characters of a message that are shown."""
_TICK_SECONDS: Final = 1.0
_END: Final = "\0\n"
"""A line that ends the reading of stderr."""


class LogFormat(StrEnum):
    """What a line is."""

    TEXT = "text"
    """A sentence for people."""
    JSON = "json"
    """An object with `at`, `level`, `event`, `source`, `message` and what belongs to the event."""


class StderrLog(logging.Handler):
    """Every line of Heed and of the libraries it uses. A context manager; leaving it tells what was held back.

    A record's `extra` may name the `event` and the `source` it is about; more keys become keys of the JSON object.
    """

    def __init__(self, seconds: float = LogConfig().repeat_seconds) -> None:
        """Writes text until told otherwise.

        Args:
            seconds: within which a repeated message is counted, not said again.
        """
        super().__init__()
        self._format = LogFormat.TEXT
        self._secrets: tuple[str, ...] = ()
        self._folding = Folding(seconds)
        self._fd = 2
        self._show: Callable[[str], None] | None = None
        self._closed = threading.Event()

    @property
    def is_text(self) -> bool:
        """Whether lines are for people."""
        return self._format is LogFormat.TEXT

    def use(self, form: LogFormat, secrets: Iterable[str] = (), seconds: float = LogConfig().repeat_seconds) -> None:
        """From here on writes this form, masks these secrets, and folds what is repeated within these seconds."""
        with self._held():
            self._format, self._secrets = form, tuple(secrets)
            self._folding.seconds = seconds

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record, unless it only repeats another."""
        self._write(self._folding.push(self._entry(record), time.monotonic()))

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self)
        for name in _OURS:
            logging.getLogger(name).setLevel(logging.INFO)
        threading.Thread(target=self._tick, name="log", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        logging.getLogger().removeHandler(self)
        with self._held():
            self._write(self._folding.rest(time.monotonic()))

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """What others write on stderr meanwhile, here and in child processes, FFmpeg too, becomes lines of the log."""
        reading, writing = os.pipe()
        self._fd = os.dup(2)
        reader = threading.Thread(target=self._read, args=(reading,), name="stderr", daemon=True)
        reader.start()
        os.dup2(writing, 2)
        try:
            yield
        finally:
            os.dup2(self._fd, 2)
            os.write(writing, f"\n{_END}".encode())  # a process that lives on would keep the pipe from ending by itself
            reader.join()
            os.close(writing)
            with self._held():
                os.close(self._fd)
                self._fd = 2

    @property
    def fd(self) -> int:
        """Stderr as it was when the program began, also while what others write on it is captured."""
        return self._fd

    @contextmanager
    def shown_by(self, show: Callable[[str], None]) -> Iterator[None]:
        """Lines are meanwhile shown by one who knows what else stands on the terminal."""
        with self._held():
            self._show = show
        try:
            yield
        finally:
            with self._held():
                self._show = None

    def _entry(self, record: logging.LogRecord) -> Entry:
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        source = getattr(record, "source", None)
        return Entry(
            at=record.created,
            level="error"
            if record.levelno >= logging.ERROR
            else "warning"
            if record.levelno > logging.INFO
            else "info",
            event=str(getattr(record, "event", record.name.partition(".")[0])),
            source=plain(str(source)) if source else None,
            message=self._harmless(record.getMessage()),
            fields={name: self._harmless(value) if isinstance(value, str) else value for name, value in extra.items()},
        )

    def _harmless(self, text: str) -> str:
        text = plain(redact(text, self._secrets))
        return text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}…"

    def _write(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            line = _json(entry) if self._format is LogFormat.JSON else _text(entry)
            with suppress(OSError):  # nobody is there to be told
                if self._show is not None:
                    self._show(line)
                    continue
                os.write(self._fd, f"{line}\n".encode(errors="replace"))

    def _tick(self) -> None:
        while not self._closed.wait(_TICK_SECONDS):
            with self._held():
                self._write(self._folding.due(time.monotonic()))

    def _read(self, reading: int) -> None:
        with open(reading, encoding="utf-8", errors="replace") as lines:
            while (line := lines.readline(_LONGEST_LINE)) != _END:
                if line.strip():
                    logging.getLogger(__name__).warning("%s", line, extra={"event": "stderr"})

    @contextmanager
    def _held(self) -> Iterator[None]:
        self.acquire()
        try:
            yield
        finally:
            self.release()


def escaped(line: str) -> str:
    """JSON that says the same, on one line whatever it holds, and does nothing to a terminal."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in line)


def _text(entry: Entry) -> str:
    name = "" if entry.event == "source_state" else "heed: "
    source = f"{entry.source}: " if entry.source else ""
    times = "once" if entry.repeats == 1 else f"{entry.repeats} times"
    repeats = f" (said {times} more in {entry.seconds:.0f} s)" if entry.repeats else ""
    return f"{name}{source}{entry.message}{repeats}"


def _json(entry: Entry) -> str:
    at = rfc3339(datetime.fromtimestamp(entry.at, UTC))
    head = {"at": at, "level": entry.level, "event": entry.event, "source": entry.source, "message": entry.message}
    more = {name: value for name, value in entry.fields.items() if name not in head}
    repeats = {"repeats": entry.repeats} if entry.repeats else {}
    return escaped(json.dumps({**head, **more, **repeats}, ensure_ascii=False, default=str))
