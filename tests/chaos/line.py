"""The line that every test stands on: the real command, what it says, and a real subscriber at the other end."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Self

import psutil

from alerts.alert import Alert
from alerts.errors import BrokerError
from alerts.subscriber import Options, subscribe

HEED: Final = str(Path(sys.executable).with_name("heed"))
_PATIENCE_SECONDS: Final = 60.0

_WORK: Final = """
import time
began = time.monotonic()
while time.process_time() < 0.1:
    pass
print((time.monotonic() - began) / 0.1)
"""
"""A tenth of a second of a core, in a process of its own: threads of ours would wait for each other."""


class ChaosError(RuntimeError):
    """The test itself could not be carried out."""


def complain(test: str, faults: Iterable[object]) -> int:
    """Says what went wrong, and returns how many things that are."""
    said = [f"chaos: {test}: {fault}\n" for fault in faults]
    sys.stderr.writelines(said)
    return len(said)


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Waits until it is true.

    Raises:
        ChaosError: it is not in so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ChaosError(f"chaos: {what}: not within {seconds:g} s; see what the command said")
        time.sleep(0.01)


def write_config(path: Path, sources: Mapping[str, str], **sections: Mapping[str, object]) -> Path:
    """Writes a `heed.toml`: URLs by their sources' names, and other tables by theirs. Every change of state is told."""
    lines: list[str] = []
    sections = {"log": {"repeat_seconds": 0}} | sections
    for name, url in sources.items():
        lines += ["[[source]]", f"name = {json.dumps(name)}", f"url = {json.dumps(url)}"]
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]
    path.write_text("\n".join([*lines, ""]))
    return path


@dataclass(frozen=True, slots=True)
class Said:
    """A line that the command wrote."""

    at: float
    """`time.monotonic()` when it came."""
    text: str
    """Without the end of the line."""


@dataclass(frozen=True, slots=True)
class Status:
    """A change of a source's state, out of the log."""

    at: float
    """`time.monotonic()` when it came."""
    source: str
    """Its name."""
    status: str
    """`starting`, `running` …"""
    reason: str
    """Why; may be empty."""


class Watch:
    """A `heed watch`, in a process group of its own. A context manager: leaving it kills whatever is left."""

    def __init__(
        self,
        config: Path,
        bundle: Path,
        state: Path,
        redis: str | None,
        *,
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Starts it.

        Args:
            config: its `heed.toml`.
            bundle: folder of the model.
            state: the state folder.
            redis: URL; none means the embedded one.
            options: more words of the command line.
            env: more of the environment.
        """
        command = [HEED, "watch", "--config", config, "--bundle", bundle, "--state", state, "--provider", "cpu"]
        command += ["--log-format", "json", *(["--redis", redis] if redis else []), *options]
        self.shown: list[Said] = []
        """Standard output: alerts for people."""
        self.log: list[Said] = []
        """Standard error: JSON lines."""
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        )
        pipes = ((self.process.stdout, self.shown), (self.process.stderr, self.log))
        self._readers = [threading.Thread(target=_read, args=pair, daemon=True) for pair in pipes]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_tree()

    @property
    def pid(self) -> int:
        """Of the engine, and of the process group."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether the engine is there."""
        return self.process.poll() is None

    def cameras(self) -> list[psutil.Process]:
        """The camera processes; empty when the engine is gone."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.pid).children(recursive=True)
            servers = {child.pid for child in children if _has_word(child, "multiprocessing.forkserver")}
            return [child for child in children if child.ppid() in servers or _has_word(child, "spawn_main")]
        return []

    def group(self) -> list[psutil.Process]:
        """Every process of the tree that is alive, also those that have lost their engine."""
        return [process for process in psutil.process_iter() if _group_of(process.pid) == self.pid]

    def statuses(self, source: str | None = None) -> list[Status]:
        """Every change of state so far, of one source or of all."""
        found = filter(None, map(_status, list(self.log)))
        return [status for status in found if source in {None, status.source}]

    def is_up(self, source: str) -> bool:
        """Whether the source was last said to be running."""
        return [status.status for status in self.statuses(source)][-1:] == ["running"]

    def wait_up(self, sources: Sequence[str], seconds: float = 60) -> None:
        """Waits until all of them run.

        Raises:
            ChaosError: they do not.
        """
        wait_for(lambda: all(map(self.is_up, sources)) or not self.is_running, seconds, "start of heed watch")
        if not self.is_running:
            raise ChaosError(f"chaos: heed watch ended with {self.process.returncode}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of its log, to say what went wrong."""
        return " | ".join(said.text for said in self.log[-5:])

    def kill(self) -> None:
        """`kill -9` of the engine alone."""
        self.process.kill()
        self._join()

    def kill_tree(self) -> None:
        """`kill -9` of everything."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._join()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Asks the engine to end, and returns how many seconds it took. Ctrl-C goes to the whole group.

        One that does not end for a minute is killed.
        """
        began = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if number == signal.SIGINT else os.kill)(self.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(_PATIENCE_SECONDS)
        took = time.monotonic() - began
        self.kill_tree()
        return took

    def _join(self) -> None:
        """Waits for the engine's end and for the rest of what it said."""
        self.process.wait(30)
        for reader in self._readers:
            reader.join(5)


class Subscriber:
    """All alerts of a Redis, from its oldest, read by `alerts.subscriber` in a thread. A context manager."""

    def __init__(self, url: str | None, state: Path | None = None, group: str | None = None) -> None:
        self.alerts: list[Alert] = []
        """As they came; not yet without those that came twice."""
        self.error = ""
        """Why it gave up, if it did."""
        self._stop = threading.Event()
        self._options = Options(state=state, group=group, from_start=True, repeats=True)
        self._url = url
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _follow(self) -> None:
        try:
            self.alerts.extend(self._alerts())  # each as it comes
        except BrokerError as error:
            self.error = str(error)

    def _alerts(self) -> Iterator[Alert]:
        yield from subscribe(self._url, stopped=self._stop.is_set, **self._options)


def slowdown() -> float:
    """How many times longer work takes here, now, than on a machine that has nothing else to do; at least 1."""
    measured = subprocess.run([sys.executable, "-I", "-S", "-c", _WORK], check=True, capture_output=True, text=True)
    return max(1.0, float(measured.stdout))


def _read(pipe: IO[str], into: list[Said]) -> None:
    with contextlib.suppress(ValueError), pipe:  # closed while it was read
        into.extend(Said(time.monotonic(), line.rstrip("\n")) for line in pipe)  # each as it comes


def _status(said: Said) -> Status | None:
    """The change of state that a line of the log tells of, if it does."""
    try:
        fields = json.loads(said.text)
    except json.JSONDecodeError:
        return None  # said before it was known that it should be JSON
    if fields.get("event") != "source_state":
        return None
    return Status(said.at, fields["source"], fields["status"], fields.get("reason") or "")


def _has_word(process: psutil.Process, word: str) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
        return any(word in part for part in process.cmdline())
    return False


def _group_of(pid: int) -> int | None:
    """Its process group, unless it is gone or only waits to be buried."""
    try:
        is_dead = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        return None if is_dead else os.getpgid(pid)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return None
