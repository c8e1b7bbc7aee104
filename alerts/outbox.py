"""What Redis has not said yes to, and which events are open: on the disk, in order, over crashes and restarts."""

import math
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from threading import RLock
from typing import Final

from alerts import keys
from alerts.alert import Alert, rfc3339
from alerts.errors import AlertFormatError, OutboxError
from alerts.private import make_private, open_private

_OUTBOX: Final = """
CREATE TABLE IF NOT EXISTS outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    alert TEXT NOT NULL,
    put_at REAL NOT NULL,
    UNIQUE (id, sequence)
)"""
_ADD_PUT_AT: Final = "ALTER TABLE outbox ADD COLUMN put_at REAL NOT NULL DEFAULT 0"
"""For a file of Heed 0.1.0."""
_OPEN_EVENT: Final = """
CREATE TABLE IF NOT EXISTS open_event (
    id TEXT PRIMARY KEY,
    run INTEGER NOT NULL,
    told_at TEXT NOT NULL,
    alert TEXT NOT NULL
)"""
"""The last alert of every event that has not ended, when it was put, and by which run."""
_UPDATES: Final = """
CREATE INDEX IF NOT EXISTS outbox_updates ON outbox (position) WHERE json_extract(alert, '$.kind') = 'update'"""
_DISCARD_UPDATES: Final = """
DELETE FROM outbox WHERE position IN (
    SELECT position FROM outbox WHERE json_extract(alert, '$.kind') = 'update' ORDER BY position LIMIT ?
)"""
_DISCARD_ANY: Final = "DELETE FROM outbox WHERE position IN (SELECT position FROM outbox ORDER BY position LIMIT ?)"

Waiting = tuple[int | None, str]
"""Position on the disk, none for one in memory; and the alert's JSON."""


