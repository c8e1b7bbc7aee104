"""Renders a planned file: its pictures, its sound and its lines, muxed into Matroska."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.compose.material import Clip
from pipeline.compose.plan import FilePlan
from pipeline.compose.reading import FPS, SPEC, Pictures, Sound, pictures, sound
from pipeline.matroska import srt, write_matroska

LONGEST_SIDE: Final = 320
"""Of a picture, in pixels; the other side follows the bed's aspect."""
DISSOLVE_SECONDS: Final = 0.4
"""From the bed's pictures to the act's and back: a hard cut is itself a motion."""
SEAM_SECONDS: Final = 0.25
"""Over which a short bed of sound runs into its own beginning."""
FADE_SECONDS: Final = 0.02
"""In and out, of a sound."""
_FAINTEST: Final = 1e-5
_FULL_SCALE: Final = 0.999


def render(plan: FilePlan, path: Path) -> None:
    """Writes H.264, FLAC and SubRip, of those that the plan has; the file appears when it is complete.

    Raises:
        SourceError: a clip cannot be read any more.
        OSError: the file cannot be written.
    """
    lines = sorted([*plan.of("text", "bed"), *plan.of("text", "act")], key=lambda part: part.start_seconds)
    seen = plan.of("video", "bed")
    size = _size(seen[0].clip) if seen else (0, 0)
    write_matroska(
        path,
        round(plan.seconds * FPS),
        FPS,
        pictures=_pictures(plan, size) if seen else None,
        size=size,
        sound=_sound(plan) if plan.of("audio", "bed") else None,
        sound_codec="flac",
        sample_rate=SPEC.sample_rate,
        subtitles=srt((part.start_seconds, part.end_seconds, part.clip.text) for part in lines),
    )


def _size(clip: Clip) -> tuple[int, int]:
    """Even width and height of the bed's aspect."""
    height, width = pictures(clip.path, clip.start_seconds, clip.end_seconds)[0].shape[:2]
    scale = LONGEST_SIDE / max(width, height)
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _pictures(plan: FilePlan, size: tuple[int, int]) -> Iterator[NDArray[np.uint8]]:
    """The bed to and fro, and the act dissolved into it and out of it."""
    (act,) = plan.of("video", "act")
    (bed,) = plan.of("video", "bed")
    below = _loaded(bed.clip, plan.seconds, size)
    above = _loaded(act.clip, act.end_seconds - act.start_seconds, size)
    for index in range(round(plan.seconds * FPS)):
        since, until = index / FPS - act.start_seconds, act.end_seconds - index / FPS
        picture = below[_there_and_back(index, len(below))]
        if since >= 0 and until > 0:
            share = min(1.0, (since + 1 / FPS) / DISSOLVE_SECONDS, until / DISSOLVE_SECONDS)
            over = above[_there_and_back(int(since * FPS), len(above))]
            picture = np.rint(share * over + (1 - share) * picture).astype(np.uint8)
        yield picture


def _loaded(clip: Clip, seconds: float, size: tuple[int, int]) -> Pictures:
    return pictures(clip.path, clip.start_seconds, min(clip.end_seconds, clip.start_seconds + seconds), size)


def _there_and_back(index: int, length: int) -> int:
    """0, 1, … length - 1, … 1, 0, 1, …: a short clip goes on without a cut."""
    if length == 1:
        return 0
    place = index % (2 * length - 2)
    return place if place < length else 2 * length - 2 - place


def _sound(plan: FilePlan) -> Sound:
    """The act as loud as it is, the bed below it by the plan's decibels; all of it less loud where it would clip."""
    (act,) = plan.of("audio", "act")
    (bed,) = plan.of("audio", "bed")
    above = _faded(_cut(act.clip)[: round((act.end_seconds - act.start_seconds) * SPEC.sample_rate)])
    below = _cut(bed.clip)
    gain = _level(above) / max(_level(below), _FAINTEST) * 10 ** (-plan.snr_db / 20)
    track = _looped(below, round(plan.seconds * SPEC.sample_rate)) * np.float32(gain)
    at = round(act.start_seconds * SPEC.sample_rate)
    track[at : at + len(above)] += above
    return track * np.float32(min(1.0, _FULL_SCALE / max(float(np.abs(track).max()), _FAINTEST)))


def _cut(clip: Clip) -> Sound:
    start, end = (round(time * SPEC.sample_rate) for time in (clip.start_seconds, clip.end_seconds))
    return sound(clip.path)[start:end]


def _looped(samples: Sound, length: int) -> Sound:
    """The sound again and again, each end faded into the next begin."""
    seam = min(round(SEAM_SECONDS * SPEC.sample_rate), len(samples) // 2)
    rise = np.linspace(0, 1, seam, dtype=np.float32)
    track, at = np.zeros(length + len(samples), np.float32), 0
    track[: len(samples)] = samples
    while seam and (at := at + len(samples) - seam) < length:
        track[at : at + seam] *= 1 - rise
        joined = samples.copy()
        joined[:seam] *= rise
        end = min(len(track), at + len(samples))
        track[at:end] += joined[: end - at]
    return track[:length]


def _faded(samples: Sound) -> Sound:
    edge = min(round(FADE_SECONDS * SPEC.sample_rate), len(samples) // 2)
    result = samples.copy()
    rise = np.linspace(0, 1, edge, dtype=np.float32)
    result[:edge] *= rise
    result[len(result) - edge :] *= rise[::-1]
    return result


def _level(samples: Sound) -> float:
    return float(np.sqrt(np.square(samples).mean())) if len(samples) else 0.0
