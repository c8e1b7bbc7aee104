"""The tracks of a source: each turns packets into items of one kind, scaled or resampled as the networks want them."""

from __future__ import annotations  # av.Packet takes a parameter in its stub only

import math
from collections.abc import Callable, Iterator, Mapping
from typing import cast

import av
import numpy as np
from av.packet import Packet
from av.sidedata.sidedata import SideData, SideDataContainer
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from models.spec import Spec
from pipeline.captions import Captions
from pipeline.clock import Clock
from pipeline.container import MOST_PIXELS
from pipeline.item import Cue, Frame, Item, Samples
from pipeline.still import Stills
from pipeline.subtitles import LONGEST_ENDLESS_SECONDS, ass_text, plain_text

LARGEST_DRIFT_SECONDS = 0.1
"""Sound whose time stamps differ more than this from its count of samples has a hole, or repeats itself."""
CAPTIONS_MARK = b"GA94"
"""What a packet with captions (ATSC A/53) has in it, whatever the codec."""
_EDGE_SECONDS = 1e-6
"""A frame this little before a cell counts as in it: time stamps are rounded by containers."""
_DEFAULT_FRAME_RATE = 25
_ONE_THREAD_PIXELS = 1920 * 1088
"""Of pictures that one thread decodes in time; a second one costs memory for pictures of its own."""
_PROGRESSIVE = (0, 1)
"""FFmpeg's orders of fields (unknown, progressive) in which a packet is a whole picture."""


