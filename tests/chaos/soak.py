"""Four cameras for half an hour, three of them cut off again and again: nothing may grow, and no clock may drift."""

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil
from conftest import EXECUTABLE, RedisServer
from rtsp_server import RtspServer

from .alarm_bundle import write_alarm_bundle
from .flow import Flow
from .installation import ENGINE, EVENT
from .line import Watch, write_config
from .scripted import write_script
from .slopes import Slope

ABOUT: Final = "half an hour of cameras that reconnect: memory, files, threads and processes flat, no drift of times"

SECONDS: Final = 1800.0
_SHORT_SECONDS: Final = 8.0
"""Of the short form, which says nothing of slopes."""
_SHORT_SCALE: Final = 0.02
_JUDGED_SECONDS: Final = 300.0
"""A shorter run is all beginning."""
_SAMPLE_SECONDS: Final = 2.0
_PERIODS: Final = {"steady": None, "minute": 60.0, "often": 20.0, "hurried": 8.0}
"""Cameras, and after how many seconds each is cut off again."""
_LIVE: Final = {"first_pause_seconds": 0.5, "longest_pause_seconds": 2, "healthy_seconds": 1}
_MOST_GROWTH: Final = {
    "memory_mib": 1.0,
    "files": 0.0,
    "threads": 0.0,
    "processes": 0.0,
}
"""In ten minutes."""
_MOST_DRIFT: Final = 0.05
"""Seconds in ten minutes, either way."""
_TEN_MINUTES: Final = 600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What the engine and its camera processes take, together."""

    seconds: float
    """`time.monotonic()`."""
    memory_mib: float
    """Resident."""
    files: int
    """Descriptors."""
    threads: int
    """Of all processes."""
    processes: int
    """The engine among them."""


def run(rng: random.Random, folder: Path, scale: float) -> dict[str, float]:
    """Watches for `SECONDS * scale`, and looks at the second half."""
    seconds = SECONDS * scale if scale > _SHORT_SCALE else _SHORT_SECONDS
    bundle, script = write_alarm_bundle(folder / "bundle"), write_script(folder / "script.mp4")
    ended = threading.Event()
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(EXECUTABLE, folder))
        servers = {name: stack.enter_context(RtspServer(script)) for name in _PERIODS}
        flow = stack.enter_context(Flow(redis.url))
        urls = {name: server.url for name, server in servers.items()}
        config = write_config(folder / "heed.toml", urls, live=_LIVE, engine=ENGINE, event=EVENT)
        watch = stack.enter_context(Watch(config, bundle, folder / "state", redis.url))
        watch.wait_up(list(urls))
        with ThreadPoolExecutor(len(_PERIODS)) as pool:
            cuts = [
                pool.submit(_cut, servers[name], min(period, seconds / 3), random.Random(rng.random()), ended)  # noqa: S311
                for name, period in _PERIODS.items()
                if period
            ]
            samples = _samples(watch, seconds)
            ended.set()
        num_lost = _num_lost(flow)
        watch.stop()
    num_cuts = sum(cut.result() for cut in cuts)
    return _figures(samples, flow, num_cuts, num_lost, is_judged=seconds >= _JUDGED_SECONDS)


def _cut(server: RtspServer, period: float, rng: random.Random, ended: threading.Event) -> int:
    """Restarts a camera about every so many seconds, and returns how often."""
    count = 0
    while not ended.wait(period * rng.uniform(0.8, 1.2)):
        server.stop()
        ended.wait(rng.uniform(0, 1))
        server.start()
        count += 1
    return count


def _samples(watch: Watch, seconds: float) -> list[Sample]:
    """What it takes, from now on for so long."""
    samples: list[Sample] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end and watch.is_running:
        with suppress(psutil.NoSuchProcess):  # one that just ended
            samples.append(_sample(watch.pid))
        time.sleep(_SAMPLE_SECONDS)
    return samples


def _sample(pid: int) -> Sample:
    engine = psutil.Process(pid)
    processes = [engine, *engine.children(recursive=True)]
    return Sample(
        time.monotonic(),
        sum(process.memory_info().rss for process in processes) / 2**20,
        sum(process.num_fds() for process in processes),
        sum(process.num_threads() for process in processes),
        len(processes),
    )


def _num_lost(flow: Flow) -> int:
    """Cameras whose windows do not come any more."""
    lost = 0
    for name in _PERIODS:
        try:
            flow.wait_for_more(name, 2, 60)
        except RuntimeError:
            lost += 1
    return lost


def _figures(
    samples: Sequence[Sample], flow: Flow, num_cuts: int, num_lost: int, *, is_judged: bool
) -> dict[str, float]:
    half = samples[len(samples) // 2 :]
    times = [sample.seconds for sample in half]
    growths = {name: Slope.of(times, [getattr(sample, name) for sample in half]) for name in _MOST_GROWTH}
    drifts = {name: _drift(flow, name, half[0].seconds) for name in _PERIODS}
    worst = max(drifts.values(), key=lambda drift: abs(drift.per_second))
    bad = [name for name, slope in growths.items() if slope.lowest * _TEN_MINUTES > _MOST_GROWTH[name]]
    bad += [name for name, slope in drifts.items() if max(slope.lowest, -slope.highest) * _TEN_MINUTES > _MOST_DRIFT]
    return {
        "tried": num_cuts,
        "lost": num_lost,
        "duplicated": 0,
        "failed": len(bad) if is_judged else 0,
        "samples": len(samples),
        **{name: round(float(getattr(samples[-1], name)), 1) for name in growths},
        **{f"{name}_per_10_minutes": round(slope.per_second * _TEN_MINUTES, 3) for name, slope in growths.items()},
        "drift_seconds_per_10_minutes": round(worst.per_second * _TEN_MINUTES, 4),
        "steady_drift_seconds_per_10_minutes": round(drifts["steady"].per_second * _TEN_MINUTES, 4),
    }


def _drift(flow: Flow, name: str, since: float) -> Slope:
    """Of the delay from a window's end, by its own time, until it was announced."""
    here = datetime.now(UTC).timestamp() - time.monotonic()
    windows = [window for window in flow.windows(name) if window.heard > since]
    return Slope.of(
        [window.heard for window in windows], [here + window.heard - window.at.timestamp() for window in windows]
    )
