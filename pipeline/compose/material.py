"""What is composed from: the rows of labels files that can really be seen, heard or read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
import numpy as np

from models.spec import MODALITIES, NORMAL
from pipeline.compose.reading import SPEC, Sound, pictures, sound
from pipeline.config import LiveConfig
from pipeline.container import open_container
from pipeline.errors import LabelsError, SourceError
from pipeline.labels import Row, read_labels, rows_by_path
from pipeline.media import Cue, open_media

BLOCK_SECONDS: Final = 0.05
"""Loudness is looked at in blocks of this length."""
AUDIBLE: Final = 10 ** (-30 / 20)
"""What is 30 dB below a sound's loudest block, at its begin and end, is not it any more."""
_SILENCE: Final = 1e-4
"""A sound whose loudest block stays under this (-80 dB) is none."""

OnSkip = Callable[[str], None]
"""Told in one line which file or row cannot be used."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to see, hear or read."""

    path: Path
    """The file it is in."""
    start_seconds: float
    """Where it begins in the file."""
    end_seconds: float
    """Where it ends in the file."""
    label: str
    """`normal` or a kind of anomaly."""
    group: str
    """The recording or theme it comes from."""
    text: str = ""
    """The words, if it is to be read."""

    @property
    def is_normal(self) -> bool:
        """Whether it is ordinary."""
        return self.label == NORMAL

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end_seconds - self.start_seconds


Material = dict[str, list[Clip]]
"""The clips of each modality."""


def read_material(labels: dict[str, Path], on_skip: OnSkip) -> Material:
    """The usable clips of a labels file for each modality.

    Args:
        labels: the labels file of each modality.
        on_skip: told of every file and row that cannot be used.

    Raises:
        LabelsError: a labels file is wrong, or has nothing usable that is ordinary, or nothing that is not.
    """
    material: Material = {}
    for modality in MODALITIES:
        clips: list[Clip] = []
        for path, rows in rows_by_path(read_labels(labels[modality])).items():
            try:
                clips += _CLIPS[modality](path, rows, on_skip)
            except SourceError as error:
                on_skip(str(error))
        for kind, wanted in (("normal", True), ("anomaly", False)):
            if not any(clip.is_normal == wanted for clip in clips):
                problem = f"no {kind} row that can be used as {modality}"
                raise LabelsError(f"compose: {labels[modality]}: {problem}; add one or name another file")
        material[modality] = clips
    return material


def audible(samples: Sound) -> tuple[float, float] | None:
    """Where a sound is to be heard, in seconds from the start of its samples; none if it is silent."""
    size = round(BLOCK_SECONDS * SPEC.sample_rate)
    blocks = np.pad(samples, (0, -len(samples) % size)).reshape(-1, size)
    loudness = np.sqrt(np.square(blocks).mean(axis=1))
    if loudness.max(initial=0) < _SILENCE:
        return None
    loud = np.flatnonzero(loudness >= AUDIBLE * loudness.max())
    return float(loud[0]) * BLOCK_SECONDS, min(float(loud[-1] + 1) * BLOCK_SECONDS, len(samples) / SPEC.sample_rate)


def _seen(path: Path, rows: Sequence[Row], on_skip: OnSkip) -> Iterator[Clip]:
    with open_container(str(path), LiveConfig()) as container:
        duration = (container.duration or 0) / av.time_base
    for row in rows:
        start, end = row.interval(duration)
        try:
            pictures(path, start, end)
        except SourceError as error:
            on_skip(str(error))
        else:
            yield _clip(row, start, end)


def _heard(path: Path, rows: Sequence[Row], on_skip: OnSkip) -> Iterator[Clip]:
    samples = sound(path)
    for row in rows:
        start, end = row.interval(len(samples) / SPEC.sample_rate)
        found = audible(samples[round(start * SPEC.sample_rate) : round(end * SPEC.sample_rate)])
        if found is None:
            on_skip(f"compose: {path}: silence from {start:g} s to {end:g} s; leave the row out")
        else:
            yield _clip(row, start + found[0], start + found[1])


def _read(path: Path, rows: Sequence[Row], on_skip: OnSkip) -> Iterator[Clip]:
    with open_media(str(path), SPEC) as media:
        cues = [item for item in media.items() if isinstance(item, Cue)]
    duration = max((cue.end_seconds for cue in cues), default=0.0)
    for row in rows:
        start, end = row.interval(duration)
        spoken = [cue for cue in cues if start <= cue.pts_seconds < end]
        if not spoken:
            on_skip(f"compose: {path}: no line from {start:g} s to {end:g} s; leave the row out")
        yield from (_clip(row, cue.pts_seconds, cue.end_seconds, cue.text) for cue in spoken)


def _clip(row: Row, start: float, end: float, text: str = "") -> Clip:
    return Clip(row.path, round(start, 3), round(end, 3), row.label, row.group or row.path.name, text)


_CLIPS: Final[dict[str, Callable[[Path, Sequence[Row], OnSkip], Iterator[Clip]]]] = {
    "video": _seen,
    "audio": _heard,
    "text": _read,
}