class VideoTrack:
    """Pictures: the first of every cell of 1 / frame rate seconds, the only one a window takes. Captions in them.

    Of the others, those that no other picture is predicted from are not decoded.
    """

    stills: Stills | None = None
    """Takes stills of some of them."""

    def __init__(self, stream: av.VideoStream, spec: Spec, clock: Clock, reads_captions: bool) -> None:
        self._clock = clock
        self._size = spec.frame_size
        self._cells_per_second = spec.frame_rate
        self._frame_seconds = float(1 / (stream.average_rate or _DEFAULT_FRAME_RATE))
        self._last_cell = -1
        self._first_stamps: dict[int, int] = {}  # of cells to come, the earliest that was read
        self._reformatter = VideoReformatter()
        self._reads_captions = reads_captions
        self._captions: Captions | None = None
        self._context = context = stream.codec_context
        context.options = {"max_pixels": str(MOST_PIXELS)}  # also when it changes later
        context.thread_count = 1 if context.width * context.height <= _ONE_THREAD_PIXELS else 2
        context.thread_type = "AUTO"
        self._hardware_format = context.pix_fmt if context.is_hwaccel else None

    def items(self, packet: Packet[av.VideoStream]) -> Iterator[Item]:
        """Decodes a packet.

        Raises:
            av.FFmpegError: the packet is corrupted.
        """
        if self._reads_captions and self._captions is None and CAPTIONS_MARK in bytes(packet):
            self._captions = Captions()
        self._context.skip_frame = "NONREF" if self._is_spare(packet) else "DEFAULT"
        for frame in packet.decode():
            seconds = self._seconds(frame)
            if seconds is None:
                continue
            cell = self._cell(seconds)
            if cell > self._last_cell:
                self._last_cell = cell
                still = None if self.stills is None else self.stills.take(frame)
                yield Frame(seconds, self._scaled(frame), still)
            yield from self._cues(frame, seconds)
        if _is_last(packet) and self._captions is not None:
            yield from self._captions.rest()

    @property
    def has_captions(self) -> bool:
        """Whether captions were seen so far."""
        return self._captions is not None

    @property
    def is_on_hardware(self) -> bool:
        """Whether hardware decodes; FFmpeg takes the processor, without a word, for what it cannot decode."""
        return self._hardware_format is not None and self._context.pix_fmt == self._hardware_format

    def _is_spare(self, packet: Packet[av.VideoStream]) -> bool:
        """Whether an earlier picture of its cell has been read, or given out: that is the one a window takes.

        Packets come in the order of decoding; the earliest one of a cell is never spare, wherever it stands.
        """
        if packet.pts is None or packet.is_discard or packet.is_corrupt or self._captions is not None:
            return False
        if self._context.field_order not in _PROGRESSIVE:
            return False
        seconds = self._clock.expected(packet.pts, packet.time_base)
        if seconds is None:
            return False
        self._first_stamps = {cell: pts for cell, pts in self._first_stamps.items() if cell > self._last_cell}
        cell = self._cell(seconds)
        first = self._first_stamps.setdefault(cell, packet.pts)
        self._first_stamps[cell] = min(first, packet.pts)
        return cell <= self._last_cell or first < packet.pts

    def _cell(self, seconds: float) -> int:
        return math.floor((seconds + _EDGE_SECONDS) * self._cells_per_second)

    def _seconds(self, frame: av.VideoFrame) -> float | None:
        if frame.pts is None or frame.time_base is None:
            return self._clock.after(self._frame_seconds)
        return self._clock.seconds(frame.pts, frame.time_base)

    def _scaled(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        size = self._size
        rgb = self._reformatter.reformat(frame, size, size, "rgb24", interpolation=Interpolation.AREA, threads=1)
        return cast(NDArray[np.uint8], rgb.to_ndarray())

    def _cues(self, frame: av.VideoFrame, seconds: float) -> Iterator[Cue]:
        if self._captions is not None and (data := _caption_data(frame)):
            yield from self._captions.cues(data, seconds)


def _caption_data(frame: av.VideoFrame) -> bytes:
    """The `cc_data` that came with a picture.

    Not by `frame.side_data`: then the frame and its side data hold each other, and pictures pile up in memory.
    """
    try:
        side_data = cast(Callable[[av.VideoFrame], Mapping[str, SideData]], SideDataContainer)(frame)
    except ValueError:  # a kind that PyAV does not know
        return b""
    return bytes(side_data["A53_CC"]) if "A53_CC" in side_data else b""


class AudioTrack:
    """Sound, mixed to mono and resampled; its time is counted in samples and anchored anew at every hole."""

    def __init__(self, stream: av.AudioStream, spec: Spec, clock: Clock) -> None:
        self._clock = clock
        self._rate = spec.sample_rate
        self._resampler = self._new_resampler()
        self._format: tuple[str, str, int] | None = None
        self._start_seconds = 0.0
        self._in_seconds = 0.0
        self._num_out = 0
        stream.codec_context.thread_count = 1

    def items(self, packet: Packet[av.AudioStream]) -> Iterator[Item]:
        """Decodes a packet; the last, empty one gives what the resampler still holds.

        Raises:
            av.FFmpegError: the packet is corrupted.
        """
        for frame in packet.decode():
            yield from self._resampled(frame)
        if _is_last(packet):
            yield from self._flushed()

    def _resampled(self, frame: av.AudioFrame) -> Iterator[Item]:
        expected = self._start_seconds + self._in_seconds
        seconds: float | None = expected
        if frame.pts is not None and frame.time_base is not None:
            seconds = self._clock.seconds(frame.pts, frame.time_base)
        if seconds is None or (self._in_seconds and seconds < expected - LARGEST_DRIFT_SECONDS):
            return
        format_ = (frame.format.name, frame.layout.name, frame.sample_rate)
        if format_ != self._format or seconds > expected + LARGEST_DRIFT_SECONDS:
            yield from self._flushed()
            self._format, self._start_seconds = format_, seconds
        self._in_seconds += frame.samples / frame.sample_rate
        frame.pts = None
        yield from self._emitted(self._resampler.resample(frame))

    def _flushed(self) -> Iterator[Item]:
        if self._in_seconds:
            yield from self._emitted(self._resampler.resample(None))
            self._resampler = self._new_resampler()
        self._start_seconds += self._num_out / self._rate
        self._in_seconds, self._num_out = 0.0, 0

    def _emitted(self, frames: list[av.AudioFrame]) -> Iterator[Item]:
        for frame in frames:
            data = frame.to_ndarray().reshape(-1).astype(np.float32, copy=False)
            yield Samples(self._start_seconds + self._num_out / self._rate, data)
            self._num_out += data.size

    def _new_resampler(self) -> av.AudioResampler:
        # rematrix_maxval: channels are averaged, so that the same sound in both is not louder than in one.
        return av.AudioResampler("flt", "mono", self._rate, options={"rematrix_maxval": "1.0"})


class TextTrack:
    """Subtitles in words."""

    def __init__(self, stream: SubtitleStream, clock: Clock) -> None:
        self._clock = clock
        self._has_codec = is_decodable(stream)
        self._captions = Captions() if is_captions(stream) else None

    def items(self, packet: Packet[SubtitleStream]) -> Iterator[Item]:
        """Decodes a packet.

        Raises:
            av.FFmpegError: the packet is corrupted.
        """
        if _is_last(packet) and self._captions is not None:
            yield from self._captions.rest()
        if packet.size == 0 or packet.pts is None:
            return
        start = self._clock.place(packet.pts, packet.time_base)
        if self._captions is not None:
            yield from self._captions.cues(bytes(packet), start)
            return
        duration = float((packet.duration or 0) * packet.time_base)
        if text := self._text(packet):
            yield Cue(start, start + (duration or LONGEST_ENDLESS_SECONDS), text)

    def _text(self, packet: Packet[SubtitleStream]) -> str:
        if not self._has_codec:  # WebVTT in Matroska, which FFmpeg does not know: the bare words
            return plain_text(bytes(packet).decode("utf-8", "ignore"))
        subtitles = packet.decode()
        return "\n".join(ass_text(subtitle.ass) for subtitle in subtitles if isinstance(subtitle, AssSubtitle))


Track = VideoTrack | AudioTrack | TextTrack


def is_decodable(stream: av.stream.Stream) -> bool:
    """Whether FFmpeg has a decoder for the track; PyAV's stub does not say that it may have none."""
    return cast(object, stream.codec_context) is not None


def is_captions(stream: SubtitleStream) -> bool:
    """Whether the track carries CEA-608 captions (`c608` in MP4)."""
    return is_decodable(stream) and stream.codec_context.name in {"eia_608", "cc_dec"}


def _is_last(packet: Packet[av.VideoStream] | Packet[av.AudioStream] | Packet[SubtitleStream]) -> bool:
    """Whether it is the empty packet that ends a track."""
    return packet.size == 0 and packet.pts is None
