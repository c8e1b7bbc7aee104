"""CEA-608 captions: two bytes a picture, typed onto a screen of 15 rows, read off it as cues."""

import io
from collections.abc import Iterator

import av
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

from pipeline.item import Cue
from pipeline.subtitles import LONGEST_ENDLESS_SECONDS, ass_text

SETTLED_SECONDS = 0.5
"""A row that nobody types on for this long is read."""
_CARRIER = b"Scenarist_SCC V1.0\n\n00:00:00:00\t942c\n"
"""A file of captions to take the decoder from: only one that belongs to a file knows its time base, and without time
stamps `cc_dec` does not show captions that roll up."""
_ERASE = bytes([0xFC, 0x94, 0x2C])
"""Erase the screen, in field 1: `cc_dec` reads the first field it sees, and begins to show from the first erasure."""


class Captions:
    """Reads what FFmpeg's `cc_dec` types.

    Captions come letter by letter and roll up row by row, so a screen is read when it has settled, or when it changes
    in another way than by typing on; of its rows only those that were not read before.
    """

    def __init__(self) -> None:
        self._carrier = av.open(io.BytesIO(_CARRIER), format="scc")
        self._decoder = self._carrier.streams.subtitles[0].codec_context
        self._decoder.options = {"real_time": "1", "real_time_latency_msec": "0"}
        self._decode(_ERASE, 0.0)
        self._screen: list[str] = []
        self._read: list[str] = []
        self._since_seconds: float | None = None
        self._changed_seconds = 0.0

    def cues(self, data: bytes, seconds: float) -> Iterator[Cue]:
        """Takes the `cc_data` triples of one picture, which is shown at `seconds`.

        Raises:
            av.FFmpegError: the bytes are not captions.
        """
        shown = self._decode(data, seconds)
        screen = self._screen if shown is None else _rows(shown)
        if screen == self._screen:
            if seconds - self._changed_seconds >= SETTLED_SECONDS:
                yield from self._tell(None)
            return
        if not _is_typed_on(self._screen, screen):
            yield from self._tell(seconds)
        self._screen, self._changed_seconds = screen, seconds
        self._read = [row for row in self._read if row in screen]
        if self._since_seconds is None:
            self._since_seconds = seconds

    def rest(self) -> Iterator[Cue]:
        """What still stands on the screen when the source ends."""
        yield from self._tell(None)

    def _decode(self, data: bytes, seconds: float) -> SubtitleSet | None:
        packet = av.Packet(data)
        packet.pts = round(1000 * seconds)  # SCC counts milliseconds
        return self._decoder.decode2(packet)

    def _tell(self, end_seconds: float | None) -> Iterator[Cue]:
        start_seconds, self._since_seconds = self._since_seconds, None
        new = [row for row in self._screen if row not in self._read]
        self._read = self._screen
        if new and start_seconds is not None:
            yield Cue(start_seconds, end_seconds or start_seconds + LONGEST_ENDLESS_SECONDS, "\n".join(new))


def _is_typed_on(before: list[str], after: list[str]) -> bool:
    if not before or len(after) != len(before):
        return False
    return after[:-1] == before[:-1] and after[-1].startswith(before[-1])


def _rows(shown: SubtitleSet) -> list[str]:
    """The last screen of a decoded set; every screen holds all of its rows."""
    screens = [ass_text(screen.ass) for screen in shown if isinstance(screen, AssSubtitle)]
    return screens[-1].splitlines() if screens else []
