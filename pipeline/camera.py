"""One process for each source, kept going by the engine: a reader for each, and a watchdog beside the readers."""

import multiprocessing
import resource
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import TracebackType
from typing import Self

from models.spec import Spec
from pipeline.config import Config, LiveConfig, SourceConfig
from pipeline.container import file_path
from pipeline.errors import SourceError
from pipeline.evidence import Keeping, Recorder
from pipeline.exhibit import Kept, Request
from pipeline.forks import kill, start_process
from pipeline.handover import receive, send_window
from pipeline.intake import Broken, Ended, Entry, Gone, Intake
from pipeline.live import Pauses, SourceState, Status, sessions
from pipeline.media import Media
from pipeline.pulse import Pulse
from pipeline.window import Window, windows

CRASHES_A_MINUTE = 5
"""A source whose process crashes more often is given up."""
_EXIT_SECONDS = 0.7
"""How long a process may take to end by itself when its source is over, and a reader when all is over."""
_OUT_OF_MEMORY = 3
"""Exit code of a process that wanted more than it may have."""
_POLL_SECONDS = 0.2

OnState = Callable[[str, SourceState], None]
"""Told the source's name and how it is now."""


def run_camera(
    source: SourceConfig,
    spec: Spec,
    live: LiveConfig,
    first_session: int,
    pipe: Connection,
    keeping: Keeping | None,
    requests: Connection,
) -> None:
    """The camera process: sends windows, each with whether the source is live, states and pulses.

    The engine says nothing on the pipe: there is something to read when it has closed it, or has died. What it wants of
    evidence, and what was kept, goes through the other.
    """
    _limit_memory(live.memory_mib)
    url = source.url.get_secret_value()
    recorder = None if keeping is None else Recorder(source.name, keeping, requests)
    with pipe, requests, suppress(BrokenPipeError, ConnectionResetError):  # the engine is gone
        opened = sessions(url, spec, live, pipe.poll, pipe.send, pipe.send, pace=source.pace)
        numbered: Iterable[tuple[int, Media]] = enumerate(opened, start=first_session)
        try:
            for session, media in numbered if recorder is None else recorder.listen(numbered):
                is_live = media.is_live or source.pace == "live"
                for window in windows(media, source.name, spec, datetime.now(UTC), session, arrives=media.is_live):
                    send_window(pipe, window, is_live=is_live)
        except SourceError as error:  # a file that cannot be read on
            pipe.send(SourceState("failed", str(error), datetime.now(UTC)))
        except MemoryError:
            sys.exit(_OUT_OF_MEMORY)
        if recorder is not None:
            recorder.close()


def _limit_memory(mebibytes: int) -> None:
    """Of this process: what asks for more has an error, or crashes, alone."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    size = mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (size if most == resource.RLIM_INFINITY else min(size, most), most))


class Cameras:
    """Every source in a process of its own. A context manager: leaving it ends them all."""

    def __init__(self, config: Config, spec: Spec, on_state: OnState, evidence: Path | None = None) -> None:
        self._config, self._spec, self._on_state = config, spec, on_state
        lag_seconds = config.engine.queue_windows * spec.stride_seconds
        is_kept = evidence is not None and config.evidence.enabled
        self._keeping = Keeping(evidence, config.evidence, lag_seconds) if evidence is not None and is_kept else None
        self._stop = threading.Event()
        self._intake = Intake([source.name for source in config.source], config.engine)
        self._lives: dict[str, _Life] = {}
        self._readers = [
            threading.Thread(target=self._keep, args=(source,), name=source.name, daemon=True)
            for source in config.source
        ]
        self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        for thread in (*self._readers, self._watchdog):
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._intake.close()
        until = time.monotonic() + _EXIT_SECONDS
        for reader in self._readers:
            reader.join(max(0.0, until - time.monotonic()))
        for life in list(self._lives.values()):
            life.kill()  # one that stands still in the middle of a window holds its reader up
        for reader in self._readers:
            reader.join(_EXIT_SECONDS)

    @property
    def num_dropped(self) -> Mapping[str, int]:
        """Windows of each live source that the engine was too slow for; it goes on counting."""
        return self._intake.num_dropped

    def queue_ages(self) -> Mapping[str, float]:
        """Seconds that the oldest window of each source has waited for the engine."""
        return self._intake.ages()

    def processes(self) -> Mapping[str, int]:
        """Ids of the sources' processes; some may have just ended."""
        return {source: life.process.pid for source, life in list(self._lives.items()) if life.process.pid is not None}

    def batches(self, stopped: threading.Event) -> Iterator[list[Entry]]:
        """Windows of all sources, a fair share of each, until every source has ended or `stopped` is set."""
        while not stopped.is_set() and (batch := self._intake.take(stopped)):
            yield batch

    def record(self, source: str, request: Request | None) -> None:
        """Asks a source's process for evidence; or tells it, by none, that all it has sent was judged."""
        if source in self._lives:
            self._lives[source].record(request)

    def _watch(self) -> None:
        """Ends processes that hang. It counts its own rounds: an engine that stood still blames nobody."""
        while not self._stop.wait(_POLL_SECONDS):
            for life in list(self._lives.values()):
                life.age(_POLL_SECONDS)

    def _keep(self, source: SourceConfig) -> None:
        """Runs a source's process, and anew when it crashes or hangs."""
        crashes: deque[float] = deque(maxlen=CRASHES_A_MINUTE)
        pauses = Pauses(self._config.live)
        session = 0
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                life = self._lives[source.name] = _Life(source, self._spec, self._config.live, session, self._keeping)
            except OSError as error:  # the machine is out of processes, memory or descriptors
                seconds = pauses.next(None, 0.0)
                problem = f"its process cannot be started: {error.strerror}; next try in {seconds:.2g} s"
                self._tell(source, "reconnecting", problem)
                self._stop.wait(seconds)
                continue
            session = self._run(source, life, session)
            if life.is_over or self._stop.is_set():
                break
            seconds = pauses.next(None, time.monotonic() - began)
            status: Status = "stalled" if life.hangs else "reconnecting"
            if not life.hangs:
                crashes.append(time.monotonic())
            if len(crashes) == CRASHES_A_MINUTE and crashes[-1] - crashes[0] < 60:
                self._tell(source, "failed", f"its process crashed {CRASHES_A_MINUTE} times in a minute; given up")
                break
            self._intake.put(source.name, Gone(source.name), is_live=True)
            self._tell(source, status, f"{life.why()}; started again in {seconds:.2g} s")
            self._stop.wait(seconds)
        self._intake.put(source.name, Ended(source.name), is_live=False)

    def _run(self, source: SourceConfig, life: "_Life", session: int) -> int:
        """Takes what a process sends until its end: the session of the next one."""
        for message in life.messages(self._stop):
            if isinstance(message, SourceState):
                life.is_over = message.status in {"failed", "ended"}
                if message.status not in {"starting", "running"}:
                    self._intake.put(source.name, Broken(source.name), is_live=True)
                self._on_state(source.name, message)
            elif isinstance(message, Kept):
                self._intake.put(source.name, message, is_live=True)
            else:
                window, is_live = message
                session = window.session + 1
                self._intake.put(source.name, window, is_live=is_live)
        life.end(0.0 if self._stop.is_set() else _EXIT_SECONDS)
        return session

    def _tell(self, source: SourceConfig, status: Status, reason: str) -> None:
        self._on_state(source.name, SourceState(status, f"source: {source.name}: {reason}", datetime.now(UTC)))


