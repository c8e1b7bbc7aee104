"""Renders a scene to Matroska: H.264, AAC and SubRip."""

import io
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.container
import cv2
import numpy as np
from av.stream import Stream
from numpy.typing import NDArray

from pipeline.errors import ConfigError
from pipeline.scene import sound
from pipeline.scene.cast import PLAYS
from pipeline.scene.picture import picture
from pipeline.scene.script import NORMAL, Scene
from pipeline.scene.stage import Meeting, Stage, stage

X264: Final = {"preset": "veryfast", "crf": "25", "x264-params": "cpu-independent=1"}
"""Without the last, libx264's fast paths make one picture in some hundreds a little different every time."""


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
    video = output.add_stream("libx264", rate=scene.fps, options=X264)
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
        planes = np.asarray(cv2.cvtColor(picture(staged, index), cv2.COLOR_RGB2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
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


def _cue_packets(scene: Scene, output: av.container.OutputContainer) -> Iterator["av.Packet[Stream]"]:
    """The subtitles as packets of a new stream of `output`; a scene without words gets no such stream."""
    text = subtitles(scene)
    if not text:
        return iter(())
    source = av.open(io.BytesIO(text.encode()), "r", format="srt")
    stream = output.add_stream_from_template(source.streams.subtitles[0])

    def packets() -> Iterator["av.Packet[Stream]"]:
        with source:
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    yield packet

    return packets()
