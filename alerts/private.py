"""Folders and files that are for this user alone, whatever the umask."""

import errno
import os
import stat
from pathlib import Path
from typing import IO


def make_private(folder: Path) -> None:
    """Makes a folder, and those above it, that only this user may enter; those that are there stay as they are.

    Args:
        folder: where words heard and read will be kept.

    Raises:
        OSError: it cannot be made, or everybody may write to it: they could put something else in the place of a file.
    """
    if not folder.parent.exists():
        make_private(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)
    if folder.stat().st_mode & stat.S_IWOTH:
        raise PermissionError(errno.EPERM, "everybody may write to it")


def open_private(path: Path) -> IO[bytes]:
    """A file to append to, made if missing, that only this user may read and write from now on.

    Raises:
        OSError: it cannot be opened.
    """
    file = os.fdopen(os.open(path, os.O_CREAT | os.O_APPEND | os.O_RDWR | os.O_CLOEXEC, 0o600), "ab")
    if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
        os.fchmod(file.fileno(), 0o600)
    return file