class _Life:
    """One life of a source's process. Its reader takes the messages; the watchdog counts how long none came."""

    def __init__(
        self, source: SourceConfig, spec: Spec, live: LiveConfig, session: int, keeping: Keeping | None
    ) -> None:
        self.is_over = False
        self.hangs = False
        self._quiet_seconds = 0.0
        self._is_waiting = False
        is_file = file_path(source.url.get_secret_value()) is not None
        self._due_seconds = None if is_file else live.first_frame_seconds
        self._pipe, theirs = multiprocessing.Pipe()
        self._requests, their_requests = multiprocessing.Pipe()
        with theirs, their_requests:
            given = (source, spec, live, session, theirs, keeping, their_requests)
            self.process = start_process(f"heed {source.name}", run_camera, *given)

    def record(self, request: Request | None) -> None:
        """Asks for evidence. A process that has stopped reading is not waited for."""
        with suppress(OSError, ValueError):  # it has ended
            ready = select.poll()
            ready.register(self._requests, select.POLLOUT)
            if ready.poll(0):
                self._requests.send(request)

    def messages(self, stopped: threading.Event) -> Iterator[SourceState | Kept | tuple[Window, bool]]:
        """What the process sends, until it has ended or is to end."""
        with self._pipe, self._requests, suppress(EOFError, OSError):  # the latter when it died within a window
            while not stopped.is_set():
                self._is_waiting = True
                message = self._next()
                self._is_waiting = False
                if isinstance(message, Pulse):
                    self._quiet_seconds, self._due_seconds = 0.0, message.due_seconds
                elif message is not None:
                    yield message
        self._is_waiting = False

    def _next(self) -> SourceState | Pulse | Kept | tuple[Window, bool] | None:
        """What comes next; none if nothing does for a while.

        Raises:
            EOFError: the process has ended.
        """
        ready = wait([self._pipe, self._requests], _POLL_SECONDS)
        if self._requests in ready and self._requests.poll():
            with suppress(EOFError):  # what it has sent before comes through the other
                kept: Kept = self._requests.recv()
                return kept
        return receive(self._pipe) if ready and self._pipe.poll(_POLL_SECONDS) else None

    def age(self, seconds: float) -> None:
        """Counts time in which its reader waited, and ends the process when that is too long: its reader notices."""
        if self._is_waiting:
            self._quiet_seconds += seconds
        if self._due_seconds is None or self._quiet_seconds < self._due_seconds:
            return
        self.hangs = True
        self.kill()

    def why(self) -> str:
        """Why it came to its end."""
        if self.hangs:
            return f"no picture or sound for {self._due_seconds:g} s"
        if self.process.exitcode == _OUT_OF_MEMORY:
            return "its process wanted more memory than live.memory_mib"
        return f"its process crashed ({self.process.exitcode})"

    def end(self, patience_seconds: float) -> None:
        """Waits for the process, and kills it if it goes on."""
        self.process.join(patience_seconds)
        self.kill()
        self.process.join()

    def kill(self) -> None:
        """Ends the process at once."""
        kill(self.process)
