"""What is spoken at a source, as words on Redis."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from conftest import RedisServer
from media_files import SOUND_RATE, write_media
from numpy.typing import NDArray

from pipeline.errors import SpeechError
from pipeline.item import Item, Samples
from pipeline.speech import LONGEST_SECONDS, PAUSE_SECONDS, transcribe, utterances, whisper, writer

HEED = str(Path(sys.executable).with_name("heed"))
RATE = 16_000
BEGAN = datetime(2026, 11, 22, tzinfo=UTC)


def sound(*parts: tuple[float, float], rate: int = RATE) -> NDArray[np.float32]:
    """Tones, each so loud and so many seconds long."""
    times = [np.arange(round(seconds * rate)) / rate for _, seconds in parts]
    tones = [level * np.sin(2 * np.pi * 440 * time) for (level, _), time in zip(parts, times, strict=True)]
    return np.concatenate(tones).astype(np.float32)


def chunks(samples: NDArray[np.float32]) -> Iterator[Item]:
    """In runs of 0.1 s."""
    for place in range(0, len(samples), RATE // 10):
        yield Samples(place / RATE, samples[place : place + RATE // 10])


def lengths(*parts: tuple[float, float]) -> list[float]:
    """Seconds of every utterance."""
    return [len(heard.samples) / RATE for heard in utterances(chunks(sound(*parts)), RATE)]


def test_sound_is_cut_at_silences() -> None:
    found = lengths((0.0, 2.0), (0.3, 1.0), (0.0, 2.0), (0.3, 0.5), (0.0, 0.2), (0.3, 0.5), (0.0, 2.0))
    assert found == pytest.approx([1.0 + PAUSE_SECONDS, 1.2 + PAUSE_SECONDS], abs=0.11)


def test_silence_and_clicks_are_no_utterances() -> None:
    assert lengths((0.0, 5.0)) == []
    assert lengths((0.001, 5.0)) == []
    assert lengths((0.0, 1.0), (0.5, 0.1), (0.0, 2.0)) == []


def test_who_never_pauses_is_cut() -> None:
    assert lengths((0.3, 20.0)) == pytest.approx([LONGEST_SECONDS, LONGEST_SECONDS, 4.0], abs=0.11)


def test_words_go_to_redis_with_their_times(redis_server: RedisServer, tmp_path: Path) -> None:
    tones = sound((0.0, 0.5), (0.3, 1.0), (0.0, 1.0), rate=SOUND_RATE)
    clip = write_media(tmp_path / "clip.mp4", 2.5, sound=tones)
    began = datetime.now(UTC)
    transcribe(
        str(clip), lambda samples: f" {len(samples) > RATE} ", writer(redis_server.client, "gate"), threading.Event()
    )
    ((_, fields),) = redis_server.client.xrange("heed:text:gate")
    assert fields[b"text"] == b"True"
    start, end = (datetime.fromtimestamp(float(fields[name]), UTC) for name in (b"start", b"end"))
    assert began < end < datetime.now(UTC)
    assert timedelta(seconds=1.2) < end - start < timedelta(seconds=2.2)


def test_no_words_are_not_written(redis_server: RedisServer, tmp_path: Path) -> None:
    clip = write_media(tmp_path / "clip.mp4", 1.5, sound=sound((0.3, 1.5), rate=SOUND_RATE))
    transcribe(str(clip), lambda _: " ", writer(redis_server.client, "gate"), threading.Event())
    assert redis_server.client.xlen("heed:text:gate") == 0


def test_no_model_is_fetched_unasked(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r"^speech: .*(no model .*; name a folder|pip install 'heed\[speech\]')"):
        whisper(str(tmp_path / "absent"), download=False)


def test_a_name_that_no_source_has_is_refused() -> None:
    command = [HEED, "transcribe", "rtsp://user:hunter2@cam/1", "--name", "a b"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "heed: transcribe: --name: 1 to 64 letters, digits, _, . and -\n"
