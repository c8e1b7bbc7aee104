"""Writes Matroska with H.264, sound and SubRip, of those that there are; the same material makes the same bytes."""

from __future__ import annotations  # av.Packet takes a parameter in its stub only

import io
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

X264: Final = {"preset": "veryfast", "crf": "25", "x264-params": "cpu-independent=1"}
"""Without the last, libx264's fast paths make one picture in some hundreds a little different every time."""

Track: TypeAlias = "Iterator[list[Packet[Any]]]"
"""The packets of one picture's time after the other, then what an encoder still holds."""


def write_matroska(
    path: Path,
    num_pictures: int,
    fps: int,
    *,
    pictures: Iterable[NDArray[np.uint8]] | None = None,
    size: tuple[int, int] = (0, 0),
    x264: Mapping[str, str] = X264,
    sound: NDArray[np.float32] | None = None,
    sound_codec: Literal["aac", "flac"] = "aac",
    sample_rate: int = 16_000,
    subtitles: str = "",
) -> None:
    """Writes a file, which appears when it is complete.

    Args:
        path: the file.
        num_pictures: its length in pictures, whether it has pictures or not.
        fps: pictures a second.
        pictures: RGB, (H, W, 3).
        size: their width and height, both even.
        x264: libx264's options.
        sound: mono, (S,) in [-1, 1].
        sound_codec: `aac`, or `flac`, which loses nothing that 16 bits hold.
        sample_rate: of the sound, in Hz.
        subtitles: SubRip; without a line there is no such track.

    Raises:
        OSError: the file cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with av.open(partial, "w", format="matroska", options={"fflags": "+bitexact"}) as output:
            tracks: list[Track] = []
            if pictures is not None:
                width, height = size
                seen = output.add_stream("libx264", fps, dict(x264), width=width, height=height, pix_fmt="yuv420p")
                seen.thread_count = 1
                tracks.append(_video(seen, pictures, fps))
            if sound is not None:
                heard = output.add_stream(sound_codec, sample_rate, layout="mono")
                tracks.append(_audio(heard, sound, num_pictures, fps))
            if subtitles:
                tracks.insert(0, _text(output, subtitles, num_pictures, fps))
            for _ in range(num_pictures):
                for track in tracks:
                    output.mux(next(track))
            for track in tracks:
                for packets in track:
                    output.mux(packets)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def srt(lines: Iterable[tuple[float, float, str]]) -> str:
    """SubRip of lines with their start and end in seconds, in order."""
    return "".join(
        f"{index}\n{_stamp(start)} --> {_stamp(end)}\n{text}\n\n" for index, (start, end, text) in enumerate(lines, 1)
    )


def _stamp(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{thousandths:03}"


def _video(stream: VideoStream, pictures: Iterable[NDArray[np.uint8]], fps: int) -> Track:
    for index, picture in enumerate(pictures):
        planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = index, Fraction(1, fps)
        yield list(stream.encode(frame))
    yield list(stream.encode(None))


def _audio(stream: AudioStream, sound: NDArray[np.float32], num_pictures: int, fps: int) -> Track:
    start = 0
    for index in range(num_pictures):
        end = round((index + 1) * stream.rate / fps)
        frame = av.AudioFrame.from_ndarray(sound[None, start:end], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = stream.rate, start, Fraction(1, stream.rate)
        yield list(stream.encode(frame))
        start = end
    yield list(stream.encode(None))


def _text(output: OutputContainer, subtitles: str, num_pictures: int, fps: int) -> Track:
    """A cue comes with the first picture that is not before it."""
    with av.open(io.BytesIO(subtitles.encode()), "r", format="srt") as source:
        stream = output.add_stream_from_template(source.streams.subtitles[0])
        packets = [packet for packet in source.demux() if packet.pts is not None]
    due = [math.ceil((packet.pts or 0) * fps / 1000) for packet in packets]
    for packet in packets:
        packet.stream = stream
    num_ticks = max(num_pictures, *due) + 1
    return iter([[packets[cue] for cue, at in enumerate(due) if at == index] for index in range(num_ticks)])
