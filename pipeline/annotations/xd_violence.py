"""XD-Violence: `annotations.txt`, the labels being in the videos' names.

A line is `v=38GQ9L2meyE__#1_label_B6-0-0 26 80 210 288`: the video, then first frame and the one after the last of each
anomalous stretch, counted from 0 as in the authors' `make_gt.py`. Frames become seconds by the video's own frame rate,
24 a second where it cannot be read. Which anomaly a stretch of a video with several shows is not said: the name's first
counts. Normal videos (`_label_A`) are in no line: they are found beside the file and below. Without an annotations
file, as for the training videos, a video's name labels the whole of it.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from models.spec import NORMAL
from pipeline.annotations.lines import frame_pairs, numbered_lines, wrong
from pipeline.annotations.videos import frame_rate, media_below
from pipeline.annotations.words import label_of
from pipeline.labels import Row

_FRAME_RATE: Final = 24.0
_KINDS: Final = {
    "A": NORMAL,
    "B1": "Fighting",
    "B2": "Shooting",
    "B4": "Riot",
    "B5": "Abuse",
    "B6": "Car accident",
    "G": "Explosion",
}
_NAME = re.compile(r"(?P<recording>.+?)__#.*_label_(?P<kind>A|B1|B2|B4|B5|B6|G)(-\w+)*")


def is_line(line: str) -> bool:
    """Whether it is one of an annotations file."""
    return bool(re.match(r"\S+_label_\S+\s+\d", line))


def is_video(path: Path) -> bool:
    """Whether a file's name is one of a video of XD-Violence."""
    return _labelled(path.stem) is not None


def read(path: Path) -> list[Row]:
    """Reads an annotations file, or a folder of videos that has none.

    Raises:
        LabelsError: the file cannot be read, or a line is wrong.
    """
    if path.is_dir():
        return _whole(media_below(path))
    videos = {video.stem: video for video in media_below(path.parent)}
    annotated = [row for number, line in numbered_lines(path) for row in _rows(path, number, line, videos)]
    known = {row.path for row in annotated}
    return annotated + [row for row in _whole(videos.values()) if row.is_normal and row.path not in known]


def _rows(path: Path, number: int, line: str, videos: dict[str, Path]) -> Iterator[Row]:
    name, *words = line.split()
    stem = name.removesuffix(".mp4")
    labelled = _labelled(stem)
    if labelled is None:
        raise wrong(path, number, f"{name} is no name of a video with its label, as Film__#1_label_B1-0-0; mend it")
    if not words:
        raise wrong(path, number, f"{name} has no frames; give first and last frame of each stretch")
    video = videos.get(stem, path.parent / f"{stem}.mp4")
    label, recording = labelled
    rate = frame_rate(video, _FRAME_RATE)
    for first, last in frame_pairs(path, number, words):
        yield Row(video, first / rate, last / rate, label, recording)


def _whole(videos: Iterable[Path]) -> list[Row]:
    """The videos of the data set among these, each labelled by its name."""
    labelled = [(video, *found) for video in videos if (found := _labelled(video.stem))]
    return [Row(video, None, None, label, recording) for video, label, recording in labelled]


def _labelled(stem: str) -> tuple[str, str] | None:
    """Label and recording of a video; none if it is not of the data set."""
    named = _NAME.fullmatch(stem)
    return (label_of(_KINDS[named["kind"]]), named["recording"]) if named else None
