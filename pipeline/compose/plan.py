"""What goes where in a composed file, and what is said about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from models.spec import MODALITIES, NORMAL
from pipeline.compose.material import Clip
from pipeline.errors import ConfigError

EDGE_SECONDS: Final = 2.0
"""Nothing happens this near a file's begin and end; ordinary rows keep this far from an anomaly (a window's length)."""
PIECE_SECONDS: Final = 8.0
"""Longest ordinary row: the highest of many windows is no match for the highest of few."""
SHORTEST_SECONDS: Final = 15.0
"""A file must be as long."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How many files of what kind."""

    num: int = 60
    """Files."""
    seconds: float = 40.0
    """Length of each."""
    normal: float = 0.2
    """Share of files in which nothing is wrong."""
    double: float = 0.1
    """Share of files in which two senses show an anomaly at about the same time."""
    missing: float = 0.3
    """Share of files without one or two of the senses that show nothing."""
    snr_db: tuple[float, float] = (6.0, 20.0)
    """Lowest and highest loudness of a sound over its bed."""

    def __post_init__(self) -> None:
        for name in ("normal", "double", "missing"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"compose: --{name} {getattr(self, name):g}: not a share; give 0 to 1")
        if self.normal + self.double > 1:
            raise ConfigError(f"compose: --normal {self.normal:g} --double {self.double:g}: over 1; lower one")
        if self.num < 1:
            raise ConfigError(f"compose: --num {self.num}: nothing to compose; give 1 or more")
        if not SHORTEST_SECONDS <= self.seconds < float("inf"):
            raise ConfigError(f"compose: --seconds {self.seconds:g}: too short; give {SHORTEST_SECONDS:g} or more")
        if not -60 <= self.snr_db[0] <= self.snr_db[1] <= 60:
            low, high = self.snr_db
            raise ConfigError(f"compose: --snr-db {low:g} {high:g}: not a range; give the lower first, within 60 dB")


@dataclass(frozen=True, slots=True)
class Part:
    """A clip in a composed file."""

    modality: str
    """The sense it is for."""
    role: Literal["bed", "act"]
    """What goes on all along, or what is laid over it once."""
    clip: Clip
    """What is seen, heard or read; repeated where it is shorter than its place."""
    start_seconds: float
    """Where it begins in the composed file."""
    end_seconds: float
    """Where it ends in the composed file."""


@dataclass(frozen=True, slots=True)
class FilePlan:
    """One composed file."""

    name: str
    """Of the file, without a folder."""
    seconds: float
    """Its length."""
    snr_db: float
    """Loudness of the sound's act over its bed."""
    parts: tuple[Part, ...]
    """All that goes in, by modality and time."""

    def of(self, modality: str, role: str) -> list[Part]:
        """The parts of one sense and role, in order of time."""
        return [part for part in self.parts if part.modality == modality and part.role == role]

    @property
    def carriers(self) -> tuple[str, ...]:
        """The senses that show an anomaly."""
        return tuple(name for name in MODALITIES if any(not part.clip.is_normal for part in self.of(name, "act")))

    @property
    def end_seconds(self) -> float:
        """Where it really ends: lines alone end with the last of them."""
        is_text = all(part.modality == "text" for part in self.parts)
        return max(part.end_seconds for part in self.parts) if is_text else self.seconds

    @property
    def group(self) -> str:
        """The recording that is seen all along, else the one heard, else the theme that is read."""
        shown = next(name for name in MODALITIES if self.of(name, "bed") or self.of(name, "act"))
        return "+".join(sorted({part.clip.group for part in self.parts if part.modality == shown}))


LabelRow = tuple[float, float, str, str]
"""Start and end in seconds, label, and the senses that show it."""


def label_rows(plan: FilePlan) -> list[LabelRow]:
    """Every anomaly, and the time that is not near one in ordinary rows of about an anomaly's length."""
    shows = "+".join(plan.carriers)
    rows = []
    for carrier in plan.carriers:
        act = plan.of(carrier, "act")
        rows.append((act[0].start_seconds, act[-1].end_seconds, act[0].clip.label, shows))
    start = min((row[0] for row in rows), default=plan.end_seconds + EDGE_SECONDS) - EDGE_SECONDS
    end = max((row[1] for row in rows), default=plan.end_seconds) + EDGE_SECONDS
    return sorted([*rows, *_pieces(0.0, start), *_pieces(end, plan.end_seconds)])


def _pieces(start: float, end: float) -> Iterator[LabelRow]:
    if end - start < EDGE_SECONDS:
        return
    edges = np.linspace(start, end, int(np.ceil((end - start) / PIECE_SECONDS)) + 1)
    for low, high in pairwise(edges):
        yield round(float(low), 3), round(float(high), 3), NORMAL, ""
