"""The tracks of a source: each turns packets into items of one kind, scaled or resampled as the networks want them."""

from __future__ import annotations  # av.Packet takes a parameter in its stub only

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.packet import Packet
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle
from av.video.reformatter import Interpolation, VideoReformatter

from models.spec import Spec
from pipeline.item import Cue, Frame, Item, Samples
from pipeline.subtitles import plain_text

Clock = Callable[[int, Fraction], float]
"""(pts, time base) -> seconds since the source's start."""

LARGEST_DRIFT_SECONDS = 0.1
"""Sound whose time stamps differ more than this from its count of samples has a hole, or repeats itself."""
LONGEST_CUE_SECONDS = 5.0
"""How long a subtitle without an end stays."""


class VideoTrack:
    """Pictures: the first of every cell of 1 / frame rate seconds, the only one a window takes."""

    def __init__(self, stream: av.VideoStream, spec: Spec, clock: Clock) -> None:
        self._clock = clock
        self._size = spec.frame_size
        self._cells_per_second = spec.frame_rate
        self._frame_seconds = float(1 / stream.average_rate) if stream.average_rate else 1 / 25
        self._last_seconds = -np.inf
        self._last_cell = -1
        self._reformatter = VideoReformatter()
        stream.codec_context.thread_count = 2
        stream.codec_context.thread_type = "AUTO"

    def items(self, packet: Packet[av.VideoStream]) -> Iterator[Item]:
        """Decodes a packet.

        Raises:
            av.FFmpegError: the packet is corrupted.
        """
        for frame in packet.decode():
            if frame.pts is None or frame.time_base is None:
                seconds = max(0.0, self._last_seconds + self._frame_seconds)
            else:
                seconds = self._clock(frame.pts, frame.time_base)
            cell = int(np.floor(seconds * self._cells_per_second + 1e-6))
            if seconds <= self._last_seconds:
                continue
            self._last_seconds = seconds
            if cell > self._last_cell:
                self._last_cell = cell
                yield Frame(seconds, self._scaled(frame))

    def _scaled(self, frame: av.VideoFrame) -> np.ndarray[Any, Any]:
        size = self._size
        rgb = self._reformatter.reformat(frame, size, size, "rgb24", interpolation=Interpolation.AREA, threads=1)
        return rgb.to_ndarray()


class AudioTrack:
    """Sound, mixed to mono and resampled; its time is counted in samples and anchored anew at every hole."""

    def __init__(self, stream: av.AudioStream, spec: Spec, clock: Clock) -> None:
        self._clock = clock
        self._rate = spec.sample_rate
        self._resampler = self._new_resampler()
        self._format: tuple[str, str, int] | None = None
        self._num_in = 0
        self._num_out = 0
        self._anchor_seconds = 0.0
        stream.codec_context.thread_count = 1

    def items(self, packet: Packet[av.AudioStream]) -> Iterator[Item]:
        """Decodes a packet; the last, empty one gives what the resampler still holds.

        Raises:
            av.FFmpegError: the packet is corrupted.
        """
        for frame in packet.decode():
            yield from self._resample(frame)
        if packet.size == 0 and packet.dts is None:
            yield from self._flush()

    def _resample(self, frame: av.AudioFrame) -> Iterator[Item]:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        expected = self._anchor_seconds + self._num_in / frame.sample_rate
        seconds = expected
        if frame.pts is not None and frame.time_base is not None:
            seconds = self._clock(frame.pts, frame.time_base)
        if self._format is not None and seconds < expected - LARGEST_DRIFT_SECONDS:
            return
        if kind != self._format or seconds > expected + LARGEST_DRIFT_SECONDS:
            yield from self._flush()
            self._format, self._anchor_seconds = kind, seconds
        self._num_in += frame.samples
        frame.pts = None
        yield from self._emit(self._resampler.resample(frame))

    def _flush(self) -> Iterator[Item]:
        if self._num_in:
            yield from self._emit(self._resampler.resample(None))
        self._resampler = self._new_resampler()
        self._num_in = self._num_out = 0

    def _emit(self, frames: list[av.AudioFrame]) -> Iterator[Item]:
        for frame in frames:
            data = frame.to_ndarray().reshape(-1).astype(np.float32, copy=False)
            yield Samples(self._anchor_seconds + self._num_out / self._rate, data)
            self._num_out += data.size

    def _new_resampler(self) -> av.AudioResampler:
        # rematrix_maxval: channels are averaged, so that the same sound in both is not louder than in one.
        return av.AudioResampler("flt", "mono", self._rate, options={"rematrix_maxval": "1.0"})


class TextTrack:
    """Subtitles in words."""

    def __init__(self, stream: SubtitleStream, clock: Clock) -> None:
        self._clock = clock
        self._has_codec = stream.codec_context is not None

    def items(self, packet: Packet[SubtitleStream]) -> Iterator[Item]:
        """Decodes a packet.

        Raises:
            av.FFmpegError: the packet is corrupted.
        """
        if packet.size == 0 or packet.pts is None:
            return
        if self._has_codec:
            lines = [
                subtitle.ass.decode("utf-8", "replace").split(",", 8)[-1]
                for subtitle in packet.decode()
                if isinstance(subtitle, AssSubtitle)
            ]
        else:  # Matroska's S_TEXT/WEBVTT, which FFmpeg does not know, is the bare words
            lines = [bytes(packet).decode("utf-8", "replace")]
        if text := plain_text("\n".join(lines)):
            start = self._clock(packet.pts, packet.time_base)
            duration = float(packet.duration * packet.time_base) if packet.duration else LONGEST_CUE_SECONDS
            yield Cue(start, start + duration, text)


Track = VideoTrack | AudioTrack | TextTrack
