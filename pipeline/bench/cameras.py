"""How many live cameras this machine watches in time: more and more of them, until it cannot."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event
from typing import Final

import numpy as np
from pydantic import SecretStr

from pipeline.bench import process
from pipeline.bench.material import GROUP_SECONDS, repeated
from pipeline.bench.process import usage
from pipeline.bench.setting import Figures, Setting, publishing
from pipeline.config import Config, SourceConfig
from pipeline.run import Summary, watch
from pipeline.score import Scores
from pipeline.window import Window

LONGEST_P95_SECONDS: Final = 2.0
"""From a window's last item to its scores: what is slower is not live."""
_START_SECONDS: Final = 60.0
"""Until all cameras have given a window; one more for each of them."""
_SETTLE_SECONDS: Final = 5.0
"""What waited while processes started is worked off before anything is counted."""


@dataclass(frozen=True, slots=True)
class Point:
    """So many live cameras."""

    num_cameras: int
    holds: bool
    """All in time, and nothing dropped."""
    p50_seconds: float | None
    """From item to alert; none: they did not all start."""
    p95_seconds: float | None
    num_dropped: int
    windows_per_second: float
    cpu_cores: float | None
    """Cores that were busy, of all processes together; none: this system does not tell."""
    pss_mib: float | None
    """Memory of all processes together."""


@dataclass(slots=True)
class _Seen:
    """What `watch` has told so far."""

    windows: list[tuple[str, float, float, float]] = field(default_factory=list)
    """Source, end on its clock, when it was complete, and when its scores were out."""
    num_dropped: dict[str, int] = field(default_factory=dict)

    def observe(self, window: Window, _: Scores) -> None:
        self.windows.append((window.source, window.end_seconds, window.closed_at, time.monotonic()))

    def announce(self, source: str, state: Mapping[str, str | float]) -> None:
        self.num_dropped[source] = int(state["dropped"])

    def latencies(self, since: float) -> dict[str, list[float]]:
        """Of each source, the seconds from item to scores.

        An item comes when it is due by the source's clock, not when a process that is behind has read it.
        """
        zero: dict[str, float] = {}
        for source, end, closed_at, _ in self.windows:
            zero[source] = min(zero.get(source, closed_at - end), closed_at - end)
        found: dict[str, list[float]] = {}
        for source, end, _, out_at in self.windows:
            if out_at >= since:
                found.setdefault(source, []).append(out_at - zero[source] - end)
        return found


def cameras(setting: Setting) -> Figures:
    """The curves of ordinary and of busy footage."""
    ordinary = _curve(setting, setting.scenes.ordinary)
    busy = _curve(setting, setting.scenes.busy)
    each = _mib_each(ordinary)
    if ordinary[0].pss_mib is None:
        setting.reasons["cameras.mib_each"] = process.UNKNOWN
    elif each is None:
        setting.reasons["cameras.mib_each"] = "fewer than two cameras could be watched"
    return {
        "most_live": _most(ordinary),
        "most_live_busy": _most(busy),
        "mib_each": each,
        "most_tried": setting.most_cameras,
        "ordinary": [asdict(point) for point in ordinary],
        "busy": [asdict(point) for point in busy],
    }


def _curve(setting: Setting, scene: Path) -> list[Point]:
    """Twice as many each time, and between the last that held and the first that did not, to an eighth."""
    clips = [
        repeated(scene, setting.scenes.seconds, setting.folder / f"{scene.stem}-{group}.mkv", _length(setting), group)
        for group in range(round(setting.scenes.seconds / GROUP_SECONDS))
    ]
    points: list[Point] = []
    held, failed = 0, setting.most_cameras + 1
    while count := _next(held, failed, setting.most_cameras):
        setting.tell(f"cameras: {count} live, {scene.stem}")
        points.append(_measure(setting, clips, count))
        held, failed = (count, failed) if points[-1].holds else (held, count)
    return sorted(points, key=lambda point: point.num_cameras)


def _next(held: int, failed: int, most: int) -> int:
    """How many to try next; 0: it is known well enough."""
    if failed > most:
        return min(most, 2 * held or 1) if held < most else 0
    return (held + failed) // 2 if failed - held > max(1, held // 8) else 0


def _length(setting: Setting) -> float:
    """Longer than any measurement."""
    return _START_SECONDS + setting.most_cameras + _SETTLE_SECONDS + 2 * setting.seconds


def _measure(setting: Setting, clips: Sequence[Path], count: int) -> Point:
    sources = tuple(
        SourceConfig(name=f"camera-{number}", url=SecretStr(str(clips[number % len(clips)])), pace="live")
        for number in range(count)
    )
    seen = _Seen()
    with _watching(setting, Config(source=sources), seen) as running:
        if not _all_started(setting, seen, running, count):
            return Point(count, False, None, None, sum(seen.num_dropped.values()), 0.0, None, None)
        setting.wait(min(_SETTLE_SECONDS, setting.seconds))
        began, dropped, before = time.monotonic(), sum(seen.num_dropped.values()), usage()
        setting.wait(setting.seconds)
        lasted, after = time.monotonic() - began, usage()
        dropped = sum(seen.num_dropped.values()) - dropped
    found = seen.latencies(began)
    seconds = [each for latencies in found.values() for each in latencies]
    p50, p95 = map(float, np.percentile(seconds, [50, 95])) if seconds else (None, None)
    return Point(
        num_cameras=count,
        holds=len(found) == count and p95 is not None and p95 <= LONGEST_P95_SECONDS and not dropped,
        p50_seconds=p50,
        p95_seconds=p95,
        num_dropped=dropped,
        windows_per_second=len(seconds) / lasted,
        cpu_cores=(after.cpu_seconds - before.cpu_seconds) / lasted if before and after else None,
        pss_mib=after.pss_mib if after else None,
    )


@contextmanager
def _watching(setting: Setting, config: Config, seen: _Seen) -> Iterator[Future[Summary]]:
    """`watch` in a thread of its own, ended when the block is left."""
    over = Event()

    def run() -> Summary:
        with publishing(setting) as publisher:

            def announce(source: str, state: Mapping[str, str | float]) -> None:
                seen.announce(source, state)
                publisher.announce(source, state)

            return watch(config, setting.runtime, publisher, over, announce=announce, observe=seen.observe)

    with ThreadPoolExecutor(1, thread_name_prefix="watch") as thread:
        running = thread.submit(run)
        try:
            yield running
        finally:
            over.set()
        running.result()


def _all_started(setting: Setting, seen: _Seen, running: Future[Summary], count: int) -> bool:
    """Waits until every camera has given a window."""
    until = time.monotonic() + _START_SECONDS + count
    while time.monotonic() < until and not running.done():
        if len({source for source, *_ in seen.windows}) == count:
            return True
        setting.wait(0.1)
    return False


def _most(points: Sequence[Point]) -> int:
    return max((point.num_cameras for point in points if point.holds), default=0)


def _mib_each(points: Sequence[Point]) -> float | None:
    """Memory of one camera more."""
    held = [(point.num_cameras, point.pss_mib) for point in points if point.holds and point.pss_mib is not None]
    if len(held) < 2:
        return None
    (few, least), *_, (many, most) = held
    return (most - least) / (many - few)
