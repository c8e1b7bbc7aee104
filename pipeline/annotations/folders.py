"""Plain folders: `normal/…`, `anomaly/…`, `fight/…`.

A folder's name is the label of all files in it, `normal` is normal. A folder within is the recording that its files
came from, the same under every label: `normal/gate-april/1.mp4`, `fight/gate-april/2.mp4`.
"""

from pathlib import Path

from pipeline.annotations.videos import media_below
from pipeline.annotations.words import label_of
from pipeline.errors import LabelsError
from pipeline.labels import Row


def is_folder(path: Path) -> bool:
    """Whether there is media in folders within."""
    return any(file.parent != path for file in media_below(path))


def read(path: Path) -> list[Row]:
    """Reads a folder of folders.

    Raises:
        LabelsError: it is no folder, or a file in it lies in none.
    """
    if not path.is_dir():
        raise LabelsError(f"labels: {path}: not a folder; name one with normal/ and anomaly/ in it")
    files = media_below(path)
    if loose := [file.name for file in files if file.parent == path]:
        others = f" (and {len(loose) - 1} more)" if len(loose) > 1 else ""
        problem = f"{loose[0]}{others} lies in no folder; move it to normal/ or to a folder named by its label"
        raise LabelsError(f"labels: {path}: {problem}")
    return [_row(path, file) for file in files]


def _row(path: Path, file: Path) -> Row:
    label, *within = file.relative_to(path).parts[:-1]
    return Row(file, None, None, label_of(label), "/".join(within) or None)
