"""The folder of evidence: names that are safe, files that are whole or not there, and a budget for all of them."""

import fcntl
import hashlib
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from alerts.private import make_private, open_private

_LONGEST_NAME: Final = 120
_DAY_SECONDS: Final = 24 * 3600


def safe_name(text: str) -> str:
    """A name for a file or folder, whatever the text: the same for the same text, another for another."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", text)[:_LONGEST_NAME]
    if name == text and not name.startswith("."):
        return name
    return f"{name.lstrip('.')}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class Unfinished:
    """A file that is at its path only when it is whole."""

    def __init__(self, path: Path) -> None:
        """Makes the file under another name, with its folder.

        Raises:
            OSError: the folder cannot be written.
        """
        self._path = path
        self.temporary = path.with_name(f".{path.name}")
        """Where to write it."""
        make_private(path.parent)
        self._lock = open_private(self.temporary)
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # what a process that died has left is not locked

    def keep(self) -> None:
        """It is whole.

        Raises:
            OSError: the disk is full or broken.
        """
        os.fsync(self._lock.fileno())
        self.temporary.replace(self._path)
        self._lock.close()

    def drop(self) -> None:
        """It is not to be; after `keep` this does nothing."""
        self.temporary.unlink(missing_ok=True)
        self._lock.close()


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is whole or not there.

    Raises:
        OSError: it cannot be written.
    """
    file = Unfinished(path)
    try:
        file.temporary.write_bytes(data)
        file.keep()
    finally:
        file.drop()


def sweep(folder: Path) -> None:
    """Deletes what processes that have died left unfinished in a folder.

    Raises:
        OSError: the folder cannot be read or written.
    """
    for path in folder.glob(".*"):
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


def trim(root: Path, keep_days: float, most_bytes: int) -> None:
    """Deletes files in the folders below that are too old, and then the oldest until the rest is small enough.

    Raises:
        OSError: a folder cannot be read or written.
    """
    found = []
    for path in root.glob("*/[!.]*"):
        with suppress(FileNotFoundError):  # another process has just trimmed, too
            about = path.stat()
            found.append((about.st_mtime, about.st_size, path))
    total = sum(size for _, size, _ in found)
    oldest = time.time() - keep_days * _DAY_SECONDS
    for changed, size, path in sorted(found):
        if changed >= oldest and total <= most_bytes:
            return
        path.unlink(missing_ok=True)
        total -= size
