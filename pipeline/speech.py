"""`heed transcribe`: what is spoken at a source, as words on Redis, for `heed watch` to read."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from redis.typing import EncodableT, FieldT

from alerts import keys
from alerts.complaint import FAILURES, Client, complaint
from alerts.connect import refresh
from models.spec import Spec
from pipeline.config import LiveConfig
from pipeline.errors import SpeechError
from pipeline.item import Item, Samples
from pipeline.live import SourceState, sessions

GATE_DB: Final = -50.0
"""Below this loudness, of full scale, nobody is asked whether it is speech."""
PAUSE_SECONDS: Final = 0.6
"""So much silence ends an utterance."""
LONGEST_SECONDS: Final = 8.0
"""A longer one is cut: words that come later than that warn nobody."""
_SHORTEST_SECONDS: Final = 0.3
_MOST_WAITING: Final = 4
"""Utterances that wait for the recogniser: one that is too slow loses the oldest."""
_POLL_SECONDS: Final = 0.2
_log = logging.getLogger(__name__)

Recognise = Callable[[NDArray[np.float32]], str]
"""The words in a run of sound, mono at 16 kHz; empty if there are none."""
Write = Callable[[dict[FieldT, EncodableT]], None]
"""Takes `text`, `start` and `end`."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Sound between two silences."""

    samples: NDArray[np.float32]
    """Mono at the spec's sample rate, (S,)."""
    end: datetime
    """UTC, when its last sample came."""


def utterances(
    items: Iterator[Item], rate: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Iterator[Utterance]:
    """The sound of items that is loud enough to be speech, cut at silences.

    Args:
        items: As they come.
        rate: Samples a second.
        now: The time, in UTC.
    """
    kept: list[NDArray[np.float32]] = []
    loud = quiet = 0.0
    for item in items:
        if not isinstance(item, Samples):
            continue
        seconds = len(item.data) / rate
        is_loud = bool(len(item.data)) and _decibels(item.data) > GATE_DB
        if not is_loud and not kept:
            continue
        kept.append(item.data)
        loud, quiet = (loud + seconds, 0.0) if is_loud else (loud, quiet + seconds)
        if quiet >= PAUSE_SECONDS or sum(map(len, kept)) >= LONGEST_SECONDS * rate:
            if loud >= _SHORTEST_SECONDS:
                yield Utterance(np.concatenate(kept), now())
            kept, loud, quiet = [], 0.0, 0.0
    if loud >= _SHORTEST_SECONDS:
        yield Utterance(np.concatenate(kept), now())


def transcribe(
    url: str, recognise: Recognise, write: Write, stopped: threading.Event, live: LiveConfig | None = None
) -> None:
    """Recognises and writes what is spoken, until the source ends or it is stopped.

    Args:
        url: Of the source; a file is read at its own speed.
        recognise: Called for one utterance after the other.
        write: Takes the words, with their times in seconds since 1970.
        stopped: Set it to end.
        live: How the source is opened.
    """
    waiting: deque[Utterance] = deque(maxlen=_MOST_WAITING)
    over = threading.Event()
    config, spec = live or LiveConfig(), Spec()

    def listen() -> None:
        try:
            for media in sessions(url, spec, config, stopped.wait, _tell, pace="live"):
                for heard in utterances(media.items(), spec.sample_rate):
                    waiting.append(heard)
        finally:
            over.set()

    threading.Thread(target=listen, name="speech", daemon=True).start()
    while not stopped.is_set() and (waiting or not over.is_set()):
        if not waiting:
            over.wait(_POLL_SECONDS)
            continue
        heard = waiting.popleft()
        if text := recognise(heard.samples).strip():
            start = heard.end - timedelta(seconds=len(heard.samples) / spec.sample_rate)
            write({"text": text, "start": f"{start.timestamp():.3f}", "end": f"{heard.end.timestamp():.3f}"})


def writer(client: Client, name: str) -> Write:
    """Writes words for the source of this name; what Redis does not take is told, and lost."""

    def write(fields: dict[FieldT, EncodableT]) -> None:
        try:
            client.xadd(keys.TEXT + name, fields, maxlen=keys.TEXT_LENGTH, approximate=True)
        except FAILURES as error:
            _log.warning("%s; words are lost", complaint(client, error))
            refresh(client)

    return write


def whisper(model: str, *, download: bool) -> Recognise:
    """faster-whisper, behind its Silero gate, which tells speech from other sounds.

    Args:
        model: Folder of a CTranslate2 model, or the name of one.
        download: Fetch a model that is named and not on this machine.

    Raises:
        SpeechError: the package or the model is not there.
    """
    try:
        from faster_whisper import WhisperModel
    except ImportError:
        raise SpeechError("speech: faster-whisper is not installed; pip install 'heed[speech]'") from None
    try:
        network = WhisperModel(model, device="cpu", compute_type="int8", local_files_only=not download)
    except (OSError, RuntimeError, ValueError) as error:
        remedy = "name a folder with a model" if download or Path(model).exists() else "name a folder, or --download"
        raise SpeechError(f"speech: {model}: no model ({type(error).__name__}); {remedy}") from None

    def recognise(samples: NDArray[np.float32]) -> str:
        found, _ = network.transcribe(samples, vad_filter=True, condition_on_previous_text=False, beam_size=1)
        return " ".join(segment.text.strip() for segment in found)

    return recognise


def _decibels(samples: NDArray[np.float32]) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-12))


def _tell(state: SourceState) -> None:
    message = f"{state.status}: {state.reason}" if state.reason else state.status
    _log.info("%s", message, extra={"event": "source_state", "status": state.status, "reason": state.reason})
