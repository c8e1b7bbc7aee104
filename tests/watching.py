"""A watch in a thread of its own, and all that it told."""

import multiprocessing
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from alerts.alert import Alert
from export.runtime import Runtime
from pipeline.config import Config, EngineConfig, LiveConfig, SourceConfig
from pipeline.live import SourceState
from pipeline.run import Summary, watch
from pipeline.score import Scores
from pipeline.telemetry import Telemetry
from pipeline.window import Window

LIVE = LiveConfig(first_pause_seconds=0.1, read_timeout_seconds=5)


def config(*sources: tuple[str, str | Path], pace: str = "auto", queue_windows: int = 8) -> Config:
    """A tiny threshold makes every window an anomaly."""
    named = [
        SourceConfig.model_validate({"name": name, "url": str(url), "pace": pace, "threshold": 0.0001})
        for name, url in sources
    ]
    return Config(source=tuple(named), live=LIVE, engine=EngineConfig(queue_windows=queue_windows))


@dataclass
class Watching:
    """A watch, and all that it told."""

    config: Config
    runtime: Runtime
    evidence: Path | None = None
    """Folder of clips and snapshots."""
    alerts: list[Alert] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    present: dict[str, Mapping[str, str | float]] = field(default_factory=dict)
    states: dict[str, list[SourceState]] = field(default_factory=lambda: defaultdict(list))
    stopped: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)
    """The engine waits for it after every window."""
    summary: Summary = field(default_factory=Summary)
    telemetry: Telemetry = field(default_factory=Telemetry)

    def run(self) -> "Watching":
        """To the end of all sources."""
        self.goes_on.set()
        self._watch()
        return self

    def __enter__(self) -> "Watching":
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.goes_on.set()
        self._thread.join()

    def join(self) -> None:
        """Waits for its own end."""
        self.goes_on.set()
        self._thread.join()

    def statuses(self, source: str) -> list[str]:
        """How a source was, from the start on."""
        return [state.status for state in self.states[source]]

    def _watch(self) -> None:
        self.summary = watch(
            self.config,
            self.runtime,
            self.alerts.append,
            self.stopped,
            announce=self.present.__setitem__,
            observe=self._observe,
            on_state=lambda source, state: self.states[source].append(state),
            evidence=self.evidence,
            telemetry=self.telemetry,
        )

    def _observe(self, window: Window, _: Scores) -> None:
        self.windows.append(window)
        self.goes_on.wait()


def camera_process(source: str) -> int:
    """Id of the process of a source."""
    return next(
        process.pid
        for process in multiprocessing.active_children()
        if process.name == f"heed {source}" and process.pid is not None
    )
