"""UCSD Ped2 (and Ped1): folders of pictures, and which of them show an anomaly.

`Train/Train001/001.tif …` is normal throughout. Of `Test/Test001/001.tif …` the file `UCSDped2.m` beside it gives the
anomalous frames, counted from 1, a line for each folder in order: `TestVideoFile{end+1}.gt_frame = [61:180];`. Without
that file, `Test001_gt/001.bmp …` are masks of pixels, and a frame with any pixel set is anomalous. Frames become
seconds by the rate that Heed reads folders of pictures at, which is the data set's own 10 a second.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Final

from models.spec import NORMAL
from pipeline.annotations.lines import frame_pairs, numbered_lines, wrong
from pipeline.annotations.words import ANOMALY
from pipeline.config import LiveConfig
from pipeline.container import open_container
from pipeline.errors import LabelsError
from pipeline.labels import Row
from pipeline.pictures import PICTURE_RATE, find_series, has_pictures

_MARK: Final = "gt_frame"
_FRAMES = re.compile(r"TestVideoFile\{.*\}\.gt_frame\s*=\s*\[(?P<stretches>[\d:,\s]*)\]\s*;?")
_CLIP = re.compile(r"(Train|Test)\d{3}")

Stretch = tuple[int, int]
"""First and last frame, counted from 1."""


def is_line(line: str) -> bool:
    """Whether it is one of a `.m` file."""
    return line.startswith(("TestVideoFile", "%"))


def is_folder(path: Path) -> bool:
    """Whether it is the data set's folder, or its `Test` or `Train`."""
    return any(has_pictures(clip) for place in _places(path) for clip in _clips(place))


def read(path: Path) -> list[Row]:
    """Reads the data set's folder, or its `Test` or `Train`; or a `.m` file in `Test`, and its folders only.

    Raises:
        LabelsError: a line is wrong, or a folder under `Test` has no ground truth.
        SourceError: masks cannot be read.
    """
    if path.is_dir():
        return [row for place in _places(path) for row in _rows(place)]
    return [row for clip, stretches in _by_clip(path).items() for row in _labelled(clip, stretches)]


def _places(path: Path) -> list[Path]:
    return [place for place in (path, path / "Train", path / "Test") if place.is_dir()]


def _clips(place: Path) -> list[Path]:
    return [folder for folder in place.iterdir() if _CLIP.fullmatch(folder.name) and folder.is_dir()]


def _rows(place: Path) -> Iterator[Row]:
    """The clips of one folder, in order; those that its `.m` file names whether they are there or not."""
    known = {clip: stretches for file in place.glob("UCSDped*.m") for clip, stretches in _by_clip(file).items()}
    for clip in sorted({*_clips(place), *known}):
        yield from _labelled(clip, known[clip] if clip in known else _unlisted(clip))


def _unlisted(clip: Path) -> list[Stretch]:
    """What is anomalous in a clip that no `.m` file names."""
    masks = clip.with_name(f"{clip.name}_gt")
    if clip.name.startswith("Train"):
        return []
    if not masks.is_dir():
        raise LabelsError(f"labels: {clip}: no ground truth; put UCSDped2.m or {masks.name} beside it")
    return _marked(clip, masks)


def _by_clip(path: Path) -> dict[Path, list[Stretch]]:
    """What a `.m` file says of each folder beside it."""
    stretches = [_stretches(path, number, line) for number, line in numbered_lines(path) if _MARK in line]
    return {path.parent / f"Test{number:03d}": found for number, found in enumerate(stretches, start=1)}


def _stretches(path: Path, number: int, line: str) -> list[Stretch]:
    match = _FRAMES.match(line)
    if match is None:
        raise wrong(path, number, f"not TestVideoFile{{end+1}}.{_MARK} = [first:last]; mend the line")
    return frame_pairs(path, number, re.findall(r"\d+", match["stretches"]))


def _marked(clip: Path, masks: Path) -> list[Stretch]:
    with open_container(str(masks), LiveConfig()) as container:
        is_marked = [bool(mask.to_ndarray(format="rgb24").any()) for mask in container.decode(video=0)]
    series = find_series(clip)
    if series is not None and series.count != len(is_marked):
        problem = f"{len(is_marked)} masks for {series.count} pictures; restore the missing ones"
        raise LabelsError(f"labels: {masks}: {problem}")
    numbered = groupby(enumerate(is_marked, start=1), key=lambda frame: frame[1])
    runs = [[number for number, _ in frames] for marked, frames in numbered if marked]
    return [(run[0], run[-1]) for run in runs]


def _labelled(clip: Path, stretches: Iterable[Stretch]) -> list[Row]:
    rows = [Row(clip, (first - 1) / PICTURE_RATE, last / PICTURE_RATE, ANOMALY, clip.name) for first, last in stretches]
    return rows or [Row(clip, None, None, NORMAL, clip.name)]
