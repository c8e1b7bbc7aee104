"""One process for each source, and the queues in which their windows wait for the engine."""

import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Self

from models.spec import Spec
from pipeline.config import Config, EngineConfig, LiveConfig, SourceConfig
from pipeline.errors import SourceError
from pipeline.live import SourceState, Status, sessions
from pipeline.window import Window, windows

_SPAWN = multiprocessing.get_context("spawn")  # a fork would take the engine's threads and sessions along
CRASHES_A_MINUTE = 5
"""A source whose process crashes more often is given up."""
_EXIT_SECONDS = 0.7
"""How long a process may take to end by itself when its source is over, and when terminated."""
_POLL_SECONDS = 0.2

OnState = Callable[[str, SourceState], None]
"""Told the source's name and how it is now."""


@dataclass(frozen=True, slots=True)
class Ended:
    """In a queue behind a source's last window."""

    source: str


def run_camera(source: SourceConfig, spec: Spec, live: LiveConfig, first_session: int, pipe: Connection) -> None:
    """The camera process: sends windows, each with whether the source is live, and states.

    The engine says nothing on the pipe: there is something to read when it has closed it, or has died.
    """
    with pipe, suppress(BrokenPipeError, ConnectionResetError):  # the engine is gone
        opened = sessions(source.url.get_secret_value(), spec, live, pipe.poll, pipe.send, pace=source.pace)
        try:
            for session, media in enumerate(opened, start=first_session):
                is_live = media.is_live or source.pace == "live"
                for window in windows(media, source.name, spec, datetime.now(UTC), session):
                    pipe.send((window, is_live))
        except SourceError as error:  # a file that cannot be read on
            pipe.send(SourceState("failed", str(error), datetime.now(UTC)))


class Cameras:
    """Every source in a process of its own. A context manager: leaving it ends them all."""

    def __init__(self, config: Config, spec: Spec, on_state: OnState) -> None:
        self._config, self._spec, self._on_state = config, spec, on_state
        self._stop = threading.Event()
        self._intake = Intake([source.name for source in config.source], config.engine)
        self._readers = [
            threading.Thread(target=self._keep, args=(source,), name=source.name, daemon=True)
            for source in config.source
        ]

    def __enter__(self) -> Self:
        resource_tracker.ensure_running()  # else a process' start does, and lifts the mask of SIGINT
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._intake.close()
        for reader in self._readers:
            reader.join(3 * _EXIT_SECONDS)

    @property
    def num_dropped(self) -> dict[str, int]:
        """Windows of each live source that the engine was too slow for."""
        return dict(self._intake.num_dropped)

    def batches(self, stopped: threading.Event) -> Iterator[list[Window | Ended]]:
        """Windows of all sources, a fair share of each, until every source has ended or `stopped` is set."""
        while not stopped.is_set() and (batch := self._intake.take(stopped)):
            yield batch

    def _keep(self, source: SourceConfig) -> None:
        """Runs a source's process, and anew when it crashes."""
        # Ctrl-C reaches the whole group, but it is the engine that says when to stop: processes inherit this mask.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        crashes: deque[float] = deque(maxlen=CRASHES_A_MINUTE)
        session = 0
        while not self._stop.is_set():
            exit_code, session = self._run(source, session)
            if exit_code is None or self._stop.is_set():
                break
            crashes.append(time.monotonic())
            if len(crashes) == CRASHES_A_MINUTE and crashes[-1] - crashes[0] < 60:
                self._tell(source, "failed", f"its process crashed {CRASHES_A_MINUTE} times in a minute; given up")
                break
            self._tell(source, "reconnecting", f"its process crashed ({exit_code}); started again")
            self._stop.wait(self._config.live.first_pause_seconds)
        self._intake.put(source.name, Ended(source.name), is_live=False)

    def _run(self, source: SourceConfig, session: int) -> tuple[int | None, int]:
        """One life of a source's process: the exit code of a crash, and the session of the next life."""
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(
            target=run_camera,
            args=(source, self._spec, self._config.live, session, theirs),
            name=f"heed {source.name}",
            daemon=True,
        )
        process.start()
        theirs.close()
        is_over = False
        with ours:
            for message in self._received(ours):
                if isinstance(message, SourceState):
                    is_over = message.status in {"failed", "ended"}
                    self._on_state(source.name, message)
                else:
                    window, is_live = message
                    session = window.session + 1
                    self._intake.put(source.name, window, is_live=is_live)
        if not self._stop.is_set():
            process.join(_EXIT_SECONDS)
        _end(process)
        return None if is_over else process.exitcode, session

    def _received(self, pipe: Connection) -> Iterator[SourceState | tuple[Window, bool]]:
        """What a process sends, until it has ended or is to end."""
        while not self._stop.is_set():
            try:
                if pipe.poll(_POLL_SECONDS):
                    yield pipe.recv()
            except (EOFError, OSError):  # the latter when it died in the middle of a window
                return

    def _tell(self, source: SourceConfig, status: Status, reason: str) -> None:
        self._on_state(source.name, SourceState(status, f"source: {source.name}: {reason}", datetime.now(UTC)))


def _end(process: SpawnProcess) -> None:
    """Terminates a process unless it has ended, and kills it if it hangs."""
    process.terminate()
    process.join(_EXIT_SECONDS)
    process.kill()
    process.join()


class Intake:
    """A bounded queue for each source, emptied in turn."""

    def __init__(self, sources: Sequence[str], config: EngineConfig) -> None:
        self.num_dropped = dict.fromkeys(sources, 0)
        self._config = config
        self._queues: dict[str, deque[Window | Ended]] = {source: deque() for source in sources}
        self._turns = deque(self._queues.values())
        self._going = set(sources)
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, source: str, entry: Window | Ended, *, is_live: bool) -> None:
        """Adds to a source's queue. When it is full, a live source loses its oldest window; a file waits."""
        with self._changed:
            queue = self._queues[source]
            if isinstance(entry, Window) and len(queue) >= self._config.queue_windows:
                if is_live:
                    queue.popleft()
                    self.num_dropped[source] += 1
                else:
                    self._changed.wait_for(lambda: self._is_closed or len(queue) < self._config.queue_windows)
            queue.append(entry)
            self._changed.notify_all()

    def take(self, stopped: threading.Event) -> list[Window | Ended]:
        """Up to a batch, one entry of each source in turn; empty when all sources have ended or it is time to stop.

        Waits for the first entry, and a little for others to go with it.
        """
        with self._changed:
            while not any(self._turns):
                if stopped.is_set() or self._is_closed or not self._going:
                    return []
                self._changed.wait(_POLL_SECONDS)
            self._changed.wait_for(self._is_enough, self._config.batch_wait_seconds)
            batch: list[Window | Ended] = []
            while len(batch) < self._config.max_batch and any(self._turns):
                if self._turns[0]:
                    batch.append(self._turns[0].popleft())
                self._turns.rotate(-1)
            self._going -= {entry.source for entry in batch if isinstance(entry, Ended)}
            self._changed.notify_all()
            return batch

    def close(self) -> None:
        """Lets everyone go who waits."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _is_enough(self) -> bool:
        waiting = sum(map(len, self._turns))
        return waiting >= min(self._config.max_batch, len(self._going))
