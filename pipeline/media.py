"""A source opened and decoded: pictures, sound and subtitles on one clock, in about the order they are stored."""

from __future__ import annotations  # av.Packet takes a parameter in its stub only

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from models.spec import Spec
from pipeline.clock import Clock, Timeline
from pipeline.config import LiveConfig
from pipeline.container import MOST_PIXELS, file_path, is_always_live, open_container, translated
from pipeline.errors import SourceCodecError, SourceError, SourceFormatError, SourceLimitError, SourceTrackError
from pipeline.hardware import open_hardware
from pipeline.item import Cue, Frame, Item, Samples
from pipeline.redact import redact_url
from pipeline.still import Stills
from pipeline.subtitles import SUFFIXES, read_cues, sidecar
from pipeline.track import AudioTrack, TextTrack, Track, VideoTrack, is_decodable

__all__ = ["Cue", "Frame", "Item", "Media", "Samples", "open_media"]

_DEFAULTS = LiveConfig()
_MOST_BAD_READS = 100
"""Reads in a row that may fail before a source is given up."""
_MOST_MUTE_PACKETS = 250
"""Packets of picture or sound in a row that give nothing before a live source is opened again: some 10 s."""


class Media:
    """An open source. A context manager: PyAV's containers hold cycles and must be closed by hand."""

    name: str
    """Its URL without secrets, for messages."""
    num_bad_packets: int
    """Packets that could not be read or decoded so far."""
    error: SourceError | None
    """Why reading ended before the source did."""
    through: Callable[[Iterator[Item]], Iterator[Item]] | None
    """What items pass through on their way out, to be watched or held back."""
    on_packet: Callable[[Packet[Any]], None]
    """Gets every packet after it was decoded."""
    tell: Callable[[str], None]
    """Told what becomes known of the source while it is read, in one line."""

    def __init__(
        self,
        url: str,
        container: InputContainer | None,
        tracks: dict[int, Track],
        cues: Sequence[Cue],
        is_live: bool,
        decoder: str = "cpu",
        timeline: Timeline | None = None,
    ) -> None:
        """Takes what `open_media` opened."""
        self.num_bad_packets = 0
        self.error = None
        self.through = None
        self.on_packet = lambda _: None
        self.tell = lambda _: None
        self._timeline = timeline or Timeline(None)
        self.is_live = is_live
        self._hopes_for = decoder if decoder not in {"cpu", "auto"} else None
        self.name = redact_url(url)
        self._url = url
        self._container = container
        self._tracks = tracks
        self._cues = cues
        if container is not None:
            self.duration_seconds = _duration_seconds(container)
        else:
            self.duration_seconds = max(cue.end_seconds for cue in cues)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def has_video(self) -> bool:
        """Whether there is something to see."""
        return any(isinstance(track, VideoTrack) for track in self._tracks.values())

    @property
    def has_audio(self) -> bool:
        """Whether there is something to hear."""
        return any(isinstance(track, AudioTrack) for track in self._tracks.values())

    @property
    def has_text(self) -> bool:
        """Whether there is something to read. Captions within the picture are known only once the first has come."""
        return bool(self._cues) or any(
            isinstance(track, TextTrack) or (isinstance(track, VideoTrack) and track.has_captions)
            for track in self._tracks.values()
        )

    @property
    def may_renumber(self) -> bool:
        """Whether a track may go on under another number, which PyAV shows only to who opens the source again."""
        return self._container is not None and self._container.format.name in {"mpegts", "hls"}

    def take_stills(self, every_seconds: float) -> None:
        """Has a still taken of a picture every so many seconds, for people to look at; at 0 none."""
        for track in self._tracks.values():
            if isinstance(track, VideoTrack):
                track.stills = Stills(every_seconds) if every_seconds else None

    @property
    def streams(self) -> list[Stream]:
        """The tracks whose packets are read."""
        return [] if self._container is None else [self._container.streams[index] for index in self._tracks]

    def placed(self, pts: int, time_base: Fraction) -> float | None:
        """Time of a packet on the source's clock; none if that is in doubt."""
        return self._timeline.place(float(pts * time_base))

    def close(self) -> None:
        """Closes the source. May be called twice."""
        if self._container is not None:
            self._container.close()

    def items(self) -> Iterator[Item]:
        """Reads the source to its end.

        Raises:
            SourceError: a file cannot be read on. A live source just ends, and `error` says why.
        """
        items = _merged(self._decoded(), self._cues, keeps_rest=self._container is None)
        try:
            yield from items if self.through is None else self.through(items)
        except SourceError as error:
            self.error = error
            if not self.is_live:
                raise

    def _decoded(self) -> Iterator[Item]:
        num_mute: dict[int, int] = {}  # packets since the last item of a track that has given one
        for packet in self._packets():
            index = packet.stream.index
            self.num_bad_packets += packet.is_corrupt
            if index in num_mute:
                num_mute[index] += 1
            try:
                for item in self._tracks[index].items(packet):
                    if not isinstance(item, Cue):
                        num_mute[index] = 0
                    if isinstance(item, Frame):
                        self._look_for_hardware()
                    yield item
            except av.FFmpegError:
                self.num_bad_packets += 1
            self.on_packet(packet)
            if self.is_live and num_mute.get(index, 0) > _MOST_MUTE_PACKETS:
                problem = f"packets of its {packet.stream.type} give nothing any more"
                raise SourceCodecError(f"source: {self.name}: {problem}")

    def _look_for_hardware(self) -> None:
        """Tells once if pictures are not decoded where they were to be."""
        if self._hopes_for is None or any(
            track.is_on_hardware for track in self._tracks.values() if isinstance(track, VideoTrack)
        ):
            return
        self.tell(f"source: {self.name}: no {self._hopes_for} for its pictures; decoded on the processor")
        self._hopes_for = None

    def _packets(self) -> Iterator[Packet[Any]]:
        """Packets, going on after those that cannot be read."""
        if self._container is None:
            return
        bad_reads = 0
        with translated(self._url):
            while bad_reads < _MOST_BAD_READS:
                try:
                    for packet in self._container.demux(self.streams):
                        bad_reads = 0
                        yield packet
                    return
                except av.InvalidDataError:
                    bad_reads += 1
                    self.num_bad_packets += 1
                except IndexError:  # PyAV, at the end of a file in which tracks appeared that its header had not
                    return
        raise SourceFormatError(f"source: {self.name}: unreadable from here on; record or copy it again")


