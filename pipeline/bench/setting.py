"""What every part of the benchmark is given, and how its figures come about."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from alerts.connect import connect
from alerts.redis_stream import Publisher
from export.runtime import Runtime
from pipeline.bench.material import Scenes, repeated
from pipeline.errors import BenchStoppedError

Figures = dict[str, Any]
"""A part's section of the JSON: numbers, texts, sections and lists of them, and None for what could not be measured."""
_LEAST_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for all parts."""

    runtime: Runtime
    """The model, as `heed watch` runs it here."""
    folder: Path
    """For files of the run; gone afterwards."""
    scenes: Scenes
    seconds: float
    """How long each comparison takes, about."""
    most_cameras: int
    """More are not tried."""
    stopped: threading.Event
    """Set when the user ends it."""
    tell: Callable[[str], None] = lambda _: None
    """Told what is measured now."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a figure is None, by its key."""

    def check(self) -> None:
        """Goes on.

        Raises:
            BenchStoppedError: the user has ended it.
        """
        check(self.stopped)

    def wait(self, seconds: float) -> None:
        """Waits.

        Raises:
            BenchStoppedError: the user has ended it.
        """
        self.stopped.wait(seconds)
        self.check()

    def clip(self, scene: Path) -> Path:
        """A scene, long enough to be watched as fast as it goes for some seconds."""
        path = self.folder / f"{scene.stem}-long.mkv"
        if not path.exists():
            repeated(scene, self.scenes.seconds, path, 6 * self.seconds)
        return path

    def medians(self, measures: Mapping[str, Callable[[], float]]) -> dict[str, float]:
        """Each measure's median over rounds in which all take turns: what else the machine does hits all alike.

        A first round is not counted: it warms up. At least three are, and as many as go into `seconds`.
        """
        found: dict[str, list[float]] = {name: [] for name in measures}
        for measure in measures.values():
            self.check()
            measure()
        until = time.monotonic() + self.seconds
        while len(next(iter(found.values()))) < _LEAST_ROUNDS or time.monotonic() < until:
            for name, measure in measures.items():
                self.check()
                found[name].append(measure())
        return {name: median(values) for name, values in found.items()}


def check(stopped: threading.Event) -> None:
    """Goes on.

    Raises:
        BenchStoppedError: the user has ended it.
    """
    if stopped.is_set():
        raise BenchStoppedError("bench: stopped before its end: no figures; run it again")


def seconds_of(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


@contextmanager
def publishing(setting: Setting) -> Iterator[Publisher]:
    """The real way out: an outbox, and an embedded Redis."""
    state = setting.folder / "state"
    with closing(connect(None, state)) as client, Publisher(client, state) as publisher:
        yield publisher
