"""One process for each source, kept going by the engine: a reader for each, and a watchdog beside the readers."""

import multiprocessing
import resource
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from models.spec import Spec
from pipeline.config import Config, LiveConfig, SourceConfig
from pipeline.container import file_path
from pipeline.errors import SourceError
from pipeline.forks import kill, start_process
from pipeline.handover import receive, send_window
from pipeline.intake import Broken, Ended, Entry, Intake
from pipeline.live import Pauses, SourceState, Status, sessions
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


def run_camera(source: SourceConfig, spec: Spec, live: LiveConfig, first_session: int, pipe: Connection) -> None:
    """The camera process: sends windows, each with whether the source is live, states and pulses.

    The engine says nothing on the pipe: there is something to read when it has closed it, or has died.
    """
    _limit_memory(live.memory_mib)
    url = source.url.get_secret_value()
    with pipe, suppress(BrokenPipeError, ConnectionResetError):  # the engine is gone
        opened = sessions(url, spec, live, pipe.poll, pipe.send, pipe.send, pace=source.pace)
        try:
            for session, media in enumerate(opened, start=first_session):
                is_live = media.is_live or source.pace == "live"
                for window in windows(media, source.name, spec, datetime.now(UTC), session, arrives=media.is_live):
                    send_window(pipe, window, is_live=is_live)
        except SourceError as error:  # a file that cannot be read on
            pipe.send(SourceState("failed", str(error), datetime.now(UTC)))
        except MemoryError:
            sys.exit(_OUT_OF_MEMORY)


def _limit_memory(mebibytes: int) -> None:
    """Of this process: what asks for more has an error, or crashes, alone."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    size = mebibytes * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (size if most == resource.RLIM_INFINITY else min(size, most), most))


class Cameras:
    """Every source in a process of its own. A context manager: leaving it ends them all."""

    def __init__(self, config: Config, spec: Spec, on_state: OnState) -> None:
        self._config, self._spec, self._on_state = config, spec, on_state
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
                life = self._lives[source.name] = _Life(source, self._spec, self._config.live, session)
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
            self._intake.put(source.name, Broken(source.name), is_live=True)
            self._tell(source, status, f"{life.why()}; started again in {seconds:.2g} s")
            self._stop.wait(seconds)
        self._intake.put(source.name, Ended(source.name), is_live=False)

    def _run(self, source: SourceConfig, life: "_Life", session: int) -> int:
        """Takes what a process sends until its end: the session of the next one."""
        for message in life.messages(self._stop):
            if isinstance(message, SourceState):
                life.is_over = message.status in {"failed", "ended"}
                if message.status in {"reconnecting", "unauthorised"}:
                    self._intake.put(source.name, Broken(source.name), is_live=True)
                self._on_state(source.name, message)
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

    def __init__(self, source: SourceConfig, spec: Spec, live: LiveConfig, session: int) -> None:
        self.is_over = False
        self.hangs = False
        self._quiet_seconds = 0.0
        self._is_waiting = False
        is_file = file_path(source.url.get_secret_value()) is not None
        self._due_seconds = None if is_file else live.first_frame_seconds
        self._pipe, theirs = multiprocessing.Pipe()
        with theirs:
            self.process = start_process(f"heed {source.name}", run_camera, source, spec, live, session, theirs)

    def messages(self, stopped: threading.Event) -> Iterator[SourceState | tuple[Window, bool]]:
        """What the process sends, until it has ended or is to end."""
        with self._pipe as pipe, suppress(EOFError, OSError):  # the latter when it died in the middle of a window
            while not stopped.is_set():
                self._is_waiting = True
                message = receive(pipe) if pipe.poll(_POLL_SECONDS) else None
                self._is_waiting = False
                if isinstance(message, Pulse):
                    self._quiet_seconds, self._due_seconds = 0.0, message.due_seconds
                elif message is not None:
                    yield message
        self._is_waiting = False

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