def open_media(url: str, spec: Spec, live: LiveConfig = _DEFAULTS) -> Media:
    """Opens a file, a stream, a device or a subtitle file.

    Raises:
        SourceError: it cannot be opened, or nothing in it can be decoded; the message says why and what to do.
    """
    path = file_path(url)
    if path is not None and path.suffix in SUFFIXES:
        cues = read_cues(path)
        if not cues:
            raise SourceFormatError(f"source: {path}: no subtitle in it; name another file")
        return Media(url, None, {}, cues, is_live=False)
    beside = None if path is None else sidecar(path)
    cues = [] if beside is None else read_cues(beside)
    container = open_container(url, live, open_hardware(live.decoder))
    duration_seconds = _duration_seconds(container)
    is_live = is_always_live(url) or (path is None and duration_seconds is None)
    timeline = Timeline(None if is_live else duration_seconds)
    if container.start_time is not None:
        timeline.starts.append(container.start_time / av.time_base)
    tracks = _tracks(container, spec, timeline, reads_text=not cues)
    try:
        _check(redact_url(url), container, tracks)
    except SourceError:
        container.close()
        raise
    return Media(url, container, tracks, cues, is_live, live.decoder, timeline)


def _tracks(container: InputContainer, spec: Spec, timeline: Timeline, reads_text: bool) -> dict[int, Track]:
    """The first picture, sound and text track that can be decoded, by their index in the container."""
    tracks: dict[int, Track] = {}
    is_matroska = "matroska" in container.format.name
    texts = [
        stream
        for stream in container.streams.subtitles
        if (stream.codec_context.codec.text_sub if is_decodable(stream) else is_matroska)
    ]
    pictures = [
        stream
        for stream in container.streams.video
        if is_decodable(stream) and not stream.disposition & stream.disposition.attached_pic
    ]
    for picture in pictures[:1]:
        tracks[picture.index] = VideoTrack(picture, spec, Clock(timeline), reads_captions=reads_text and not texts)
    for sound in [stream for stream in container.streams.audio if is_decodable(stream)][:1]:
        tracks[sound.index] = AudioTrack(sound, spec, Clock(timeline))
    for text in texts[: 1 if reads_text else 0]:
        tracks[text.index] = TextTrack(text, Clock(timeline))
    return tracks


def _check(name: str, container: InputContainer, tracks: dict[int, Track]) -> None:
    """What cannot be watched.

    Raises:
        SourceError: there is nothing to decode, or too much.
    """
    kinds = {stream.type for stream in container.streams} & {"video", "audio"}
    if not tracks and kinds:
        codecs = " and ".join(sorted(kinds, reverse=True))
        raise SourceCodecError(f"source: {name}: no decoder for its {codecs}; convert it to H.264 and AAC")
    if not tracks:
        raise SourceTrackError(f"source: {name}: neither picture, sound nor subtitles in words in it; name another")
    for picture in container.streams.video:
        if picture.index in tracks and picture.width * picture.height > MOST_PIXELS:
            size = f"{picture.width}x{picture.height}"
            raise SourceLimitError(f"source: {name}: pictures of {size}, over {MOST_PIXELS} pixels; make them smaller")


def _duration_seconds(container: InputContainer) -> float | None:
    return container.duration / av.time_base if container.duration else None


def _merged(items: Iterator[Item], cues: Sequence[Cue], keeps_rest: bool) -> Iterator[Item]:
    """Items with the cues of a file beside them, each before what comes after its start."""
    waiting = deque(cues)
    for item in items:
        while waiting and waiting[0].pts_seconds <= item.pts_seconds:
            yield waiting.popleft()
        yield item
    if keeps_rest:
        yield from waiting
