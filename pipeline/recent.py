"""The last seconds of a source as they came: encoded packets, kept in memory until an event wants them."""

from __future__ import annotations  # av.Packet takes a parameter in its stub only

import io
import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import dropwhile
from typing import Any, Final

import av
from av.packet import Packet
from av.stream import Stream

from pipeline.media import Media

MOST_BYTES: Final = 8 * 2**20
"""Of packets in memory, whatever a camera sends: 16 s of 4 Mbit/s."""
_PACKET_BYTES: Final = 500
"""About what a packet takes beside its data."""
_UNCOMPRESSED: Final = frozenset({"rawvideo", "v210", "r210"})
"""Pictures of which a second would fill the memory."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A packet."""

    number: int
    """Counts the packets of a process."""
    track: int
    """Index of its track in the source."""
    kind: str
    """`video`, `audio` or `subtitle`."""
    seconds: float
    """When it is shown or heard, on the source's clock; its own time stamps are on that clock, too."""
    packet: Packet[Any]
    """A copy: the source may be closed meanwhile."""


class Recent:
    """Packets of the present session, from the oldest that may still be wanted. Safe for two threads."""

    def __init__(self, keep_seconds: float, most_bytes: int = MOST_BYTES) -> None:
        """Keeps nothing yet.

        Args:
            keep_seconds: packets that are older than this are let go.
            most_bytes: so are the oldest beyond this.
        """
        self._keep_seconds, self._most_bytes = keep_seconds, most_bytes
        self._stored: deque[Stored] = deque()
        self._num_bytes = 0
        self._number = 0
        self._media: Media | None = None
        self._lock = threading.Lock()
        self.session = -1
        self.tracks: Mapping[int, Stream] = {}
        """Copies of the session's tracks, which outlive it."""
        self.is_over = True
        """Whether no packet follows in this session."""
        self.needed: float = math.inf
        """Number of the packet that a clip wants next: for its age alone none from here on is let go."""

    def begin(self, session: int, media: Media) -> None:
        """Forgets the last session, and keeps the packets of this one."""
        tracks = _copied(media)
        with self._lock:
            self._stored.clear()
            self._num_bytes, self._media = 0, media
            self.session, self.tracks, self.is_over = session, tracks, False
        media.on_packet = self._add

    def end(self) -> None:
        """No packet follows; what is there stays until the next session."""
        self.is_over = True

    @property
    def is_pressed(self) -> bool:
        """Whether packets are soon let go for want of room."""
        return self._num_bytes > self._most_bytes / 2

    def since(self, number: int) -> list[Stored]:
        """The packets from this number on that are still there."""
        with self._lock:
            return list(dropwhile(lambda stored: stored.number < number, self._stored))

    def start(self, seconds: float) -> Stored | None:
        """Where to begin to play from this time on: at the last keyframe before it, else the first one there is."""
        stored = self.since(0)
        if any(each.type == "video" for each in self.tracks.values()):
            stored = [each for each in stored if each.kind == "video" and each.packet.is_keyframe]
        before = [each for each in stored if each.seconds <= seconds]
        return before[-1] if before else next(iter(stored), None)

    def _add(self, packet: Packet[Any]) -> None:
        stamp = packet.dts if packet.pts is None else packet.pts
        media = self._media
        if media is None or packet.stream.index not in self.tracks or stamp is None or packet.is_corrupt:
            return
        seconds = media.placed(stamp, packet.time_base)
        if seconds is None:
            return
        copy: Packet[Any] = Packet(bytes(packet))
        shift = stamp - round(seconds / packet.time_base)
        copy.pts, copy.dts = stamp - shift, None if packet.dts is None else packet.dts - shift
        copy.time_base, copy.duration, copy.is_keyframe = packet.time_base, packet.duration, packet.is_keyframe
        with self._lock:
            self._stored.append(Stored(self._number, packet.stream.index, packet.stream.type, seconds, copy))
            self._number += 1
            self._num_bytes += copy.size + _PACKET_BYTES
            while self._num_bytes > self._most_bytes or self._is_old(self._stored[0], seconds):
                self._num_bytes -= self._stored.popleft().packet.size + _PACKET_BYTES

    def _is_old(self, stored: Stored, now_seconds: float) -> bool:
        return stored.number < self.needed and stored.seconds < now_seconds - self._keep_seconds


def _copied(media: Media) -> dict[int, Stream]:
    """Tracks with all that a muxer needs of them, in a container that is never written."""
    shelf = av.open(io.BytesIO(), "w", format="null")
    return {
        stream.index: shelf.add_stream_from_template(stream, opaque=True)
        for stream in media.streams
        if stream.codec_context is None or stream.codec_context.name not in _UNCOMPRESSED
    }
