"""A source opened and decoded: pictures, sound and subtitles on one clock, in about the order they are stored."""

from __future__ import annotations  # av.Packet takes a parameter in its stub only

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.container import InputContainer
from av.packet import Packet

from models.spec import Spec
from pipeline.config import LiveConfig
from pipeline.errors import SourceError
from pipeline.item import Cue, Frame, Item, Samples
from pipeline.track import AudioTrack, TextTrack, Track, VideoTrack

__all__ = ["Cue", "Frame", "Item", "Media", "Samples", "open_media"]

_DEFAULTS = LiveConfig()

MOST_BAD_READS = 1000
"""Reads in a row that may fail before a source is given up."""


class Media:
    """An open source. A context manager: PyAV's containers hold cycles and must be closed by hand."""

    num_bad_packets: int
    """Packets that could not be read or decoded so far."""

    def __init__(self, container: InputContainer, url: str, spec: Spec, is_live: bool) -> None:
        self.num_bad_packets = 0
        self.is_live = is_live
        self._container = container
        self._url = url
        self._start_seconds: float | None = None if container.start_time is None else container.start_time / 1e6
        self._tracks = dict(_tracks(container, spec, self._clock))
        kinds = {type(track) for track in self._tracks.values()}
        self.has_video = VideoTrack in kinds
        self.has_audio = AudioTrack in kinds
        self.has_text = TextTrack in kinds
        self.duration_seconds = None if is_live or not container.duration else container.duration / 1e6

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the source. May be called twice."""
        self._container.close()

    def items(self) -> Iterator[Item]:
        """Reads the source to its end.

        Raises:
            SourceError: the connection broke, or nothing came in time.
        """
        for packet in self._packets():
            try:
                yield from self._tracks[packet.stream.index].items(packet)
            except av.FFmpegError:
                self.num_bad_packets += 1

    def _packets(self) -> Iterator[Packet[Any]]:
        """Packets, going on after the ones that cannot be read."""
        streams = [self._container.streams[index] for index in self._tracks]
        bad_reads = 0
        while bad_reads < MOST_BAD_READS:
            try:
                for packet in self._container.demux(streams):
                    bad_reads = 0
                    yield packet
                return
            except av.error.InvalidDataError:
                bad_reads += 1
                self.num_bad_packets += 1

    def _clock(self, pts: int, time_base: Fraction) -> float:
        seconds = float(pts * time_base)
        if self._start_seconds is None:
            self._start_seconds = seconds
        return seconds - self._start_seconds


def _tracks(container: InputContainer, spec: Spec, clock: Any) -> Iterator[tuple[int, Track]]:
    """The first picture, sound and text track that can be decoded, by their index in the container."""
    for video in container.streams.video:
        if video.codec_context is not None and not video.disposition & video.disposition.attached_pic:
            yield video.index, VideoTrack(video, spec, clock)
            break
    for audio in container.streams.audio:
        if audio.codec_context is not None:
            yield audio.index, AudioTrack(audio, spec, clock)
            break
    for subtitle in container.streams.subtitles:
        if subtitle.codec_context is None or subtitle.codec_context.codec.text_sub:
            yield subtitle.index, TextTrack(subtitle, clock)
            break


def open_media(url: str, spec: Spec, live: LiveConfig = _DEFAULTS) -> Media:
    """Opens a source.

    Raises:
        SourceError: it cannot be opened; the message says why and what to do.
    """
    is_file = "://" not in url
    if is_file and not Path(url).exists():
        raise SourceError(f"source: {url}: no such file; check the path")
    try:
        timeout = None if is_file else (live.open_timeout_seconds, live.read_timeout_seconds)
        container = av.open(url, timeout=timeout, metadata_errors="replace")
    except av.FFmpegError as error:
        raise SourceError(f"source: {url}: {error.strerror}; is it a media file?") from None
    return Media(container, url, spec, is_live=not is_file and not container.duration)
