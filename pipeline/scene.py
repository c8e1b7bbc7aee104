"""Scripted street scenes, drawn and synthesised from a seed: pictures, sound and subtitles in one Matroska file."""

import argparse
import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.container
import av.packet
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import scene_sound as sound
from pipeline.scene_play import PLAYS
from pipeline.scene_stage import Meeting, Stage, picture, stage

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
    """How a normal act looks or sounds: a key of `PLAYS` or `NOISES`, or `line` for words alone. Empty: as the seed has it."""


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
        seed=7,
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
    acts: list[Act] = []
    shows = list(PLAYS)
    for start in np.arange(rng.uniform(-3, 2), duration_seconds - 3, rng.uniform(6, 9)):
        acts.append(_act(max(0.0, start), start + rng.uniform(4, 8), duration_seconds, show=str(rng.choice(shows))))
    for start in np.cumsum(rng.exponential(5, 6)):
        acts.append(_act(start, start + 2.0, duration_seconds, show=str(rng.choice(list(sound.NOISES)))))
    if rng.random() < 0.7:
        for start in np.arange(rng.uniform(0, 4), duration_seconds - 2, rng.uniform(3.5, 7)):
            acts.append(
                _act(start, start + rng.uniform(1.5, 3), duration_seconds, text=str(rng.choice(lines)), show="line")
            )
    start = rng.uniform(2, max(2.5, duration_seconds / 2))
    for _ in range(int(rng.choice([0, 1, 2, 2]))):
        label = str(rng.choice(["fight", "fight", "fight", *sound.ALARMS, "threat"]))
        length = rng.uniform(3.5, 8) if label == "fight" else rng.uniform(1.5, 4)
        text = str(rng.choice(threats)) if label == "threat" else ""
        if start + length < duration_seconds - 0.5:
            acts = [
                act
                for act in acts
                if not (text and act.text and act.start_seconds < start + length and start < act.end_seconds)
            ]
            acts.append(_act(start, start + length, duration_seconds, label, text))
        start += length + rng.uniform(4, 7)
    acts = [act for act in acts if act.end_seconds - act.start_seconds > 0.8]
    return Scene(seed, duration_seconds, tuple(sorted(acts, key=lambda act: act.start_seconds)))


def _act(start: float, end: float, last: float, label: str = NORMAL, text: str = "", show: str = "") -> Act:
    return Act(round(float(start), 2), round(min(float(end), last), 2), label, text, show)


def render(scene: Scene, path: Path, progress: Callable[[float], None] | None = None) -> None:
    """Renders a scene to Matroska with H.264 (libx264), AAC and SubRip; the file appears when it is complete.

    Args:
        scene: What happens.
        path: File to write.
        progress: Told the share done, from 0 to 1.

    Raises:
        ValueError: an act has a label or a show that cannot be staged.
        OSError: the file cannot be written.
    """
    meetings = list(_meetings(scene))
    times = np.arange(round(scene.duration_seconds * scene.fps)) / scene.fps
    staged = stage(np.random.default_rng([scene.seed, 2]), meetings, times, scene.width, scene.height)
    samples = soundtrack(scene, staged)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with av.open(partial, "w", format="matroska", options={"fflags": "+bitexact"}) as output:
            _encode(scene, staged, samples, output, progress)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _meetings(scene: Scene) -> Iterator[Meeting]:
    """The acts that are seen."""
    rng = np.random.default_rng([scene.seed, 3])
    for act in scene.acts:
        if act.label == "fight":
            yield "fight", act.start_seconds, act.end_seconds
        elif act.label == NORMAL:
            show = act.show or ("line" if act.text else str(rng.choice(list(PLAYS))))
            if show in PLAYS:
                yield show, act.start_seconds, act.end_seconds
            elif show not in sound.NOISES and show != "line":
                raise ValueError(f"scene: show {show!r}: not one of {', '.join([*PLAYS, *sound.NOISES, 'line'])}")
        elif act.label not in sound.ALARMS and act.label != "threat":
            raise ValueError(
                f"scene: label {act.label!r}: cannot be staged; use fight, threat, {', '.join(sound.ALARMS)}"
            )


