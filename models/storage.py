"""Files of a run: whole on the disk, or not there at all."""

import io
import os
from pathlib import Path
from typing import Any

import torch

from models.errors import StorageError


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Writes a file beside its place, sees it onto the disk, and puts it there: what was there stays until then.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.tmp")
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise StorageError(
            f"run: {path}: {error.strerror}; make room for it and give the same command again: the run goes on"
        ) from None


def save_whole(path: Path, content: Any) -> None:
    """`torch.save`, whole or not at all.

    Raises:
        StorageError: as for `write_whole`.
    """
    # Through memory: torch's writer makes a RuntimeError of a full disk.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, buffer.getbuffer())
