"""Renders a scene to Matroska: H.264, AAC and SubRip."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.matroska import srt, write_matroska
from pipeline.scene import sound
from pipeline.scene.cast import PLAYS
from pipeline.scene.picture import picture
from pipeline.scene.script import NORMAL, Scene
from pipeline.scene.stage import Meeting, Stage, stage


def render(scene: Scene, path: Path, progress: Callable[[float], None] | None = None) -> None:
    """Renders a scene to Matroska with H.264 (libx264), AAC and SubRip; the file appears when it is complete.

    Args:
        scene: What happens.
        path: File to write.
        progress: Told the share done, from 0 to 1.

    Raises:
        ConfigError: an act has a label or a show that cannot be staged.
        OSError: the file cannot be written.
    """
    staged = staged_of(scene)
    write_matroska(
        path,
        len(staged.times),
        scene.fps,
        pictures=_pictures(staged, progress),
        size=(scene.width, scene.height),
        sound=soundtrack(scene, staged),
        sample_rate=sound.RATE,
        subtitles=subtitles(scene),
    )


def render_sound(scene: Scene, path: Path) -> None:
    """Writes what a scene sounds like, alone, to Matroska with FLAC: a hundred times faster than drawing it.

    Raises:
        ConfigError, OSError: as for `render`.
    """
    staged = staged_of(scene)
    track = soundtrack(scene, staged)
    write_matroska(path, len(staged.times), scene.fps, sound=track, sound_codec="flac", sample_rate=sound.RATE)


def staged_of(scene: Scene) -> Stage:
    """Who and what is where in a scene, and when.

    Raises:
        ConfigError: an act has a label or a show that cannot be staged.
    """
    meetings = list(_meetings(scene))
    times = np.arange(round(scene.duration_seconds * scene.fps)) / scene.fps
    return stage(np.random.default_rng([scene.seed, 2]), meetings, times, scene.width, scene.height)


def _pictures(staged: Stage, progress: Callable[[float], None] | None) -> Iterator[NDArray[np.uint8]]:
    for index in range(len(staged.times)):
        yield picture(staged, index)
        if progress:
            progress((index + 1) / len(staged.times))


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
                raise ConfigError(
                    f"scene: show {show!r}: not known; use one of {', '.join([*PLAYS, *sound.NOISES, 'line'])}"
                )
        elif act.label not in sound.ALARMS and act.label != "threat":
            raise ConfigError(
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
    return srt((act.start_seconds, act.end_seconds, act.text) for act in spoken)
