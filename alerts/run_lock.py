"""Who of those that share a state folder is alive: each run holds a number, and the kernel knows until when."""

import fcntl
from itertools import count
from pathlib import Path
from typing import IO

from alerts.errors import OutboxError
from alerts.private import make_private, open_private


class RunLock:
    """The lowest number that no living run on this folder has. It is free again when the run ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Takes a number.

        Args:
            folder: The state folder, made if missing.

        Raises:
            OutboxError: it cannot be written.
        """
        try:
            make_private(folder)
        except OSError as error:
            raise OutboxError(f"outbox: {folder}: {_said(error)}; choose a state folder of your own") from None
        self._folder = folder
        for number in count():
            if lock := self._taken(number):
                self._lock, self.number = lock, number
                return

    def is_over(self, number: int) -> bool:
        """Whether the run that had this number has ended; an earlier one, if it is our own number."""
        if number == self.number:
            return True
        lock = self._taken(number)
        if lock is None:
            return False
        lock.close()
        return True

    def close(self) -> None:
        """Gives the number back."""
        self._lock.close()

    def _taken(self, number: int) -> IO[bytes] | None:
        """The locked file of this number, none if a living run has it. It is never deleted: its lock is what counts."""
        path = self._folder / f"run-{number}.lock"
        try:
            lock = open_private(path)
        except OSError as error:
            raise OutboxError(f"outbox: {path}: {_said(error)}; choose a state folder of your own") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        except OSError as error:
            lock.close()
            raise OutboxError(f"outbox: {path}: {_said(error)}; choose a state folder on a local disk") from None
        return lock


def _said(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
