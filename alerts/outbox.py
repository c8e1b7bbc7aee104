"""What Redis has not said yes to: alerts on the disk, in order, over crashes and restarts."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from alerts import keys
from alerts.alert import Alert
from alerts.errors import OutboxError

_TABLE = """
CREATE TABLE IF NOT EXISTS outbox (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    alert TEXT NOT NULL,
    UNIQUE (id, sequence)
)"""


class Outbox:
    """A queue of alerts in a SQLite file. Safe to use from several threads and processes."""

    def __init__(self, path: Path) -> None:
        """Opens the file, made if missing, with its folder.

        Raises:
            OutboxError: the file cannot be written, or is something else.
        """
        self._path = path
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
                connection.execute(_TABLE)
        except OutboxError:
            self._connection.close()
            raise

    def put(self, alert: Alert) -> None:
        """Writes the alert behind all others. One that waits already is not written twice.

        Raises:
            OutboxError: the disk is full or broken.
        """
        row = (alert.id, alert.sequence, alert.to_json())
        with self._used() as connection:
            connection.execute("INSERT OR IGNORE INTO outbox (id, sequence, alert) VALUES (?, ?, ?)", row)

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

    @contextmanager
    def _used(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise OutboxError(f"outbox: {self._path}: {error}; make room, or move the file away") from None
