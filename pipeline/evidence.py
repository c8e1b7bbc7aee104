"""Evidence of events, made in the camera process by a thread that pictures and sound never wait for."""

import math
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import av

from pipeline.config import EvidenceConfig
from pipeline.exhibit import Kept, Request
from pipeline.media import Media
from pipeline.recent import Recent
from pipeline.recording import Recording
from pipeline.retention import safe_name, sweep, trim

_POLL_SECONDS: Final = 0.2
_NICENESS: Final = 10
"""Of the thread: pictures and sound go first."""
_MARGIN_SECONDS: Final = 20.0
"""Windows being cut and confirmed, and the time between two keyframes: what an event wants may be so much older."""
_ERRORS: Final = (OSError, ValueError, LookupError, MemoryError, av.FFmpegError)
"""A full disk, a folder without rights, packets that a container does not take."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is to be kept, and where."""

    root: Path
    """Folder of evidence."""
    config: EvidenceConfig
    lag_seconds: float
    """How far the engine may be behind."""


class Recorder:
    """Keeps the last seconds of a source, and writes of them what the engine asks for."""

    def __init__(self, source: str, keeping: Keeping, pipe: Connection) -> None:
        """Starts the thread.

        Args:
            source: its name.
            keeping: what is kept.
            pipe: to the engine: requests come, and what was kept goes.
        """
        self._source, self._root, self._config, self._pipe = source, keeping.root, keeping.config, pipe
        self._folder = self._root / safe_name(source)
        self._recent = Recent(self._config.before_seconds + keeping.lag_seconds + _MARGIN_SECONDS)
        self._recordings: dict[str, Recording] = {}
        self._written: set[str] = set()  # events that are not over, of which nothing more is written
        self._is_judged = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)
        self._thread.start()

    def listen(self, sessions: Iterable[tuple[int, Media]]) -> Iterator[tuple[int, Media]]:
        """The same numbered sessions; keeps what comes in each until the next begins."""
        for session, media in sessions:
            self._is_judged = False
            with suppress(*_ERRORS):  # a track that cannot be copied: its events have no clip
                self._recent.begin(session, media)
            yield session, media
            self._recent.end()

    def close(self) -> None:
        """Waits until the engine has judged everything, and all it asked for is written."""
        self._recent.end()
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        self._tidy()
        with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the engine is gone
            while self._recordings or not (self._closing.is_set() and self._is_judged):
                if self._pipe.poll(_POLL_SECONDS):
                    self._take(self._pipe.recv())
                for recording in list(self._recordings.values()):
                    self._go_on(recording)
                self._recent.needed = min((each.next_number for each in self._recordings.values()), default=math.inf)
        for recording in self._recordings.values():
            recording.drop()

    def _take(self, request: Request | None) -> None:
        """None: the engine has judged all there is."""
        if request is None:
            self._is_judged = True
        elif request.id in self._recordings:
            self._recordings[request.id].request = request
        elif request.id not in self._written:
            self._begin(request)
        if request is not None and request.is_over:
            self._written.discard(request.id)

    def _begin(self, request: Request) -> None:
        try:
            recording = Recording(request, self._folder, self._config, self._recent)
        except _ERRORS as error:
            self._tell(request, None, None, _said(error))
            return
        self._recordings[request.id] = recording
        with suppress(*_ERRORS):  # the clip will tell
            recording.look()
        self._tell(request, None, recording.snapshot, "", is_final=False)

    def _go_on(self, recording: Recording) -> None:
        clip, problem = None, recording.problem
        try:
            if not recording.go_on():
                return
            clip = recording.finish()
        except _ERRORS as error:
            problem = _said(error)
            recording.drop()
        del self._recordings[recording.request.id]
        self._tidy()
        self._tell(recording.request, clip, recording.snapshot, problem)

    def _tell(
        self, request: Request, clip: Path | None, snapshot: Path | None, problem: str, *, is_final: bool = True
    ) -> None:
        if is_final and not request.is_over:
            self._written.add(request.id)
        kept = Kept(self._source, request.id, self._below(clip), self._below(snapshot), is_final, problem)
        self._pipe.send(kept)

    def _below(self, path: Path | None) -> str | None:
        return None if path is None else path.relative_to(self._root).as_posix()

    def _tidy(self) -> None:
        with suppress(OSError):  # what is wrong with the folder, a clip will tell
            sweep(self._folder)
            trim(self._root, self._config.keep_days, self._config.most_mib * 2**20)


def _said(error: BaseException) -> str:
    if isinstance(error, OSError):
        return f"{(error.strerror or str(error)).lower()}; make room for evidence, or look at the rights of its folder"
    return str(error) or type(error).__name__
