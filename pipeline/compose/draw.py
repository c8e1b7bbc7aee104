"""Draws what goes where: from clips and a seed, nothing read and nothing written.

Each sense of each file has a bed of one recording and, laid over it once, an act of another clip. Acts are ordinary
too, but for those of the senses that are to show the anomaly: that something changes says nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from models.spec import MODALITIES
from pipeline.compose.material import Clip, Material
from pipeline.compose.plan import EDGE_SECONDS, FilePlan, Part, Shares

ACT_SECONDS: Final = (4.0, 8.0)
"""Shortest and longest act that is seen; no act that is heard or read is longer, but for a single long line."""
WORDS_PER_SECOND: Final = 2.5
"""Of ordinary speech."""
LINE_SECONDS: Final = (1.2, 7.0)
"""Shortest and longest time that a line stays."""
PAUSE_SECONDS: Final = (0.8, 5.0)
"""Between the lines of the bed."""
BREATH_SECONDS: Final = (0.2, 1.0)
"""Between the lines of an act."""
MOST_LINES: Final = 3
"""Of an act."""

Timed = tuple[Clip, float, float]
"""A clip, its start and its end in seconds."""


def plans(material: Material, shares: Shares, seed: int) -> list[FilePlan]:
    """The same files for the same clips, shares and seed.

    Args:
        material: ordinary clips and others for each modality.
        shares: how many files of what kind.
        seed: of all chance.
    """
    return [
        _plan(index, carriers, present, material, shares, np.random.default_rng([seed, 1, index]))
        for index, (carriers, present) in enumerate(_deal(shares, np.random.default_rng([seed, 0])))
    ]


def _deal(shares: Shares, rng: np.random.Generator) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """For each file the senses that show the anomaly and the senses there are, in exact shares."""
    num_normal, num_double = round(shares.normal * shares.num), round(shares.double * shares.num)
    pairs = list(combinations(MODALITIES, 2))
    kinds: list[tuple[str, ...]] = [()] * num_normal + [pairs[i % len(pairs)] for i in range(num_double)]
    kinds += [(MODALITIES[i % len(MODALITIES)],) for i in range(shares.num - len(kinds))]
    lacks = rng.permutation(shares.num) < round(shares.missing * shares.num)
    for is_lacking, kind in zip(lacks, rng.permutation(len(kinds)), strict=True):
        carriers, lost = kinds[kind], set[str]()
        if is_lacking:
            others = [name for name in MODALITIES if name not in carriers]
            count = rng.integers(1, min(2, len(others)) + 1)
            lost = {str(name) for name in rng.choice(others, count, replace=False)}
        yield carriers, tuple(name for name in MODALITIES if name not in lost)


def _plan(
    index: int,
    carriers: Sequence[str],
    present: Iterable[str],
    material: Material,
    shares: Shares,
    rng: np.random.Generator,
) -> FilePlan:
    parts: list[Part] = []
    first: float | None = None
    for modality in sorted(present, key=lambda name: name not in carriers):
        act, bed = _chosen(modality, material[modality], modality in carriers, rng)
        timed = _timed(modality, act, rng)
        length = timed[-1][2]
        start = rng.uniform(EDGE_SECONDS, shares.seconds - EDGE_SECONDS - length)
        if modality in carriers:
            if first is not None:  # the anomalies of a file come together
                start = np.clip(first + rng.uniform(-1, 1), EDGE_SECONDS, shares.seconds - EDGE_SECONDS - length)
            first = start
        start = round(float(start), 2)
        around = [(bed[0], 0.0, shares.seconds)]
        if modality == "text":
            around = list(_talk(bed, start, start + length, shares.seconds, rng))
        parts += [Part(modality, "bed", clip, low, high) for clip, low, high in around]
        parts += [Part(modality, "act", *_shifted(line, start)) for line in timed]
    parts.sort(key=lambda part: (MODALITIES.index(part.modality), part.start_seconds))
    snr_db = round(float(rng.uniform(*shares.snr_db)), 1)
    return FilePlan(f"composed{index:05}.mkv", shares.seconds, snr_db, tuple(parts))


def _chosen(
    modality: str, clips: Sequence[Clip], is_wrong: bool, rng: np.random.Generator
) -> tuple[list[Clip], list[Clip]]:
    """The clips of the act and of the bed: of one recording where it is seen, else of two."""
    normal = [clip for clip in clips if clip.is_normal]
    wrong = [clip for clip in clips if not clip.is_normal]
    if modality == "video":
        recordings = {clip.group for clip in normal}
        wrong = [clip for clip in wrong if clip.group in recordings] or wrong
        act = _drawn(wrong if is_wrong else normal, rng)
        same = [clip for clip in normal if clip.group == act.group]
        return [act], [_drawn([clip for clip in same if clip != act] or same or normal, rng)]
    act = _drawn(wrong if is_wrong else normal, rng)
    others = [clip for clip in normal if clip.group != act.group] or normal
    if modality == "audio":
        return [act], [_drawn(others, rng)]
    theme = [clip for clip in clips if (clip.group, clip.label) == (act.group, act.label) and clip != act]
    return [act, *_shuffled(theme, rng)[: MOST_LINES - 1]], _themes(others, rng)


def _drawn(clips: Sequence[Clip], rng: np.random.Generator) -> Clip:
    """A rare label as often as a common one, and a short recording as often as a long one."""
    label = rng.choice(sorted({clip.label for clip in clips}))
    group = rng.choice(sorted({clip.group for clip in clips if clip.label == label}))
    found = [clip for clip in clips if (clip.label, clip.group) == (label, group)]
    return found[rng.integers(len(found))]


def _shuffled(clips: Sequence[Clip], rng: np.random.Generator) -> list[Clip]:
    return [clips[index] for index in rng.permutation(len(clips))]


def _themes(clips: Sequence[Clip], rng: np.random.Generator) -> list[Clip]:
    """All lines, one theme after the other."""
    themes = rng.permutation(sorted({clip.group for clip in clips}))
    return [clip for theme in themes for clip in _shuffled([clip for clip in clips if clip.group == theme], rng)]


def _timed(modality: str, act: Sequence[Clip], rng: np.random.Generator) -> list[Timed]:
    """The clips of an act with their times from its start on."""
    shortest, longest = ACT_SECONDS
    if modality == "video":
        return [(act[0], 0.0, round(float(rng.uniform(shortest, longest)), 2))]
    if modality == "audio":
        return [(act[0], 0.0, min(act[0].seconds, longest))]
    timed: list[Timed] = []
    start = 0.0
    for line in act:
        end = start + _speaking_seconds(line)
        if timed and end > longest:
            break
        timed.append((line, round(start, 2), round(end, 2)))
        start = end + float(rng.uniform(*BREATH_SECONDS))
    return timed


def _talk(
    lines: Sequence[Clip], act_start: float, act_end: float, seconds: float, rng: np.random.Generator
) -> Iterator[Timed]:
    """Lines with pauses, none of them during the act; after the last line comes the first again."""
    start, index = float(rng.uniform(*PAUSE_SECONDS)), 0
    while True:
        end = start + _speaking_seconds(lines[index % len(lines)])
        if start < act_end and end > act_start - BREATH_SECONDS[0]:
            start = act_end + float(rng.uniform(*PAUSE_SECONDS))
            continue
        if end > seconds:
            return
        yield lines[index % len(lines)], round(start, 2), round(end, 2)
        start, index = end + float(rng.uniform(*PAUSE_SECONDS)), index + 1


def _speaking_seconds(line: Clip) -> float:
    shortest, longest = LINE_SECONDS
    return min(max(len(line.text.split()) / WORDS_PER_SECOND, shortest), longest)


def _shifted(timed: Timed, seconds: float) -> Timed:
    clip, start, end = timed
    return clip, round(start + seconds, 3), round(end + seconds, 3)
