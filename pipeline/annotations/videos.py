"""The videos that annotations speak of: where they lie, and how many frames a second they have."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from pipeline.config import LiveConfig
from pipeline.container import open_container
from pipeline.errors import SourceError

_VIDEO: Final = frozenset(
    {".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"}
)
_SOUND: Final = frozenset({".aac", ".flac", ".m4a", ".mka", ".mp3", ".ogg", ".opus", ".wav"})


def media_below(folder: Path) -> list[Path]:
    """The video and sound files in a folder and in those below it, in order; a folder that is a link is entered too."""
    found: list[Path] = []
    entered: set[Path] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = Path(place).resolve()
        if real in entered:  # a link to a folder above
            folders.clear()
            continue
        entered.add(real)
        found += [Path(place, name) for name in names if _is_media(name)]
    return sorted(found)


def frame_rate(path: Path, otherwise: float) -> float:
    """Frames a second by the file's own header; `otherwise`, the data set's convention, where that cannot be read."""
    with suppress(SourceError), open_container(str(path), LiveConfig()) as container:
        for stream in container.streams.video:
            return float(stream.average_rate or otherwise)
    return otherwise


def _is_media(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in _VIDEO | _SOUND
