"""Folders of numbered pictures, which FFmpeg reads as a video."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import SourceFormatError, SourceNotFoundError, SourceUnauthorisedError

PICTURE_RATE: Final = 10
"""Pictures a second, which a folder cannot tell: that of UCSD's cameras, whose data set is the one that comes so."""
SUFFIXES: Final = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff"})
"""Of the pictures."""

_NUMBERED = re.compile(r"(?!\.)(?P<before>.*?)(?P<number>\d+)(?P<suffix>\.\w+)")
_PATTERN = re.compile(r"[^%]*%(0?\d+)?d[^%]*")


@dataclass(frozen=True, slots=True)
class Series:
    """Pictures that follow each other without a gap."""

    pattern: str
    """Of their paths, as FFmpeg's `image2` takes it: the number is `%03d`, a percent sign `%%`."""
    first: int
    """Number of the first."""
    count: int
    """How many there are."""

    @property
    def options(self) -> dict[str, str]:
        """For `image2`."""
        return {"pattern_type": "sequence", "start_number": str(self.first), "framerate": str(PICTURE_RATE)}


def find_series(path: Path) -> Series | None:
    """The pictures in a folder, or those that a pattern (`folder/%03d.tif`) names; none if the path is neither.

    Raises:
        SourceFormatError: there are none, there are several series of them, or one is missing between two.
        SourceUnauthorisedError: the folder may not be read.
        SourceNotFoundError: no file can have this name.
    """
    try:
        is_folder = path.is_dir()
    except OSError as error:
        raise SourceNotFoundError(f"source: {path}: {error.strerror}; check the path") from None
    if is_folder:
        return _series(path, path, _patterns(path))
    if _PATTERN.fullmatch(path.name) and path.parent.is_dir() and not path.exists():
        numbers = [number for found in _patterns(path.parent).values() for number in found]
        named = {number for number in numbers if (path.parent / (path.name % number)).exists()}
        return _series(path, path.parent, {path.name: named} if named else {})
    return None


def has_pictures(path: Path) -> bool:
    """Whether it is a folder with numbered pictures in it."""
    return path.is_dir() and bool(_patterns(path))


def _patterns(folder: Path) -> dict[str, set[int]]:
    """The numbers that pictures in a folder have, by the pattern of their names."""
    try:
        names = [match for file in folder.iterdir() if (match := _NUMBERED.fullmatch(file.name))]
    except OSError:
        raise SourceUnauthorisedError(f"source: {folder}: not readable; check its permissions") from None
    series: dict[tuple[str, str], list[str]] = {}
    for name in names:
        if name["suffix"].lower() in SUFFIXES:
            series.setdefault((name["before"], name["suffix"]), []).append(name["number"])
    return {
        f"{before.replace('%', '%%')}%0{min(map(len, numbers))}d{suffix}": set(map(int, numbers))
        for (before, suffix), numbers in series.items()
    }


def _series(path: Path, folder: Path, patterns: dict[str, set[int]]) -> Series:
    if not patterns:
        raise SourceFormatError(f"source: {path}: no numbered pictures there; name a file, or a folder of 001.tif …")
    if len(patterns) > 1:
        problem = f"pictures of several series, {' and '.join(sorted(patterns)[:2])}; name one, as FOLDER/%03d.tif"
        raise SourceFormatError(f"source: {path}: {problem}")
    [(name, numbers)] = patterns.items()
    first, last = min(numbers), max(numbers)
    for number in range(first, last + 1):
        if number not in numbers or not (folder / (name % number)).exists():
            problem = f"no {name % number} between {name % first} and {name % last}; restore it, or number them anew"
            raise SourceFormatError(f"source: {path}: {problem}")
    return Series(f"{folder.absolute()}/".replace("%", "%%") + name, first, len(numbers))
