"""The queues in which windows of all sources wait for the engine."""

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.config import EngineConfig
from pipeline.exhibit import Kept
from pipeline.window import Window

_POLL_SECONDS = 0.2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Broken:
    """In a queue behind the last window of a connection: the source has none until further notice."""

    source: str


@dataclass(frozen=True, slots=True)
class Ended:
    """In a queue behind a source's last window."""

    source: str


@dataclass(frozen=True, slots=True)
class Gone:
    """In a queue behind the last window of a process that has died."""

    source: str


Note = Broken | Gone | Ended | Kept
Entry = Window | Note


class Intake:
    """A bounded queue for each source, emptied in turn."""

    def __init__(self, sources: Sequence[str], config: EngineConfig) -> None:
        self.num_dropped = dict.fromkeys(sources, 0)
        self._config = config
        self._queues: dict[str, deque[Entry]] = {source: deque() for source in sources}
        self._turns = deque(self._queues.values())
        self._going = set(sources)
        self._num_told: dict[str, int] = {}  # windows lost before the engine fell behind, of sources that lose some
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, source: str, entry: Entry, *, is_live: bool) -> None:
        """Adds to a source's queue. When it is full, a live source loses its oldest window; a file waits."""
        with self._changed:
            queue = self._queues[source]
            message = ""
            if isinstance(entry, Broken) and queue and isinstance(queue[-1], Broken):
                return  # an engine that stands still is told once
            if isinstance(entry, Window) and len(queue) >= self._config.queue_windows:
                if is_live:
                    message = self._drop(source, queue)
                else:
                    self._changed.wait_for(lambda: self._is_closed or len(queue) < self._config.queue_windows)
            elif not queue:
                message = self._keep_up(source)
            queue.append(entry)
            self._changed.notify_all()
        if message:
            _log.warning("%s", message, extra={"event": "dropped", "source": source})

    def take(self, stopped: threading.Event) -> list[Entry]:
        """Up to a batch, one entry of each source in turn; empty when all sources have ended or it is time to stop.

        Waits for the first entry, and a little for others to go with it.
        """
        with self._changed:
            while not any(self._turns):
                if stopped.is_set() or self._is_closed or not self._going:
                    return []
                self._changed.wait(_POLL_SECONDS)
            self._changed.wait_for(self._is_enough, self._config.batch_wait_seconds)
            batch: list[Entry] = []
            while len(batch) < self._config.max_batch and any(self._turns):
                if self._turns[0]:
                    batch.append(self._turns[0].popleft())
                self._turns.rotate(-1)
            self._going -= {entry.source for entry in batch if isinstance(entry, Ended)}
            self._changed.notify_all()
            return batch

    def ages(self) -> dict[str, float]:
        """Seconds that the oldest window of each source has waited; 0 where none waits."""
        now = time.monotonic()
        with self._changed:
            oldest = {source: next(_closed_at(queue), now) for source, queue in self._queues.items()}
        return {source: max(0.0, now - closed_at) for source, closed_at in oldest.items()}

    def close(self) -> None:
        """Lets everyone go who waits."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _drop(self, source: str, queue: deque[Entry]) -> str:
        """Drops a source's oldest window; gives what is to be said of it."""
        num_before = self.num_dropped[source]
        oldest = next((entry for entry in queue if isinstance(entry, Window)), None)
        if oldest is not None:
            queue.remove(oldest)
            self.num_dropped[source] += 1
        if source in self._num_told:
            return ""
        self._num_told[source] = num_before
        return "the engine is too slow: its oldest windows are dropped; watch fewer sources, or on a faster provider"

    def _keep_up(self, source: str) -> str:
        """Notes that none of a source's windows wait; gives what is to be said of it."""
        if source not in self._num_told:
            return ""
        return f"the engine keeps up again; {self.num_dropped[source] - self._num_told.pop(source)} windows dropped"

    def _is_enough(self) -> bool:
        waiting = sum(map(len, self._turns))
        return waiting >= min(self._config.max_batch, len(self._going))


def _closed_at(queue: Iterable[Entry]) -> Iterator[float]:
    """When each window of a queue was complete."""
    return (entry.closed_at for entry in queue if isinstance(entry, Window))
