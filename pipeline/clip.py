"""Clips: packets put into a file as they came, or, where no browser would show that, encoded once."""

from __future__ import annotations  # av.Packet takes a parameter in its stub only

import io
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import PictureType

from pipeline.recent import Stored

_SHOWN: Final = frozenset({"h264", "hevc", "av1", "vp8", "vp9"})
"""Pictures that browsers show; others are encoded."""
_MP4: Final = frozenset({"h264", "hevc", "av1", "vp9", "aac", "mp3", "opus", "flac"})
"""What browsers play in MP4. One track of something else, and the clip is Matroska."""
_ENCODER: Final = {"preset": "veryfast", "crf": "23", "threads": "1"}
_LEAD_SECONDS: Final = 1.0
"""So much before it is shown, a first picture without a time of decoding is decoded."""
_FRAME_RATE: Final = 25
"""Of pictures that have none."""


class Clip:
    """A file that is being written. A context manager, which finishes it."""

    def __init__(self, file: Path | IO[bytes], form: str, tracks: Mapping[int, Stream], start_seconds: float) -> None:
        """Opens the file.

        Args:
            file: what to write.
            form: FFmpeg's name of the container.
            tracks: of the source.
            start_seconds: on the source's clock: 0 in the clip.

        Raises:
            av.FFmpegError: it cannot be written.
            ValueError: the container does not take one of the tracks.
        """
        options = {"movflags": "+faststart"} if form == "mp4" and isinstance(file, Path) else {}
        self._container = av.open(str(file) if isinstance(file, Path) else file, "w", format=form, options=options)
        self._start_seconds = start_seconds
        self._last: dict[int, int] = {}
        try:
            self._streams = {index: self._container.add_stream_from_template(each) for index, each in tracks.items()}
        except ValueError:
            self._container.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, stored: Stored) -> None:
        """Adds a packet; one that goes back in time is left out.

        Raises:
            av.FFmpegError: the disk is full, or the container does not take the packet.
        """
        given = stored.packet
        packet: Packet[Any] = Packet(bytes(given))
        shift = round(self._start_seconds / given.time_base)
        packet.pts = (given.dts if given.pts is None else given.pts) or 0
        packet.pts -= shift
        packet.dts = self._undated(stored, packet.pts) if given.dts is None else given.dts - shift
        packet.time_base, packet.duration, packet.is_keyframe = given.time_base, given.duration, given.is_keyframe
        if packet.dts <= self._last.get(stored.track, packet.dts - 1):
            return
        self._last[stored.track] = packet.dts
        packet.stream = self._streams[stored.track]
        self._container.mux(packet)

    def _undated(self, stored: Stored, pts: int) -> int:
        """When to decode a packet that does not say so: the first ones of a source with reordered pictures."""
        if stored.kind != "video":
            return pts
        if stored.track in self._last:
            return min(pts, self._last[stored.track] + (stored.packet.duration or 1))
        return pts - round(_LEAD_SECONDS / stored.packet.time_base)

    def close(self) -> None:
        """Finishes the file.

        Raises:
            av.FFmpegError: the disk is full.
        """
        self._container.close()


def is_copied(stream: Stream) -> bool:
    """Whether a clip has the track as it came: pictures that browsers show, and whatever else Matroska takes."""
    if stream.type == "video":
        return _codec(stream) in _SHOWN
    with av.open(io.BytesIO(), "w", format="matroska") as trial:
        try:
            trial.add_stream_from_template(stream)
        except ValueError:
            return False
        return True


def container_of(tracks: Iterable[Stream]) -> str:
    """MP4 if browsers play all tracks in it, those encoded that must be; else Matroska."""
    return "mp4" if {_codec(each) for each in tracks if is_copied(each)} <= _MP4 else "matroska"


def encode(source: Path, target: Path, form: str) -> None:
    """Writes a file again: pictures that no browser shows in H.264, sound that Matroska does not take in AAC.

    Raises:
        av.FFmpegError: it cannot be read or written.
        ValueError: the container does not take one of the tracks.
    """
    with av.open(str(source), "r") as given, av.open(str(target), "w", format=form) as made:
        written = {each.index: _writer(made, each) for each in given.streams}
        for packet in given.demux():
            made.mux(written[packet.stream.index](packet))


def _writer(made: OutputContainer, given: Stream) -> Callable[[Packet[Any]], list[Packet[Any]]]:
    """What turns packets of a track into those of the clip."""
    if is_copied(given):
        return partial(_copied, made.add_stream_from_template(given))
    if isinstance(given, av.VideoStream):
        pictures = made.add_stream("libx264", given.average_rate or _FRAME_RATE, options=dict(_ENCODER))
        pictures.width, pictures.height = given.width // 2 * 2, given.height // 2 * 2
        pictures.pix_fmt = "yuv420p"
        pictures.codec_context.time_base = given.time_base or Fraction(1, 1000)
        return partial(_shown, pictures)
    if isinstance(given, av.AudioStream):
        layout = "mono" if given.channels == 1 else "stereo"
        sound = made.add_stream("aac", given.rate, layout=layout)
        return partial(_heard, sound, av.AudioResampler("fltp", layout, given.rate, frame_size=1024))
    raise ValueError(f"no container takes its {given.type}")


def _copied(made: Stream, packet: Packet[Any]) -> list[Packet[Any]]:
    packet.stream = made
    return [packet] if packet.size else []


def _shown(made: av.VideoStream, packet: Packet[Any]) -> list[Packet[Any]]:
    encoded = []
    for frame in _frames(packet):
        frame.pict_type = PictureType.NONE  # the encoder chooses
        encoded += made.encode(frame)
    return encoded if packet.size else encoded + made.encode(None)


def _heard(made: av.AudioStream, resampler: av.AudioResampler, packet: Packet[Any]) -> list[Packet[Any]]:
    frames = _frames(packet) if packet.size else [*_frames(packet), None]
    encoded = [each for frame in frames for part in resampler.resample(frame) for each in made.encode(part)]
    return encoded if packet.size else encoded + made.encode(None)


def _frames(packet: Packet[Any]) -> list[Any]:
    """What is in it; nothing if it is as corrupt as it was in the source."""
    try:
        return list(packet.decode())
    except av.InvalidDataError:
        return []


def _codec(stream: Stream) -> str:
    """Its name; empty if FFmpeg does not know it."""
    context = stream.codec_context
    return "" if context is None else context.codec.canonical_name
