"""Counts what an engine does, and says it every few seconds for who asks."""

import os
import socket
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import version

from alerts import keys
from alerts.alert import Alert
from alerts.errors import OutboxError
from alerts.redis_stream import Publisher
from export.runtime import Runtime
from pipeline.camera import Cameras
from pipeline.live import SourceState
from pipeline.score import Scores
from pipeline.snapshot import BOUNDS, NUM_COUNTS, Snapshot, Value
from pipeline.usage import Gpus, process_figures

Look = Callable[[], Iterable[Value]]
"""Says what some figures are now."""
_SLOW = frozenset({"cpu", "openvino"})


class Telemetry:
    """What an engine has counted. Safe for several threads."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._lock = threading.Lock()
        self._values: dict[tuple[str, tuple[str, ...]], float] = {}
        self._counts: dict[str, list[int]] = {}  # by stage, for each of BOUNDS and beyond
        self._sums: dict[str, float] = {}
        self._gpus = Gpus()
        self._looks: list[Look] = [self._gpus.figures]
        self._set("heed_engine_start_time_seconds", value=time.time())

    def note_start(self, asked: str, runtime: Runtime, sources: Iterable[str]) -> None:
        """These sources are judged with this; `asked` is the provider that the configuration names."""
        bundle, used = runtime.bundle, runtime.provider
        about = (asked, used, runtime.precision, bundle.name, bundle.sha256, version("heed"))
        self._set("heed_engine_info", *about, value=1)
        self._set("heed_engine_silent_cpu", value=is_silent_cpu(asked, used, len(self._gpus)))
        for source in sources:
            self._add("heed_windows_total", source, amount=0)
            for label in runtime.spec.labels:  # else Prometheus would take the first event for how things always were
                self._add("heed_events_total", source, label, amount=0)

    def note_state(self, source: str, state: SourceState) -> None:
        """The source is so from now on."""
        self._set("heed_source_up", source, value=state.status in {"running", "ended"})
        self._add("heed_source_reconnects_total", source, amount=state.status in {"reconnecting", "unauthorised"})
        self._add("heed_source_stalls_total", source, amount=state.status == "stalled")

    def note_scores(self, scores: Scores) -> None:
        """A window has just been judged."""
        source = scores.source
        self._add("heed_windows_total", source)
        self._add("heed_anomalous_windows_total", source, amount=scores.is_anomaly)
        self._set("heed_score", source, value=scores.anomaly)
        self._set("heed_threshold", source, value=scores.threshold)
        for name, own in scores.modalities.items():
            if own.present:
                self._add("heed_encoder_runs_total", source, name, amount=name in scores.computed)
                self._add("heed_encoder_runs_saved_total", source, name, amount=name not in scores.computed)
        age_seconds = time.monotonic() - scores.closed_at
        closed = datetime.now(UTC) - timedelta(seconds=age_seconds)
        happened = scores.origin + timedelta(seconds=scores.end_seconds)
        self._took("window", (closed - happened).total_seconds())
        self._took("score", age_seconds)

    def timed(self, sink: Callable[[Alert], None]) -> Callable[[Alert], None]:
        """The sink, counting what it takes, and how long it takes for it."""

        def take(alert: Alert) -> None:
            began = time.monotonic()
            sink(alert)
            self._took("alert", time.monotonic() - began)
            self._add("heed_alerts_total", alert.source, alert.kind)
            self._add("heed_events_total", alert.source, alert.label, amount=alert.kind == "begin")

        return take

    def note_sent(self, waited_seconds: float) -> None:
        """Redis has an alert that was on the disk so long."""
        self._took("redis", waited_seconds)

    def look_at(self, look: Look) -> None:
        """Asks it for every snapshot from now on."""
        self._looks.append(look)

    def snapshot(self) -> Snapshot:
        """All figures now."""
        looked = [value for look in self._looks for value in look()]
        with self._lock:
            counted = [(name, labels, value) for (name, labels), value in self._values.items()]
            timings = [
                ("heed_stage_seconds", (stage,), tuple(counts), self._sums[stage])
                for stage, counts in self._counts.items()
            ]
        return Snapshot(at=time.time(), values=(*counted, *looked), timings=tuple(timings))

    @contextmanager
    def reported(
        self, report: Callable[[str], None], every_seconds: float = keys.METRICS_EVERY_SECONDS
    ) -> Iterator[None]:
        """Within, snapshots are reported as JSON: at once, and again and again."""
        over = threading.Event()

        def go_on() -> None:
            while True:
                report(self.snapshot().model_dump_json())
                if over.wait(every_seconds):
                    return

        thread = threading.Thread(target=go_on, name="telemetry", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _set(self, name: str, *labels: str, value: float) -> None:
        with self._lock:
            self._values[name, labels] = float(value)

    def _add(self, name: str, *labels: str, amount: float = 1) -> None:
        """Also adds nothing: what never happened is 0, and not unknown."""
        with self._lock:
            self._values[name, labels] = self._values.get((name, labels), 0.0) + amount

    def _took(self, stage: str, seconds: float) -> None:
        """A file that is read faster than it plays is in time, and not ahead of it."""
        seconds = max(0.0, seconds)
        with self._lock:
            self._counts.setdefault(stage, [0] * NUM_COUNTS)[bisect_left(BOUNDS, seconds)] += 1
            self._sums[stage] = self._sums.get(stage, 0.0) + seconds


@contextmanager
def published(telemetry: Telemetry, publisher: Publisher, name: str | None) -> Iterator[None]:
    """Within, what is counted goes to Redis, and how the outbox is.

    Args:
        telemetry: what counts.
        publisher: the way to Redis.
        name: of the engine; none means the machine's. Its number is added where a state folder has several engines.
    """
    name = name or socket.gethostname()
    telemetry.look_at(partial(outbox_figures, publisher))
    with telemetry.reported(partial(publisher.report, f"{name}-{publisher.run}" if publisher.run else name)):
        yield


def is_silent_cpu(asked: str, used: str, num_gpus: int) -> bool:
    """Whether the engine runs on the CPU although something faster was asked for, or is there to be chosen."""
    return used in _SLOW and (num_gpus > 0 if asked == "auto" else asked not in _SLOW)


def camera_figures(cameras: Cameras) -> Iterator[Value]:
    """What became of windows before they were judged, and what the processes use."""
    for source, num_dropped in cameras.num_dropped.items():
        yield "heed_dropped_windows_total", (source,), float(num_dropped)
    for source, seconds in cameras.queue_ages().items():
        yield "heed_queue_age_seconds", (source,), seconds
    yield from process_figures({"engine": os.getpid(), **cameras.processes()})


def outbox_figures(publisher: Publisher) -> Iterator[Value]:
    """What waits for Redis, and what has waited in vain."""
    with suppress(OutboxError):  # told when an alert is put
        yield "heed_outbox_alerts", (), float(publisher.num_waiting)
    yield "heed_discarded_alerts_total", (), float(publisher.num_discarded)
