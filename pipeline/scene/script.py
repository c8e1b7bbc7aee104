"""What happens in a scene: its acts, the scenes that come with Heed, and their labels."""

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.scene.cast import PLAYS
from pipeline.scene.sound import ALARMS, NOISES

NORMAL: Final = "normal"
GUARD_SECONDS: Final = 2.0
"""Time before and after an anomaly that no label row covers."""

ORDINARY_LINES: Final = (
    "Shall we get a coffee at the corner?",
    "The number nine bus is late again.",
    "Did you see the match last night?",
    "My sister is moving house on Saturday.",
    "The bakery has those rolls you like.",
    "It looks like rain this afternoon.",
    "I parked behind the library.",
    "Call me when the train gets in.",
    "What a lovely dog, how old is she?",
    "We still need a present for Tom.",
)
THREAT_LINES: Final = (
    "Give me your money or I will stab you!",
    "I swear I'll kill you, do you hear me?",
    "Move and I'll break your neck.",
)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens in a scene."""

    start_seconds: float
    end_seconds: float
    label: str = NORMAL
    """`normal`, or the anomaly: `fight` is seen, `gun_shot`, `glass_break` and `siren` are heard, `threat` is read."""
    text: str = ""
    """A subtitle shown meanwhile; empty shows none."""
    show: str = ""
    """How a normal act looks or sounds: a key of `PLAYS` or `NOISES`, or `line` for words alone; empty: by the seed."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene to be rendered. The same scene makes the same file."""

    seed: int
    duration_seconds: float
    acts: tuple[Act, ...]
    width: int = 640
    height: int = 360
    fps: int = 15


def demo_scene() -> Scene:
    """The minute that `heed demo` shows: ordinary life, a fight, breaking glass, a threat and shots, each apart."""
    line, threat = ORDINARY_LINES, THREAT_LINES[0]
    return Scene(
        seed=8,
        duration_seconds=68,
        acts=(
            Act(0.5, 9.5, show="talk"),
            Act(2.0, 4.5, text=line[0], show="line"),
            Act(6.0, 8.5, text=line[1], show="line"),
            Act(9.0, 10.0, show="dog_bark"),
            Act(14.0, 20.5, "fight"),
            Act(24.0, 33.0, show="ball"),
            Act(26.0, 28.5, text=line[5], show="line"),
            Act(33.0, 36.0, "glass_break"),
            Act(38.5, 46.0, show="dance"),
            Act(41.0, 43.0, text=line[8], show="line"),
            Act(46.5, 50.0, "threat", text=threat),
            Act(52.0, 58.0, show="handshake"),
            Act(54.0, 56.0, text=line[9], show="line"),
            Act(60.0, 63.5, "gun_shot"),
        ),
    )


def random_scene(
    seed: int,
    duration_seconds: float = 20,
    lines: tuple[str, ...] = ORDINARY_LINES,
    threats: tuple[str, ...] = THREAT_LINES,
) -> Scene:
    """A varied scene: one in four is all ordinary, the others have an anomaly or two, four seconds apart or more."""
    rng = np.random.default_rng([seed, 1])
    last = duration_seconds
    acts = [
        _act(max(0.0, start), start + rng.uniform(4, 8), last, show=str(rng.choice(list(PLAYS))))
        for start in np.arange(rng.uniform(-3, 2), last - 3, rng.uniform(6, 9))
    ]
    acts += [
        _act(start, start + 2, last, show=str(rng.choice(list(NOISES)))) for start in np.cumsum(rng.exponential(5, 6))
    ]
    if rng.random() < 0.7:
        acts += [
            _act(start, start + rng.uniform(1.5, 3), last, text=str(rng.choice(lines)), show="line")
            for start in np.arange(rng.uniform(0, 4), last - 2, rng.uniform(3.5, 7))
        ]
    wrong = _anomalies(rng, last, threats)
    spoken = [act for act in wrong if act.text]
    acts = [act for act in acts if not (act.text and any(_overlap(act, other) for other in spoken))]
    acts = [act for act in acts if act.end_seconds - act.start_seconds > 0.8]
    return Scene(seed, last, tuple(sorted(acts + wrong, key=lambda act: act.start_seconds)))


def _anomalies(rng: np.random.Generator, last: float, threats: tuple[str, ...]) -> list[Act]:
    """None, one or two of them."""
    acts, start = [], rng.uniform(2, max(2.5, last / 3))
    for _ in range(int(rng.choice([0, 1, 2, 2]))):
        label = str(rng.choice(["fight", "fight", "fight", *ALARMS, "threat"]))
        end = start + (rng.uniform(3.5, 8) if label == "fight" else rng.uniform(1.5, 4))
        if end < last - 0.5:
            acts.append(_act(start, end, last, label, str(rng.choice(threats)) if label == "threat" else ""))
        start = end + rng.uniform(4, 7)
    return acts


def _overlap(act: Act, other: Act) -> bool:
    """Whether the two are on at the same time."""
    return act.start_seconds < other.end_seconds and other.start_seconds < act.end_seconds


def _act(start: float, end: float, last: float, label: str = NORMAL, text: str = "", show: str = "") -> Act:
    return Act(round(float(start), 2), round(min(float(end), last), 2), label, text, show)


def label_rows(scene: Scene) -> list[tuple[float, float, str]]:
    """Labelled stretches: every anomaly, and as `normal` the time that is not within two seconds of one."""
    wrong = sorted((act.start_seconds, act.end_seconds, act.label) for act in scene.acts if act.label != NORMAL)
    rows, calm = list(wrong), 0.0
    for start, end, _ in [*wrong, (scene.duration_seconds + GUARD_SECONDS, 0.0, "")]:
        if start - GUARD_SECONDS > calm:
            rows.append((calm, round(start - GUARD_SECONDS, 3), NORMAL))
        calm = max(calm, end + GUARD_SECONDS)
    return sorted(rows)


def write_labels(scenes_and_paths: Iterable[tuple[Scene, Path]], csv_path: Path) -> None:
    """Writes a labels file for rendered scenes, with paths relative to it; a scene is a group."""
    with csv_path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "start_seconds", "end_seconds", "label", "group"])
        for scene, path in scenes_and_paths:
            name = Path(os.path.relpath(path, csv_path.parent)).as_posix()
            writer.writerows(
                [name, start, end, label, f"scene-{scene.seed}"] for start, end, label in label_rows(scene)
            )
