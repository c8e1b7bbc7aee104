"""The way of an alert: from an event to who subscribes, through the embedded Redis and a real one."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from typing import Final

import numpy as np

from alerts.connect import connect
from alerts.redis_stream import Publisher
from alerts.subscriber import subscribe
from pipeline.bench.setting import Figures, Setting
from pipeline.bench.watched import decoded
from pipeline.event import Event
from pipeline.run import Teller
from pipeline.score import Scorer, Scores

_PER_SECOND: Final = 20
"""Alerts while latency is measured: far more than cameras give."""
_MOST_SECONDS: Final = 20.0
"""For a server to start, and for the last alert to come."""
_NO_SERVER: Final = "no redis-server in PATH"

Step = tuple[str, int]
"""Id and sequence of an alert."""


def alerts(setting: Setting) -> Figures:
    """Events a second, and milliseconds from event to subscriber."""
    scores = Scorer(setting.runtime).score(decoded(setting.scenes.busy, setting.runtime.spec)[:1])[0]
    setting.tell("alerts: embedded Redis")
    embedded = _through(setting, scores, None, setting.folder / "alerts")
    real = None
    if executable := shutil.which("redis-server"):
        setting.tell("alerts: redis-server")
        with _server(setting, executable) as url:
            real = _through(setting, scores, url, setting.folder / "alerts-redis")
    else:
        setting.reasons["alerts.redis"] = _NO_SERVER
    return {"p99_ms": embedded["p99_ms"], "embedded": embedded, "redis": real}


def _through(setting: Setting, scores: Scores, url: str | None, state: Path) -> Figures:
    """Through one Redis: first at a steady pace, then as fast as it goes."""
    teller = Teller(setting.runtime)
    sent: dict[Step, float] = {}
    received: dict[Step, float] = {}
    with (
        closing(connect(url, state)) as client,
        Publisher(client, state) as publisher,
        _subscribed(url, state, received),
    ):

        def send(event: Event) -> None:
            at = time.monotonic()
            alert = teller.alert(replace(event, closed_at=at))
            sent[alert.id, alert.sequence] = at
            publisher(alert)

        steps = _events(scores)
        for _ in range(round(_PER_SECOND * setting.seconds)):
            send(next(steps))
            setting.wait(1 / _PER_SECOND)
        _await_all(setting, sent, received)
        paced, began = dict(sent), time.monotonic()
        while time.monotonic() < began + setting.seconds / 2:
            setting.check()
            send(next(steps))
        _await_all(setting, sent, received)
    return _figures(paced, sent, received)


def _figures(paced: dict[Step, float], sent: dict[Step, float], received: dict[Step, float]) -> Figures:
    milliseconds = [1000 * (received[step] - at) for step, at in paced.items() if step in received]
    p50, p99 = map(float, np.percentile(milliseconds, [50, 99]))
    burst = [step for step in sent if step not in paced]
    lasted = max(received[step] for step in burst) - min(sent[step] for step in burst)
    return {
        "events_per_second": len(burst) / lasted,
        "p50_ms": p50,
        "p99_ms": p99,
        "num_alerts": len(sent),
        "num_lost": len(sent.keys() - received.keys()),
    }


def _events(scores: Scores) -> Iterator[Event]:
    """Events of one source, one after the other, that begin and end."""
    second = 0.0
    while True:
        second += 1.0
        begin = Event("begin", "clip", scores.label, second, None, second + 1, scores.closed_at, scores)
        yield begin
        yield replace(begin, kind="end", ended_seconds=second + 1)


@contextmanager
def _subscribed(url: str | None, state: Path, received: dict[Step, float]) -> Iterator[None]:
    """A subscriber in a thread of its own, which notes when each alert came."""
    over = Flag()
    found = subscribe(url, state=state, from_start=True, stopped=over.is_set)

    def note() -> None:
        for alert in found:
            received[alert.id, alert.sequence] = time.monotonic()

    thread = Thread(target=note, name="subscriber", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _await_all(setting: Setting, sent: dict[Step, float], received: dict[Step, float]) -> None:
    until = time.monotonic() + _MOST_SECONDS
    while len(received) < len(sent) and time.monotonic() < until:
        setting.wait(0.01)


@contextmanager
def _server(setting: Setting, executable: str) -> Iterator[str]:
    """A private `redis-server` that keeps nothing; its URL."""
    place = setting.folder / "redis.sock"
    with subprocess.Popen(_command(executable, place), stdout=subprocess.DEVNULL) as process:  # noqa: S603 - found in PATH
        try:
            until = time.monotonic() + _MOST_SECONDS
            while not _listens(place) and process.poll() is None and time.monotonic() < until:
                setting.wait(0.01)
            yield f"unix://{place}"
        finally:
            process.kill()


def _listens(place: Path) -> bool:
    """Whether somebody answers there: the file of a socket is older than its first answer."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(place)) == 0


def _command(executable: str, place: Path) -> Sequence[str]:
    return (executable, "--port", "0", "--unixsocket", str(place), "--save", "", "--dir", str(place.parent))
