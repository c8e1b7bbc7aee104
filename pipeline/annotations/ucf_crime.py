"""UCF-Crime: `Temporal_Anomaly_Annotation_for_Testing_Videos.txt`.

A line is `Abuse028_x264.mp4  Abuse  165  240  -1  -1`: the video, its class, and first and last frame of two stretches,
counted from 1, -1 where there is none; normal videos have none. Frames become seconds by the video's own frame rate,
30 a second where it cannot be read. Videos lie beside the file or in folders below it, by class or not.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from models.spec import NORMAL
from pipeline.annotations.lines import frame_pairs, numbered_lines, wrong
from pipeline.annotations.videos import frame_rate, media_below
from pipeline.annotations.words import label_of
from pipeline.labels import Row

_FRAME_RATE: Final = 30.0
_NONE: Final = "-1"
_NUM_WORDS: Final = 6


def is_line(line: str) -> bool:
    """Whether it is one of an annotations file."""
    return bool(re.match(r"\S+\.\w+\s+[A-Za-z_]+\s+-?\d+\s+-?\d+", line))


def read(path: Path) -> list[Row]:
    """Reads an annotations file.

    Raises:
        LabelsError: it cannot be read, or a line is wrong.
    """
    videos = {video.name: video for video in media_below(path.parent)}
    return [row for number, line in numbered_lines(path) for row in _rows(path, number, line, videos)]


def _rows(path: Path, number: int, line: str, videos: dict[str, Path]) -> Iterator[Row]:
    words = line.split()
    if len(words) != _NUM_WORDS:
        problem = f"{len(words)} words; write the video, its class and four frame numbers, -1 for none"
        raise wrong(path, number, problem)
    name, kind, *frames = words
    video, label = videos.get(name, path.parent / name), label_of(kind)
    pairs = frame_pairs(path, number, [frame for frame in frames if frame != _NONE])
    if (label == NORMAL) == bool(pairs):
        problem = "a normal video with frames" if pairs else f"{kind} without frames"
        raise wrong(path, number, f"{problem}; mend the class or the frames")
    if label == NORMAL:
        yield Row(video, None, None, NORMAL, name)
        return
    rate = frame_rate(video, _FRAME_RATE)
    for first, last in pairs:
        yield Row(video, (first - 1) / rate, last / rate, label, name)
