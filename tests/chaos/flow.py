"""The windows of every source as the engine announces them, heard from Redis itself: nothing is missed in between."""

import json
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

import redis

from alerts import keys

from .line import Watch, wait_for

_AT: Final = "at"


@dataclass(frozen=True, slots=True)
class Heard:
    """A window was announced."""

    heard: float
    """`time.monotonic()` then."""
    at: datetime
    """UTC at the window's end."""


class Flow:
    """Listens to all that a Redis is told. A context manager."""

    def __init__(self, url: str) -> None:
        self._client: Any = redis.Redis.from_url(url, protocol=2, socket_timeout=None)
        self._windows: defaultdict[str, list[Heard]] = defaultdict(list)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._monitor: Any = self._client.monitor()

    def __enter__(self) -> Self:
        self._monitor.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(redis.RedisError):
            self._client.client_kill_filter(_type="normal", skipme=True)  # the thread listens until it is cut off
        self._thread.join(10)
        self._client.close()

    def windows(self, source: str) -> list[Heard]:
        """All of a source so far. Of two within milliseconds the engine may have announced the second only."""
        return list(self._windows[source])

    def wait_for_more(self, source: str, count: int, seconds: float) -> None:
        """Waits for so many more windows of a source.

        Raises:
            ChaosError: they do not come.
        """
        known = len(self._windows[source])
        wait_for(lambda: len(self._windows[source]) >= known + count, seconds, f"windows of {source}")

    def _listen(self) -> None:
        with suppress(redis.RedisError, OSError, ValueError, AttributeError):  # Redis has gone, or we were cut off
            for told in self._monitor.listen():
                self._note(told["command"].split())

    def _note(self, words: list[str]) -> None:
        if words[0].upper() != "HSET" or not words[1].startswith(keys.STATE) or _AT not in words:
            return
        at = datetime.fromisoformat(words[words.index(_AT) + 1])
        known = self._windows[words[1].removeprefix(keys.STATE)]
        if not known or known[-1].at != at:
            known.append(Heard(time.monotonic(), at))


def num_windows(watch: Watch, source: str) -> int:
    """How many windows of a source the engine has scored, as it says at its end."""
    told = [json.loads(line.text) for line in watch.log if line.text.startswith("{")]
    return sum(line["windows"] for line in told if line["event"] == "summary" and line["source"] == source)