def soundtrack(scene: Scene, staged: Stage) -> NDArray[np.float32]:
    """What the scene sounds like, (S,) in [-1, 1] at 16 kHz."""
    rng = np.random.default_rng([scene.seed, 4])
    track = sound.ambience(rng, scene.duration_seconds)
    for car in staged.cars:
        sound.mix(track, sound.car_pass(rng, car.seconds), car.start_seconds)
    for act in scene.acts:
        length = act.end_seconds - act.start_seconds
        if act.label in sound.ALARMS:
            sound.mix(track, sound.ALARMS[act.label](rng, length), act.start_seconds)
        elif act.show in sound.NOISES:
            sound.mix(track, sound.NOISES[act.show](rng), act.start_seconds)
        else:
            sound.mix(track, sound.babble(rng, length) * (1.0 if act.text else 0.6), act.start_seconds)
    return np.tanh(track).astype(np.float32)


def subtitles(scene: Scene) -> str:
    """The scene's lines as SubRip."""
    spoken = sorted((act for act in scene.acts if act.text), key=lambda act: act.start_seconds)
    return "".join(
        f"{index}\n{_stamp(act.start_seconds)} --> {_stamp(act.end_seconds)}\n{act.text}\n\n"
        for index, act in enumerate(spoken, 1)
    )


def _stamp(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{thousandths:03}"


def _encode(
    scene: Scene,
    staged: Stage,
    samples: NDArray[np.float32],
    output: av.container.OutputContainer,
    progress: Callable[[float], None] | None,
) -> None:
    """Draws and encodes every picture, with the sound and the words of its time."""
    video = output.add_stream("libx264", rate=scene.fps, options={"preset": "veryfast", "crf": "25"})
    video.width, video.height, video.pix_fmt = scene.width, scene.height, "yuv420p"
    video.thread_count = 1
    audio = output.add_stream("aac", rate=sound.RATE, layout="mono")
    cues = _cue_packets(scene, output)
    cue = next(cues, None)
    sounded = 0
    for index, time in enumerate(staged.times):
        while cue is not None and cue.pts is not None and cue.pts / 1000 <= time:
            output.mux(cue)
            cue = next(cues, None)
        frame = av.VideoFrame.from_ndarray(
            cv2.cvtColor(picture(staged, index), cv2.COLOR_RGB2YUV_I420), format="yuv420p"
        )
        frame.pts, frame.time_base = index, Fraction(1, scene.fps)
        output.mux(video.encode(frame))
        until = round((index + 1) * sound.RATE / scene.fps)
        chunk = av.AudioFrame.from_ndarray(samples[None, sounded:until], format="fltp", layout="mono")
        chunk.sample_rate, chunk.pts, chunk.time_base = sound.RATE, sounded, Fraction(1, sound.RATE)
        output.mux(audio.encode(chunk))
        sounded = until
        if progress:
            progress((index + 1) / len(staged.times))
    output.mux(video.encode(None))
    output.mux(audio.encode(None))


def _cue_packets(scene: Scene, output: av.container.OutputContainer) -> Iterator[av.packet.Packet]:
    """The subtitles as packets of a new stream of `output`; a scene without words gets no such stream."""
    text = subtitles(scene)
    if not text:
        return iter(())
    source = av.open(io.BytesIO(text.encode()), format="srt")
    stream = output.add_stream_from_template(source.streams.subtitles[0])

    def packets() -> Iterator[av.packet.Packet]:
        with source:
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    yield packet

    return packets()


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


def main() -> None:
    """Renders random scenes and their labels into a folder."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.scene", description=main.__doc__)
    parser.add_argument("out", type=Path, help="folder to write scenes and labels.csv to")
    parser.add_argument("--num", type=int, default=20, help="how many")
    parser.add_argument("--seconds", type=float, default=20, help="length of each")
    parser.add_argument("--first", type=int, default=0, help="seed of the first; the others follow")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    made = []
    for seed in range(wanted.first, wanted.first + wanted.num):
        scene, path = random_scene(seed, wanted.seconds), wanted.out / f"scene{seed:05}.mkv"
        render(scene, path)
        made.append((scene, path))
    write_labels(made, wanted.out / "labels.csv")


if __name__ == "__main__":
    main()
