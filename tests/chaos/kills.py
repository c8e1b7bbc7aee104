"""`kill -9` of the engine, of a camera process, and of everything, at random moments.

Four installations run side by side, each with a camera that shows a script of bursts, a state folder and a Redis.
They are killed, and started again on the same state folder, until all kills are done; then each is started once more,
on a quiet file, and ends by itself. A kill comes while the command is still starting, or up to a whole script after
its camera runs; Redis hangs now and then, until the kill, so that alerts wait in the outbox.

Alerts that must reach the subscriber, or are lost:

- every alert that the engine has shown on its standard output: it was in the outbox before;
- every alert that was in the outbox after a kill;
- every step of an event of which a later step came;
- an event for every *due* time. A time is due when the engine itself announced, in `heed:state:NAME`, window by window,
  two anomalous windows that follow each other (an event is then confirmed, and told before the second is announced),
  or windows without a hole for so long that a whole scripted burst lies among them, whatever it made of them.

An event that began must end, once: when its engine died, by what the next run tells of it.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from .alarm_bundle import SPEC
from .announced import Announcements, confirmed
from .installation import Material, installation
from .line import Watch, complain, wait_for
from .scripted import BURST_SURE_SECONDS, SCRIPT, SCRIPT_SECONDS
from .steps import Steps

ABOUT = "kill -9 of engine, camera process and whole tree while a scripted stream runs"
KILLS: Final = 200
TREES: Final = 4
"""Installations side by side."""
_STARTING_SHARE = 0.2
"""Of kills that come before the camera runs."""
_STARTING_SECONDS = 3.0
_FROZEN_SHARE = 0.3
"""Of the others, that come while Redis hangs: alerts then wait in the outbox."""
_CAMERA_KILLS = 3
"""Of one engine's camera: one that crashes five times in a minute is given up, as it should be."""
_ORPHAN_SECONDS = 20.0
"""A camera process ends this soon after its engine, however loaded the machine."""


def run(rng: random.Random, folder: Path, scale: float) -> dict[str, float]:
    """Kills `KILLS * scale` times."""
    num_kills = max(3, round(KILLS * scale))
    num_trees = min(TREES, 1 + num_kills // 4)
    material = Material.write(folder, SCRIPT, SCRIPT_SECONDS)
    trees = [Tree(folder / f"cam{number}", material, rng.randrange(2**32)) for number in range(num_trees)]
    shares = [num_kills // num_trees + (number < num_kills % num_trees) for number in range(num_trees)]
    with ThreadPoolExecutor(num_trees) as pool:
        list(pool.map(Tree.run, trees, shares))  # raises what any of them raised
    names = ("lost", "duplicated", "failed", "due", "events", "alerts", "held", "redelivered")
    return {
        "tried": num_kills,
        **{name: sum(tree.figures[name] for tree in trees) for name in names},
        **{f"killed_{kind}": sum(tree.kills[kind] for tree in trees) for kind in ("engine", "camera", "tree")},
    }


class Tree:
    """An installation with one camera."""

    def __init__(self, folder: Path, material: Material, seed: int) -> None:
        self.kills: Counter[str] = Counter()
        self.figures: dict[str, float] = {}
        self._source = folder.name
        self._held: set[tuple[str, int]] = set()
        """Alerts found in the outbox after a kill."""
        self._folder, self._material = folder, material
        self._rng = random.Random(seed)  # noqa: S311
        self._lives: list[Watch] = []

    def run(self, num_kills: int) -> None:
        """Is killed so often, ends well, and counts."""
        with installation(self._folder, self._material, [self._source]) as self._place:
            with Announcements(self._place.server.url) as announcements:
                while self.kills.total() < num_kills:
                    with self._place.watch() as watch:
                        self._lives.append(watch)
                        self._until_dead(watch, num_kills)
            self._place.settle()
            self._count(self._place.steps(), list(self._due(announcements)))

    def _count(self, steps: Steps, due: list[tuple[datetime, datetime]]) -> None:
        events = steps.events
        num_untold = sum(not any(event.overlaps(start, end) for event in events) for start, end in due)
        num_unsent = len(self._held - {(alert.id, alert.sequence) for alert in steps.alerts})
        num_unseen = steps.num_unseen(said.text for life in self._lives for said in life.shown)
        self.figures = {
            "lost": num_untold + num_unsent + num_unseen + steps.num_missing,
            "duplicated": steps.num_duplicated,
            "failed": complain("kills", steps.faults) + _num_left(self._lives),
            "due": len(due),
            "events": len(events),
            "alerts": len(steps.alerts),
            "held": len(self._held),
            "redelivered": steps.num_redelivered,
        }

    def _due(self, announcements: Announcements) -> Iterator[tuple[datetime, datetime]]:
        """Times in which an event of this camera must have been told."""
        window, piece = timedelta(seconds=SPEC.window_seconds), timedelta(seconds=BURST_SURE_SECONDS)
        for stretch in announcements.stretches(self._source, SPEC.stride_seconds):
            for start, end in confirmed(stretch):
                yield start - window, end
            start = stretch[0].at
            while start + piece + window <= stretch[-1].at:
                yield start, start + piece + window
                start += piece + window

    def _until_dead(self, watch: Watch, num_kills: int) -> None:
        """Kills cameras, and at last the engine, or all; or stops short when there were kills enough."""
        camera_kills = 0
        while self.kills.total() < num_kills:
            kind = self._rng.choice(
                ["engine", "tree", "camera"] if camera_kills < _CAMERA_KILLS else ["engine", "tree"]
            )
            self._wait_for_moment(watch)
            if kind == "camera":
                wait_for(watch.cameras, 60, f"{self._source}: a camera process; {watch.last_words()}")
                watch.cameras()[0].kill()
                camera_kills += 1
            elif kind == "engine":
                watch.kill()
            else:
                watch.kill_tree()
            self.kills[kind] += 1
            self._held |= self._place.outbox()
            self._place.server.thaw()
            if kind != "camera":
                break
        else:
            watch.kill()

    def _wait_for_moment(self, watch: Watch) -> None:
        pause = threading.Event()
        if self._rng.random() < _STARTING_SHARE:
            pause.wait(self._rng.uniform(0, _STARTING_SECONDS))
        else:
            watch.wait_up([self._source])
            if self._rng.random() < _FROZEN_SHARE:
                self._place.server.freeze()
            pause.wait(self._rng.uniform(0, SCRIPT_SECONDS))


def _num_left(lives: Sequence[Watch]) -> int:
    """Processes of engines that are gone, after they have had time to notice."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while (left := sum(len(life.group()) for life in lives)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left
