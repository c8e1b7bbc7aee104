"""Clips: packets put into a file as they came, or, where no browser would show that, encoded once."""

from __future__ import annotations  # av.Packet takes a parameter in its stub only

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import av
from av.packet import Packet
from av.stream import Stream

from pipeline.recent import Stored

_SHOWN: Final = frozenset({"h264", "hevc", "av1", "vp8", "vp9"})
"""Pictures that browsers show; others are encoded."""
_MP4: Final = frozenset({"h264", "hevc", "av1", "vp9", "aac", "mp3", "opus", "flac"})
"""What browsers play in MP4. One track of something else, and the clip is Matroska."""
_ENCODER: Final = {"preset": "veryfast", "crf": "23", "threads": "1"}
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
        packet.dts = packet.pts if given.dts is None else given.dts - shift
        packet.time_base, packet.duration, packet.is_keyframe = given.time_base, given.duration, given.is_keyframe
        if packet.dts <= self._last.get(stored.track, packet.dts - 1):
            return
        self._last[stored.track] = packet.dts
        packet.stream = self._streams[stored.track]
        self._container.mux(packet)

    def close(self) -> None:
        """Finishes the file.

        Raises:
            av.FFmpegError: the disk is full.
        """
        self._container.close()


def is_shown(tracks: Mapping[int, Stream]) -> bool:
    """Whether a browser shows the pictures as they are, if there are any."""
    return all(_codec(each) in _SHOWN for each in tracks.values() if each.type == "video")


def container_of(tracks: Mapping[int, Stream]) -> str:
    """MP4 if browsers play all tracks in it, their pictures encoded if need be; else Matroska."""
    codecs = {_codec(each) for each in tracks.values() if each.type != "video" or _codec(each) in _SHOWN}
    return "mp4" if codecs <= _MP4 else "matroska"


def encode(source: Path, target: Path, form: str) -> None:
    """Writes a file again with its pictures in H.264; its other tracks as they are.

    Raises:
        av.FFmpegError: it cannot be read or written.
        ValueError: the container does not take one of the tracks.
    """
    with av.open(str(source)) as given, av.open(str(target), "w", format=form) as made:
        picture = given.streams.video[0]
        encoder = made.add_stream("libx264", picture.average_rate or _FRAME_RATE, options=dict(_ENCODER))
        encoder.width, encoder.height = picture.width // 2 * 2, picture.height // 2 * 2
        encoder.pix_fmt = "yuv420p"
        encoder.codec_context.time_base = picture.time_base or Fraction(1, 1000)
        others = {each.index: made.add_stream_from_template(each) for each in given.streams if each is not picture}
        for packet in given.demux():
            if packet.stream.index in others and packet.size:
                packet.stream = others[packet.stream.index]
                made.mux(packet)
            elif packet.stream is picture:
                for frame in _frames(packet):
                    made.mux(encoder.encode(frame))
        made.mux(encoder.encode(None))


def _frames(packet: Packet[Any]) -> Iterator[av.VideoFrame]:
    """Its pictures, each of which the encoder may make whatever it likes of."""
    try:
        for frame in packet.decode():
            frame.pict_type = av.video.frame.PictureType.NONE
            yield frame
    except av.InvalidDataError:  # as in the source
        return


def _codec(stream: Stream) -> str:
    """Its name; empty if FFmpeg does not know it."""
    context = stream.codec_context
    return "" if context is None else context.codec.canonical_name
