"""Reads labels of any form, and finds out which."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

from pipeline.annotations import folders, ped2, ucf_crime, xd_violence
from pipeline.annotations.videos import media_below
from pipeline.errors import LabelsError, SourceNotFoundError
from pipeline.labels import Row, read_labels

_MOST_NAMED: Final = 10
"""Missing videos that are listed."""


class Format(StrEnum):
    """Forms of labels."""

    AUTO = "auto"
    CSV = "csv"
    XD = "xd"
    UCF = "ucf"
    PED2 = "ped2"
    FOLDERS = "folders"


_READ: Final[dict[Format, Callable[[Path], list[Row]]]] = {
    Format.CSV: read_labels,
    Format.XD: xd_violence.read,
    Format.UCF: ucf_crime.read,
    Format.PED2: ped2.read,
    Format.FOLDERS: folders.read,
}


def read_annotations(
    path: Path, kind: Format = Format.AUTO, *, strict: bool = False, warn: Callable[[str], None] = lambda _line: None
) -> list[Row]:
    """Reads a labels file, the annotations of a data set, or a folder of folders.

    Args:
        path: the file or the folder.
        kind: its form; `auto` tells it by what is in it.
        strict: whether an annotated video that is not there is an error.
        warn: told once of annotated videos that are not there; their rows are left out.

    Raises:
        LabelsError: it is of no known form, something in it is wrong, or none of its videos is there.
        SourceNotFoundError: `strict`, and a video is not there.
        SourceError: masks cannot be read.
    """
    file = _annotations_in(path, kind) if path.is_dir() else path
    found = _recognised(file) if kind is Format.AUTO else kind
    rows = _READ[found](file)
    if not rows:
        raise LabelsError(f"labels: {path}: nothing labelled in it as {found.value}; name another, or another --format")
    return _present(path, rows, strict, warn)


def _annotations_in(folder: Path, kind: Format) -> Path:
    """The annotations file in a folder; the folder itself if it has none, or needs none."""
    for file in sorted(folder.glob("*.txt")):
        found = _form_of_file(file)
        if found in {Format.XD, Format.UCF} and kind in {Format.AUTO, found}:
            return file
    return folder


def _recognised(path: Path) -> Format:
    if not path.is_dir():
        return _form_of_file(path)
    if ped2.is_folder(path):
        return Format.PED2
    if any(map(xd_violence.is_video, media_below(path))):
        return Format.XD
    if folders.is_folder(path):
        return Format.FOLDERS
    problem = "neither annotations nor folders with clips in it; name a labels file, or a folder with normal/ in it"
    raise LabelsError(f"labels: {path}: {problem}")


def _form_of_file(path: Path) -> Format:
    """By the first line with something in it; CSV if it is none of the others: its reader says what is wrong."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            first = next((line.strip() for line in file if line.strip()), "")
    except OSError:
        return Format.CSV
    for found, is_line in (
        (Format.XD, xd_violence.is_line),
        (Format.UCF, ucf_crime.is_line),
        (Format.PED2, ped2.is_line),
    ):
        if is_line(first):
            return found
    return Format.CSV


def _present(path: Path, rows: list[Row], strict: bool, warn: Callable[[str], None]) -> list[Row]:
    """The rows whose video is there."""
    videos = dict.fromkeys(row.path for row in rows)
    missing = {video: video.name for video in videos if not _is_there(video)}
    if not missing:
        return rows
    names = ", ".join(list(missing.values())[:_MOST_NAMED])
    rest = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    told = f"labels: {path}: {len(missing)} of {len(videos)} annotated videos are not there: {names}{rest}"
    if len(missing) == len(videos):
        raise LabelsError(f"{told}; put them beside the annotations, or in folders below")
    if strict:
        raise SourceNotFoundError(f"{told}; put them there, or go without --strict")
    warn(f"{told}; they are left out")
    return [row for row in rows if row.path not in missing]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long, a folder that may not be entered
        return False
