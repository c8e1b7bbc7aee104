"""The queues in which windows of all sources wait for the engine."""

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config import EngineConfig
from pipeline.window import Window

_POLL_SECONDS = 0.2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """In a queue behind a source's last window."""

    source: str


class Intake:
    """A bounded queue for each source, emptied in turn."""

    def __init__(self, sources: Sequence[str], config: EngineConfig) -> None:
        self.num_dropped = dict.fromkeys(sources, 0)
        self._config = config
        self._queues: dict[str, deque[Window | Ended]] = {source: deque() for source in sources}
        self._turns = deque(self._queues.values())
        self._going = set(sources)
        self._is_closed = False
        self._changed = threading.Condition()

    def put(self, source: str, entry: Window | Ended, *, is_live: bool) -> None:
        """Adds to a source's queue. When it is full, a live source loses its oldest window; a file waits."""
        with self._changed:
            queue = self._queues[source]
            if isinstance(entry, Window) and len(queue) >= self._config.queue_windows:
                if is_live:
                    queue.popleft()
                    self.num_dropped[source] += 1
                else:
                    self._changed.wait_for(lambda: self._is_closed or len(queue) < self._config.queue_windows)
            queue.append(entry)
            self._changed.notify_all()

    def take(self, stopped: threading.Event) -> list[Window | Ended]:
        """Up to a batch, one entry of each source in turn; empty when all sources have ended or it is time to stop.

        Waits for the first entry, and a little for others to go with it.
        """
        with self._changed:
            while not any(self._turns):
                if stopped.is_set() or self._is_closed or not self._going:
                    return []
                self._changed.wait(_POLL_SECONDS)
            self._changed.wait_for(self._is_enough, self._config.batch_wait_seconds)
            batch: list[Window | Ended] = []
            while len(batch) < self._config.max_batch and any(self._turns):
                if self._turns[0]:
                    batch.append(self._turns[0].popleft())
                self._turns.rotate(-1)
            self._going -= {entry.source for entry in batch if isinstance(entry, Ended)}
            self._changed.notify_all()
            return batch

    def close(self) -> None:
        """Lets everyone go who waits."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _is_enough(self) -> bool:
        waiting = sum(map(len, self._turns))
        return waiting >= min(self._config.max_batch, len(self._going))
