"""`kill -9` of the engine, of a camera process, and of everything, at random moments.

Four installations run side by side, each with a camera that shows a script of bursts, a state folder and a Redis.
They are killed, and started again on the same state folder, until all kills are done; then each is started once more
and ended in order. A kill comes while the command is still starting, or up to a whole script after its camera runs.

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
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import redis
from conftest import SERVERS, RedisServer
from rtsp_server import RtspServer

from alerts import keys
from alerts.alert import Alert

from .alarm_bundle import SPEC, write_alarm_bundle
from .announced import Announcements, confirmed
from .line import Subscriber, Watch, wait_for, write_config
from .scripted import BURST_SURE_SECONDS, SCRIPT_SECONDS, write_script
from .steps import Steps

ABOUT = "kill -9 of engine, camera process and whole tree while a scripted stream runs"
KILLS: Final = 200
TREES: Final = 4
"""Installations side by side."""
_STARTING_SHARE = 0.2
"""Of kills that come before the camera runs."""
_STARTING_SECONDS = 3.0
_CAMERA_KILLS = 3
"""Of one engine's camera: one that crashes five times in a minute is given up, as it should be."""
_ORPHAN_SECONDS = 20.0
"""A camera process ends this soon after its engine, however loaded the machine."""


def run(rng: random.Random, folder: Path, scale: float) -> dict[str, float]:
    """Kills `KILLS * scale` times."""
    num_kills = max(3, round(KILLS * scale))
    num_trees = min(TREES, num_kills)
    bundle, clip = write_alarm_bundle(folder / "bundle"), write_script(folder / "script.mp4")
    executable = SERVERS["system"] or SERVERS["bundled"]
    assert executable is not None
    with (
        RedisServer(executable, folder) as server,
        Subscriber(server.url) as subscriber,
        Announcements(server.url) as announcements,
        ThreadPoolExecutor(num_trees) as pool,
    ):
        trees = [Tree(f"cam{i}", folder, bundle, clip, server.url, rng.randrange(2**32)) for i in range(num_trees)]
        shares = [num_kills // num_trees + (i < num_kills % num_trees) for i in range(num_trees)]
        list(pool.map(Tree.suffer, trees, shares))  # raises what any of them raised
        wait_for(lambda: len(subscriber.alerts) >= _stream_length(server.url), 60, "the subscriber's last alert")
        steps = Steps.of(subscriber.alerts)
        due = [(tree.source, *time) for tree in trees for time in tree.due(announcements)]
    events = steps.events
    num_untold = sum(not any(e.source == name and e.overlaps(start, end) for e in events) for name, start, end in due)
    num_unsent = sum(len(tree.held - {(alert.id, alert.sequence) for alert in steps.alerts}) for tree in trees)
    num_unseen = steps.num_unseen(line for tree in trees for line in tree.shown)
    return {
        "tried": num_kills,
        "lost": num_untold + num_unsent + num_unseen + steps.num_missing,
        "duplicated": steps.num_duplicated,
        "failed": steps.num_endless + steps.num_disordered + sum(tree.num_orphans for tree in trees),
        "due": len(due),
        "events": len(events),
        "alerts": len(steps.alerts),
        "redelivered": steps.num_redelivered,
        **{f"killed_{kind}": sum(tree.kills[kind] for tree in trees) for kind in ("engine", "camera", "tree")},
    }


class Tree:
    """An installation with one camera."""

    def __init__(self, source: str, folder: Path, bundle: Path, clip: Path, redis_url: str, seed: int) -> None:
        self.source = source
        self.kills: Counter[str] = Counter()
        self.held: set[tuple[str, int]] = set()
        """Alerts found in the outbox after a kill."""
        self.shown: list[str] = []
        """Alerts that engines have shown."""
        self.num_orphans = 0
        """Camera processes that outlived their engine."""
        self._folder = folder / source
        self._folder.mkdir()
        self._bundle, self._redis_url = bundle, redis_url
        self._camera = RtspServer(clip)
        self._rng = random.Random(seed)  # noqa: S311
        self._lives: list[Watch] = []

    def suffer(self, num_kills: int) -> None:
        """Is killed so often, and ends well."""
        with self._camera:
            while self.kills.total() < num_kills:
                with self._started() as watch:
                    self._until_dead(watch, num_kills)
            with self._started() as watch:
                watch.wait_up([self.source])
                wait_for(lambda: not self._outbox(), 60, f"{self.source}: an empty outbox")
                watch.stop()
        self.shown = [said.text for life in self._lives for said in life.shown]
        self.num_orphans = _num_left(self._lives)

    def due(self, announcements: Announcements) -> Iterator[tuple[datetime, datetime]]:
        """Times in which an event of this camera must have been told."""
        window, piece = timedelta(seconds=SPEC.window_seconds), timedelta(seconds=BURST_SURE_SECONDS)
        for stretch in announcements.stretches(self.source, SPEC.stride_seconds):
            for start, end in confirmed(stretch):
                yield start - window, end
            start = stretch[0].at
            while start + piece + window <= stretch[-1].at:
                yield start, start + piece + window
                start += piece + window

    def _started(self) -> Watch:
        config = write_config(
            self._folder / "heed.toml",
            {self.source: self._camera.url},
            live={"first_pause_seconds": 0.1},
            engine={"threads": 1, "queue_windows": 1000},  # what the machine is too slow for is not what is lost here
            event={"merge_seconds": 0.5, "cooldown_seconds": 0, "update_seconds": 0.5},
        )
        self._lives.append(Watch(config, self._bundle, self._folder / "state", self._redis_url))
        return self._lives[-1]

    def _until_dead(self, watch: Watch, num_kills: int) -> None:
        """Kills cameras, and at last the engine, or all; or stops short when there were kills enough."""
        camera_kills = 0
        while self.kills.total() < num_kills:
            kind = self._rng.choice(
                ["engine", "tree", "camera"] if camera_kills < _CAMERA_KILLS else ["engine", "tree"]
            )
            self._wait_for_moment(watch)
            if kind == "camera":
                wait_for(watch.cameras, 60, f"{self.source}: a camera process; {watch.last_words()}")
                watch.cameras()[0].kill()
                camera_kills += 1
            elif kind == "engine":
                watch.kill()
            else:
                watch.kill_tree()
            self.kills[kind] += 1
            if kind != "camera":
                break
        else:
            watch.kill()
        self.held |= self._outbox()

    def _wait_for_moment(self, watch: Watch) -> None:
        pause = threading.Event()
        if self._rng.random() < _STARTING_SHARE:
            pause.wait(self._rng.uniform(0, _STARTING_SECONDS))
        else:
            watch.wait_up([self.source])
            pause.wait(self._rng.uniform(0, SCRIPT_SECONDS))

    def _outbox(self) -> set[tuple[str, int]]:
        """Ids and sequences of the alerts that wait."""
        path = self._folder / "state" / "outbox.sqlite"
        if not path.exists():
            return set()
        connection = sqlite3.connect(path, timeout=10)
        try:
            rows = connection.execute("SELECT alert FROM outbox").fetchall()
        except sqlite3.OperationalError:  # killed before there was a table
            return set()
        finally:
            connection.close()
        return {(alert.id, alert.sequence) for alert in (Alert.from_json(row) for (row,) in rows)}


def _num_left(lives: Sequence[Watch]) -> int:
    """Processes of engines that are gone, after they have had time to notice."""
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while (left := sum(len(life.group()) for life in lives)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left


def _stream_length(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.xlen(keys.STREAM))
