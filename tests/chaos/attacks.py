"""What happens to cameras, and to the network in front of them."""

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rtsp_server import RtspServer

Holds = Callable[[float], None]
"""Lets a fault last for so many seconds."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """A camera that all of this is done to."""

    server: RtspServer
    """It."""
    files: tuple[Path, ...]
    """What it may show: other sizes, rates, codecs, a track more or less."""
    rng: random.Random
    """For how long, and which file."""

    def suffer(self, fault: str) -> float:
        """Lets it suffer one of `FAULTS`, and returns when it was over: `time.monotonic()`."""
        with FAULTS[fault](self):
            time.sleep(self.rng.uniform(*LASTS[fault]))
        return time.monotonic()


@contextmanager
def killed(camera: Attacked) -> Iterator[None]:
    """Every connection is cut, and nobody listens."""
    camera.server.stop()
    yield
    camera.server.start()


@contextmanager
def frozen(camera: Attacked) -> Iterator[None]:
    """Connections are kept, new ones answered, and no packet is sent."""
    camera.server.stall()
    yield
    camera.server.resume()


@contextmanager
def half_open(camera: Attacked) -> Iterator[None]:
    """Connections are taken, and nothing is ever said."""
    camera.server.stop()
    with socket.create_server(("127.0.0.1", camera.server.port), backlog=64):
        yield
    camera.server.start()


@contextmanager
def locked(camera: Attacked) -> Iterator[None]:
    """The password is another for a while."""
    password = camera.server.password
    camera.server.stop()
    camera.server.password = f"not {password}"
    camera.server.start()
    yield
    camera.server.password = password


@contextmanager
def switched(camera: Attacked) -> Iterator[None]:
    """It comes back with another file."""
    camera.server.stop()
    camera.server.path = camera.rng.choice([path for path in camera.files if path != camera.server.path])
    yield
    camera.server.start()


FAULTS = {
    "killed": killed,
    "restarted": killed,
    "frozen": frozen,
    "half-open": half_open,
    "locked": locked,
    "switched": switched,
}
"""By name."""
LASTS = {
    "killed": (0.5, 3.0),
    "restarted": (0.0, 0.0),
    "frozen": (1.0, 5.0),
    "half-open": (1.0, 5.0),
    "locked": (2.5, 4.0),
    "switched": (0.0, 1.0),
}
"""Seconds, at least and at most."""
