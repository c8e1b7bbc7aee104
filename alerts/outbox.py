"""What Redis has not said yes to, and which events are open: on the disk, in order, over crashes and restarts."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Final

from alerts import keys
from alerts.alert import Alert, rfc3339
from alerts.errors import OutboxError

_OUTBOX: Final = """
CREATE TABLE IF NOT EXISTS outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    alert TEXT NOT NULL,
    UNIQUE (id, sequence)
)"""
_OPEN_EVENT: Final = """
CREATE TABLE IF NOT EXISTS open_event (
    id TEXT PRIMARY KEY,
    run INTEGER NOT NULL,
    told_at TEXT NOT NULL,
    alert TEXT NOT NULL
)"""
"""The last alert of every event that has not ended, when it was put, and by which run."""


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
        self._lock = Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(
                path, timeout=keys.OUTBOX_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise OutboxError(f"outbox: {path}: {error}; choose a state folder you may write to") from None
        try:
            with self._used() as connection:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")  # put() returns when the alert is on the disk
                connection.execute(_OUTBOX)
                connection.execute(_OPEN_EVENT)
        except OutboxError:
            self._connection.close()
            raise

    def put(self, alert: Alert) -> None:
        """Writes the alert behind all others. One that waits already is not written twice.

        Raises:
            OutboxError: the disk is full or broken.
        """
        with self._transaction() as connection:
            self._write(connection, alert)

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
            rows = connection.execute("SELECT run, told_at, alert FROM open_event ORDER BY told_at, id").fetchall()
            left = [(told_at, alert) for run, told_at, alert in rows if is_over(run)]
            for told_at, alert in left:
                self._write(connection, _end(Alert.from_json(alert), datetime.fromisoformat(told_at)))
        return len(left)

    def pending(self, most: int = keys.BATCH) -> list[tuple[int, str]]:
        """The oldest alerts, as positions and JSON.

        Raises:
            OutboxError: the file cannot be read.
        """
        with self._used() as connection:
            return connection.execute(
                "SELECT position, alert FROM outbox ORDER BY position LIMIT ?", (most,)
            ).fetchall()

    def remove(self, position: int) -> None:
        """Forgets everything up to and including this position.

        Raises:
            OutboxError: the file cannot be written.
        """
        with self._used() as connection:
            connection.execute("DELETE FROM outbox WHERE position <= ?", (position,))

    def __len__(self) -> int:
        with self._used() as connection:
            (count,) = connection.execute("SELECT count(*) FROM outbox").fetchone()
            return int(count)

    def close(self) -> None:
        """Closes the file; what is in it stays."""
        with self._lock:
            self._connection.close()

    def _write(self, connection: sqlite3.Connection, alert: Alert) -> None:
        told = alert.to_json()
        row = (alert.id, alert.sequence, told)
        connection.execute("INSERT OR IGNORE INTO outbox (id, sequence, alert) VALUES (?, ?, ?)", row)
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
