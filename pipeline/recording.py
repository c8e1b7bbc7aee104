"""One event on its way to the disk: its clip, its snapshot and its strip."""

import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.clip import Clip, container_of, encode, is_copied
from pipeline.config import EvidenceConfig
from pipeline.exhibit import Request
from pipeline.jpeg import STRIP_LENGTH, Picture, pictures_at, snapshot, strip
from pipeline.recent import Recent
from pipeline.retention import Unfinished, safe_name, write_whole

_SUFFIXES: Final = {"mp4": ".mp4", "matroska": ".mkv"}
_ENCODED: Final = {"video": "pictures encoded to H.264", "audio": "sound encoded to AAC"}
_RAW: Final = "nut"
"""A container that takes almost everything."""
_BEYOND_SECONDS: Final = 0.5
"""Packets so much after a picture may be needed to show it."""


class Recording:
    """Writes packets to a clip as the engine's requests allow."""

    def __init__(self, request: Request, folder: Path, config: EvidenceConfig, recent: Recent) -> None:
        """Begins the clip.

        Args:
            request: the first one.
            folder: where the source's evidence is.
            config: how much before and after.
            recent: what the source sent.

        Raises:
            LookupError: nothing of the event is in memory.
            OSError, ValueError: the clip cannot be written.
        """
        first = recent.start(request.start_seconds - config.before_seconds)
        if first is None or request.session != recent.session:
            raise LookupError("nothing of it was in memory any more")
        self.request = request
        """The latest one."""
        self.next_number = first.number
        """Of the packet that follows."""
        self.snapshot: Path | None = None
        """The picture, as soon as it is there."""
        self._start_seconds = first.seconds
        self._config, self._recent, self._tracks = config, recent, recent.tracks
        self._path = folder / safe_name(request.id)
        self._form = container_of(recent.tracks.values())
        self._encoded = sorted(each.type for each in recent.tracks.values() if not is_copied(each))
        self._file = Unfinished(self._named(".raw" if self._encoded else _SUFFIXES[self._form]))
        try:
            form = _RAW if self._encoded else self._form
            self._clip = Clip(self._file.temporary, form, recent.tracks, first.seconds)
        except (OSError, ValueError):
            self._file.drop()
            raise

    def go_on(self) -> bool:
        """Writes what has come and is wanted; says whether that is all.

        What may not be wanted waits in memory: the end of an event is known only seconds later.

        Raises:
            OSError, ValueError: it cannot be written.
        """
        recent, request = self._recent, self.request
        if request.session != recent.session:
            return True
        is_last = recent.is_over  # asked before reading, or something might come in between
        stop = self._start_seconds + self._config.longest_seconds
        limit = min(request.until_seconds + self._config.after_seconds, stop)
        for stored in recent.since(self.next_number):
            if stored.number > self.next_number:
                return True  # the disk is slower than the source: the clip ends here
            if stored.seconds >= limit and stored.kind != "subtitle":
                if request.is_over or limit == stop:
                    return True
                if not recent.is_pressed:
                    return False
            self.next_number = stored.number + 1
            if self._start_seconds <= stored.seconds < stop:
                self._clip.write(stored)
        return request.is_over and is_last

    def look(self) -> None:
        """Writes a first snapshot from what is in memory.

        Raises:
            OSError, ValueError: it cannot be written.
        """
        first = self._recent.start(self.request.peak_seconds)
        if first is None or first.kind != "video":
            return
        file, until = io.BytesIO(), self.request.peak_seconds + _BEYOND_SECONDS
        pictures = {index: each for index, each in self._tracks.items() if each.type == "video"}
        with Clip(file, _RAW, pictures, first.seconds) as clip:
            for stored in self._recent.since(first.number):
                if stored.track in pictures and first.seconds <= stored.seconds <= until:
                    clip.write(stored)
        file.seek(0)
        self._draw(pictures_at(file, [self.request.peak_seconds - first.seconds]))

    def finish(self) -> Path:
        """Finishes the clip, snapshot and strip.

        Returns:
            The clip's path.

        Raises:
            OSError, ValueError: it cannot be written.
        """
        self._clip.close()
        if self._encoded:
            self._encode()
        request, start = self.request, self._start_seconds
        file = self._file.temporary
        self._draw(pictures_at(file, [request.peak_seconds - start]))
        times = np.linspace(request.start_seconds - start, request.until_seconds - start, STRIP_LENGTH)
        if pictures := pictures_at(file, times.tolist()):
            write_whole(self._named(".strip.jpg"), strip(pictures))
        self._file.keep()
        return self._named(_SUFFIXES[self._form])

    def drop(self) -> None:
        """Leaves nothing unfinished; after `finish` this does nothing."""
        with suppress(OSError, ValueError):
            self._clip.close()
        self._file.drop()

    @property
    def problem(self) -> str:
        """What the clip has that the source had not; else empty."""
        kinds = " and ".join(_ENCODED[kind] for kind in reversed(self._encoded) if kind in _ENCODED)
        return f"clips have its {kinds}: no browser plays what it sends" if kinds else ""

    def _encode(self) -> None:
        raw, self._file = self._file, Unfinished(self._named(_SUFFIXES[self._form]))
        try:
            encode(raw.temporary, self._file.temporary, self._form)
        finally:
            raw.drop()

    def _draw(self, pictures: Sequence[Picture]) -> None:
        for picture in pictures:
            write_whole(self._named(".jpg"), snapshot(picture, self.request.caption))
            self.snapshot = self._named(".jpg")

    def _named(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)