class Outbox:
    """A queue of alerts in a SQLite file. Safe to use from several threads and processes."""

    def __init__(self, path: Path, run: int = 0) -> None:
        """Opens the file, made if missing, with its folder.

        Args:
            path: The file.
            run: Number of this run among those that write it now.

        Raises:
            OutboxError: the file cannot be written, or is something else.
        """
        self._path = path
        self._run = run
        self._unwritten: deque[tuple[Alert, str]] = deque()
        self._removed = 0
        self.num_discarded = 0
        """Alerts that were thrown away because too many waited, or for too long."""
        self._lock = RLock()
        try:
            make_private(path.parent)
            open_private(path).close()  # its journal gets the same mode
            self._connection = sqlite3.connect(
                path, timeout=keys.OUTBOX_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise OutboxError(f"outbox: {path}: {said}; choose a state folder of your own") from None
        try:
            with self._used() as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")  # put() returns when the alert is on the disk
            with self._transaction() as connection:
                connection.execute(_OUTBOX)
                connection.execute(_UPDATES)
                connection.execute(_OPEN_EVENT)
                if "put_at" not in [name for _, name, *_ in connection.execute("PRAGMA table_info(outbox)")]:
                    connection.execute(_ADD_PUT_AT)
                    connection.execute("UPDATE outbox SET put_at = ?", (time.time(),))
        except OutboxError:
            self._connection.close()
            raise

    def put(self, alert: Alert) -> None:
        """Writes the alert behind all others. One that waits already is not written twice.

        One that cannot be written waits in memory, and is written when there is room again.

        Raises:
            OutboxError: the disk is full or broken.
        """
        entry = (alert, alert.to_json())
        with self._lock:
            if len(self._unwritten) == keys.UNWRITTEN_ALERTS:
                self._unwritten.popleft()
                self.num_discarded += 1
            self._unwritten.append(entry)
            self.write()

    def write(self) -> None:
        """Writes what waits in memory.

        Raises:
            OutboxError: the disk is still full or broken.
        """
        with self._lock:
            self._write(1)  # alone: on a disk that is full it fails, and a thousand should not be tried for that
            self._write(keys.UNWRITTEN_ALERTS)

    def end_open(self, is_over: Callable[[int], bool]) -> int:
        """Puts an end to the events that were open when their run ended.

        Args:
            is_over: Whether the run of this number has ended.

        Returns:
            How many.

        Raises:
            OutboxError: the disk is full or broken.
        """
        with self._transaction() as connection:
            rows = connection.execute("SELECT id, run, told_at, alert FROM open_event ORDER BY told_at, id").fetchall()
            left = [(identity, told_at, alert) for identity, run, told_at, alert in rows if is_over(run)]
            for identity, told_at, alert in left:
                connection.execute("DELETE FROM open_event WHERE id = ?", (identity,))
                with suppress(AlertFormatError):  # of another version of Heed: it must not keep this one from starting
                    end = _end(Alert.from_json(alert), datetime.fromisoformat(told_at))
                    self._insert(connection, end, end.to_json())
        return len(left)

    def pending(self, most: int = keys.BATCH) -> list[Waiting]:
        """The oldest alerts; those in memory when there are no others.

        Raises:
            OutboxError: the file cannot be read.
        """
        oldest = "SELECT position, alert FROM outbox WHERE position > ? ORDER BY position LIMIT ?"
        with self._used() as connection:
            rows: list[Waiting] = connection.execute(oldest, (self._removed, most)).fetchall()
            return rows or [(None, told) for _, told in islice(self._unwritten, most)]

    def remove(self, sent: Sequence[Waiting]) -> list[float]:
        """Forgets these, the first that `pending` gave. A disk that keeps them is asked again with the next.

        Returns:
            How long each of them was on the disk, in seconds.
        """
        waits: list[float] = []
        with self._lock:
            before = self._removed
            for position, alert in sent:
                if position is not None:
                    self._removed = position
                elif self._unwritten and self._unwritten[0][1] == alert:
                    self._unwritten.popleft()
            with suppress(OutboxError), self._used() as connection:
                put = "SELECT put_at FROM outbox WHERE position > ? AND position <= ?"
                rows = connection.execute(put, (before, self._removed)).fetchall()
                waits = [max(0.0, time.time() - put_at) for (put_at,) in rows]
                connection.execute("DELETE FROM outbox WHERE position <= ?", (self._removed,))
        return waits

    def trim(self, most: int = keys.OUTBOX_ALERTS, most_bytes: int = keys.OUTBOX_BYTES) -> int:
        """Discards what is too old or too much: the oldest updates first, then the oldest of all.

        Args:
            most: Alerts that may stay.
            most_bytes: Bytes on the disk that they may have.

        Returns:
            How many.

        Raises:
            OutboxError: the file cannot be written.
        """
        too_old = time.time() - keys.OUTBOX_DAYS * 24 * 3600
        num_discarded = 0
        with self._transaction() as connection:
            first = connection.execute("SELECT put_at FROM outbox ORDER BY position LIMIT 1").fetchone()
            if first is not None and first[0] < too_old:
                num_discarded = connection.execute("DELETE FROM outbox WHERE put_at < ?", (too_old,)).rowcount
            excess = _excess(connection, most, most_bytes)
            for query in (_DISCARD_UPDATES, _DISCARD_ANY):
                if excess > 0:
                    count = connection.execute(query, (excess,)).rowcount
                    excess -= count
                    num_discarded += count
        self.num_discarded += num_discarded
        return num_discarded

    @property
    def num_unwritten(self) -> int:
        """Alerts that are in memory only."""
        return len(self._unwritten)

    def __len__(self) -> int:
        with self._used() as connection:
            (count,) = connection.execute("SELECT count(*) FROM outbox WHERE position > ?", (self._removed,)).fetchone()
            return int(count) + len(self._unwritten)

    def close(self) -> None:
        """Closes the file; what is in it stays."""
        with self._lock:
            self._connection.close()

    def _write(self, most: int) -> None:
        batch = list(islice(self._unwritten, most))
        if not batch:
            return
        with self._transaction() as connection:
            for alert, told in batch:
                self._insert(connection, alert, told)
        for _ in batch:
            self._unwritten.popleft()

    def _insert(self, connection: sqlite3.Connection, alert: Alert, told: str) -> None:
        row = (alert.id, alert.sequence, told, time.time())
        connection.execute("INSERT OR IGNORE INTO outbox (id, sequence, alert, put_at) VALUES (?, ?, ?, ?)", row)
        if alert.kind == "end":
            connection.execute("DELETE FROM open_event WHERE id = ?", (alert.id,))
        else:
            last = (alert.id, self._run, rfc3339(datetime.now(UTC)), told)
            connection.execute("INSERT OR REPLACE INTO open_event (id, run, told_at, alert) VALUES (?, ?, ?, ?)", last)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of it is on the disk afterwards, or nothing."""
        with self._used() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextmanager
    def _used(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise OutboxError(f"outbox: {self._path}: {error}; make room, or move the file away") from None


def _excess(connection: sqlite3.Connection, most: int, most_bytes: int) -> int:
    """How many alerts must go to keep within both limits, taking them to be equally long."""
    number: int = connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page_size,) = connection.execute("PRAGMA page_size").fetchone()
    size: int = (pages - free) * page_size
    return max(number - most, math.ceil(number * (1 - most_bytes / size)))


def _end(last: Alert, told_at: datetime) -> Alert:
    """The end of an event of which this was the last to be told, then."""
    silent_seconds = (datetime.now(UTC) - told_at).total_seconds()
    changes = {
        "kind": "end",
        "sequence": last.sequence + 1,
        "ended_at": max(told_at, last.started_at, last.peak_at),
        "latency_seconds": last.latency_seconds + max(0.0, silent_seconds),
    }
    return Alert.model_validate(dict(last) | changes)
