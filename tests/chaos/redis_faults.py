"""Everything that happens to a Redis, while two cameras keep giving alerts.

Three installations suffer side by side, each with a Redis of its own behind a proxy of its own, and two subscribers:
one that follows all alerts, and one in a consumer group. A fourth is left in peace, to know how steadily alerts come
on this machine at this time. The next fault comes up to a second after alerts have begun to flow again.

Every alert that an engine has shown must reach both subscribers; every event must be whole, and end. A pipeline was
blocked for as long as the longest time between two alerts of a camera was longer than in the installation in peace;
what it may be is for an idle machine, and grows as this one is slower.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

from alerts import keys

from .installation import Material, installation
from .line import Said, Subscriber, complain, slowdown, wait_for
from .scripted import Burst
from .steps import Steps

ABOUT = "Redis killed, stopped, frozen, out of memory, cut off in the middle of a command"
FAULTS: Final = 100
LANES: Final = 3
"""Installations side by side."""
SOURCES: Final = ("door", "gate")
BLOCKED_SECONDS: Final = 1.0
"""Most that a pipeline may wait for a Redis."""
_PATIENCE_SECONDS = 60.0
_STEADY = ((Burst(0.0, 4.8, "seen"),), 6.0)
"""An alert every half second, and one end and one begin in six."""


def run(rng: random.Random, folder: Path, scale: float) -> dict[str, float]:
    """Does `FAULTS * scale` faults."""
    num_faults = max(2, round(FAULTS * scale))
    num_lanes = min(LANES, 1 + num_faults // 8)
    material = Material.write(folder, *_STEADY)
    kinds = [kind for _ in range(num_faults) for kind in rng.sample(list(Lane.KINDS), len(Lane.KINDS))][:num_faults]
    lanes = [Lane(folder / f"lane{i}", material, rng.randrange(2**32)) for i in range(num_lanes)]
    calm, is_over = Lane(folder / "calm", material, 0), threading.Event()
    with ThreadPoolExecutor(num_lanes + 1) as pool:
        undisturbed = pool.submit(calm.run, is_over.wait)
        try:
            suffered = [
                pool.submit(lane.run, partial(lane.suffer, kinds[number::num_lanes]))
                for number, lane in enumerate(lanes)
            ]
            for future in suffered:
                future.result()
        finally:
            is_over.set()
        undisturbed.result()
    longest_seconds, calm_seconds = max(lane.longest_seconds for lane in lanes), calm.longest_seconds
    block_seconds = max(0.0, longest_seconds - calm_seconds)
    every = [*lanes, calm]
    return {
        "tried": sum(lane.faults.total() for lane in lanes),
        "lost": sum(lane.num_lost for lane in every),
        "duplicated": sum(lane.num_duplicated for lane in every),
        "failed": sum(lane.num_failed for lane in every) + (block_seconds > BLOCKED_SECONDS * slowdown()),
        "alerts": sum(len(lane.shown) for lane in every),
        "redelivered": sum(lane.num_redelivered for lane in every),
        "longest_block_seconds": round(block_seconds, 2),
        "longest_gap_seconds": round(longest_seconds, 2),
        "undisturbed_gap_seconds": round(calm_seconds, 2),
    }


class Lane:
    """An installation with two cameras, and its Redis."""

    def __init__(self, folder: Path, material: Material, seed: int) -> None:
        self.faults: Counter[str] = Counter()
        self.shown: list[Said] = []
        """Alerts as the engine has shown them."""
        self.num_lost = self.num_duplicated = self.num_redelivered = self.num_failed = 0
        self.longest_seconds = 0.0
        """Between two alerts of one camera."""
        self._folder, self._material = folder, material
        self._rng = random.Random(seed)  # noqa: S311
        self._pause = threading.Event()

    def run(self, live: Callable[[], object]) -> None:
        """Starts everything, lives, ends everything in order, and counts."""
        with (
            installation(self._folder, self._material, SOURCES, proxied=True) as self._place,
            Subscriber(self._place.redis_url, group="guards") as self._member,
        ):
            with self._place.watch() as watch:
                watch.wait_up(SOURCES)
                self._place.wait_for_flow([self._member])
                live()
                self._place.wait_for_flow([self._member])
                watch.stop()
            self.shown = watch.shown
            self._place.settle([self._member])
            for subscriber in (self._place.subscriber, self._member):
                self._count(subscriber)
        for source in SOURCES:
            times = [said.at for said in self.shown if said.text.split("  ")[1] == source]
            self.longest_seconds = max(self.longest_seconds, *(after - before for before, after in pairwise(times)))

    def suffer(self, kinds: list[str]) -> None:
        """Faults of these kinds, one after the other."""
        for kind in kinds:
            self.KINDS[kind](self)
            self.faults[kind] += 1
            self._place.wait_for_flow([self._member])
            self._wait(0, 1)

    def _killed(self) -> None:
        self._place.server.kill()
        self._wait(0, 3)
        self._place.server.start()

    def _stopped(self) -> None:
        self._place.server.stop()
        self._wait(0, 3)
        self._place.server.start()

    def _frozen(self) -> None:
        self._place.server.freeze()
        self._wait(0.2, 1.4 * keys.SOCKET_SECONDS)
        self._place.server.thaw()

    def _full(self) -> None:
        self._place.server.client.config_set("maxmemory", 1)
        self._wait(0.5, 3)
        self._place.server.client.config_set("maxmemory", 0)

    def _cut(self) -> None:
        """In the middle of what is sent to Redis, or of its answer."""
        cut_before = self._place.proxy.num_cut
        self._place.proxy.cut_after(self._rng.choice(["to", "from"]), self._rng.randrange(2500))
        wait_for(lambda: self._place.proxy.num_cut > cut_before, _PATIENCE_SECONDS, "a cut")

    def _cut_all(self) -> None:
        self._place.proxy.cut_all()

    KINDS: Final = {
        "killed": _killed,
        "stopped": _stopped,
        "frozen": _frozen,
        "full": _full,
        "cut": _cut,
        "cut_all": _cut_all,
    }

    def _wait(self, least_seconds: float, most_seconds: float) -> None:
        self._pause.wait(self._rng.uniform(least_seconds, most_seconds))

    def _count(self, subscriber: Subscriber) -> None:
        steps = Steps.of(subscriber.alerts)
        self.num_lost += steps.num_missing + steps.num_unseen(said.text for said in self.shown)
        self.num_duplicated += steps.num_duplicated
        self.num_redelivered += steps.num_redelivered
        self.num_failed += complain("redis_faults", filter(None, [*steps.faults, subscriber.error]))
