"""Streams that change while they are watched: codec, rate, size, numbers of their tracks, the clock of their stamps."""

import http.server
import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_files import write_media
from rtsp_server import RtspServer

from export.runtime import Runtime
from models.spec import Spec
from pipeline.config import EventConfig, LiveConfig
from pipeline.event import EventTracker
from pipeline.live import SourceState, sessions
from pipeline.media import Frame, Item, Samples
from pipeline.score import Scorer
from pipeline.window import windows


@contextmanager
def broadcast(*parts: Path) -> Iterator[str]:
    """Serves files one behind the other, without saying how long they are: the last alone to who comes again."""
    answers = itertools.chain([b"".join(part.read_bytes() for part in parts)], itertools.repeat(parts[-1].read_bytes()))

    class Broadcast(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(next(answers))

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Broadcast) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/live"
        server.shutdown()


def watched(url: str, num_sessions: int, stall_seconds: float = 20) -> tuple[list[list[Item]], list[SourceState]]:
    """What the first sessions of a source give, and its states."""
    states: list[SourceState] = []
    config = LiveConfig(first_pause_seconds=0.05, stall_seconds=stall_seconds)
    going = sessions(url, Spec(), config, threading.Event().wait, states.append)
    items = [list(media.items()) for media in itertools.islice(going, num_sessions)]
    going.close()
    return items, states


def lengths(items: Sequence[Item]) -> tuple[float, float]:
    """Seconds of pictures and of sound."""
    times = [item.pts_seconds for item in items if isinstance(item, Frame)]
    assert times == sorted(times)
    heard = sum(len(item.data) for item in items if isinstance(item, Samples))
    return times[-1] - times[0], heard / 16_000


def renumbered(path: Path, number: int) -> Path:
    """A copy whose sound has another number."""
    copy_path = path.with_name("renumbered.ts")
    with av.open(str(path)) as source, av.open(str(copy_path), "w") as copy:
        tracks = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for stream in tracks.values():
            stream.id = number if stream.type == "audio" else 0x100
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = tracks[packet.stream.index]
                copy.mux(packet)
    return copy_path


def test_a_stream_whose_sound_changes_its_codec_is_opened_again(tmp_path: Path) -> None:
    parts = [write_media(tmp_path / f"{codec}.ts", 8.0, audio_codec=codec) for codec in ("mp2", "aac")]
    with broadcast(*parts) as url:
        (before, after), states = watched(url, 2)
    assert lengths(before)[1] == pytest.approx(8.0, abs=0.2)
    assert lengths(after)[1] == pytest.approx(8.0, abs=0.2)
    assert [state.status for state in states] == ["starting", "running", "reconnecting", "running"]
    assert states[2].reason.startswith(f"source: {url}: packets of its audio give nothing any more; next try in 0.0")


def test_a_stream_whose_sound_goes_on_under_another_number_is_opened_again(tmp_path: Path) -> None:
    first, second = (write_media(tmp_path / f"{n}.ts", 8.0) for n in range(2))
    with broadcast(first, renumbered(second, 0x200)) as url:
        (before, after), states = watched(url, 2, stall_seconds=4)
    assert lengths(before)[1] == pytest.approx(8.0, abs=0.2)
    assert lengths(after)[1] == pytest.approx(8.0, abs=0.2)
    assert states[2].reason.startswith(f"source: {url}: no sound for 4 s while the rest goes on; next try in 0.0")


def test_pictures_of_another_size_and_sound_of_another_rate_go_on(tmp_path: Path) -> None:
    first = write_media(tmp_path / "first.ts", 4.0)
    second = write_media(tmp_path / "second.ts", 4.0, size=(320, 240), frame_rate=12)
    with broadcast(first, resampled(second, 22_050)) as url:
        (items,), states = watched(url, 1)
    assert lengths(items) == pytest.approx((7.9, 8.0), abs=0.3)
    assert [state.status for state in states] == ["starting", "running"]
    assert {frame.image.shape for frame in items if isinstance(frame, Frame)} == {(80, 80, 3)}


def resampled(path: Path, rate: int) -> Path:
    """A copy whose sound has another rate and two channels."""
    copy_path = path.with_name("resampled.ts")
    with av.open(str(path)) as source, av.open(str(copy_path), "w") as copy:
        picture = copy.add_stream_from_template(source.streams.video[0])
        sound = copy.add_stream("aac", rate, layout="stereo")
        assert isinstance(sound, av.AudioStream)
        for packet in source.demux():
            if packet.stream.type == "video" and packet.dts is not None:
                packet.stream = picture
                copy.mux(packet)
            elif packet.stream.type == "audio":
                for frame in packet.decode():
                    assert isinstance(frame, av.AudioFrame)
                    copy.mux(sound.encode(frame))
        copy.mux(sound.encode(None))
    return copy_path


def test_a_server_that_comes_back_with_another_film_is_followed(tmp_path: Path) -> None:
    first = write_media(tmp_path / "first.mp4", 2.0)
    second = write_media(tmp_path / "second.mp4", 2.0, size=(320, 240), frame_rate=12, has_audio=False)
    config = LiveConfig(first_pause_seconds=0.05, read_timeout_seconds=5)
    with RtspServer(first) as server:
        going = sessions(server.url, Spec(), config, threading.Event().wait, lambda _: None)
        media = next(going)
        assert (media.has_video, media.has_audio) == (True, True)
        for item in media.items():
            if item.pts_seconds > 0.5:
                server.stop()
        server.path = second
        server.start()
        media = next(going)
        assert (media.has_video, media.has_audio) == (True, False)
        assert next(media.items()).pts_seconds < 0.5
        going.close()


@pytest.mark.parametrize("first_seconds", [2**33 / 90_000 - 3, 2**33 / 90_000 - 100])
def test_stamps_that_wrap_after_33_bits_leave_time_steady(tmp_path: Path, first_seconds: float) -> None:
    first = write_media(tmp_path / "first.ts", 6.0, first_seconds=first_seconds)
    second = write_media(tmp_path / "second.ts", 6.0, first_seconds=(first_seconds + 6) % (2**33 / 90_000))
    with broadcast(first, second) as url:
        (items,), _ = watched(url, 1)
    assert lengths(items) == pytest.approx((11.9, 12.0), abs=0.3)
    times = [item.pts_seconds for item in items if isinstance(item, Frame)]
    assert times[0] == pytest.approx(0.0, abs=0.05)
    assert float(np.diff(times).max()) < 0.3


def test_nothing_of_a_session_is_left_in_the_next(tmp_path: Path, runtime: Runtime) -> None:
    clip, began = write_media(tmp_path / "clip.ts", 4.5), datetime.now(UTC)
    with broadcast(clip) as url:
        going = sessions(
            url, runtime.spec, LiveConfig(first_pause_seconds=0.05), threading.Event().wait, lambda _: None
        )
        first, second = (
            list(windows(media, "gate", runtime.spec, began + timedelta(minutes=session), session))
            for session, media in enumerate(itertools.islice(going, 2))
        )
        going.close()
    assert [window.index for window in second] == [window.index for window in first] == [0, 1, 2, 3]
    for before, after in zip(first, second, strict=True):  # the buffers
        np.testing.assert_array_equal(before.frames, after.frames)
        np.testing.assert_array_equal(before.samples, after.samples)
    scorer, tracker = Scorer(runtime, {"gate": 1e-6}), EventTracker(EventConfig(cooldown_seconds=0))
    scores = [scorer.score([window])[0] for window in [*first, *second]]
    anomalies = [score.anomaly for score in scores]
    assert anomalies[4:] == anomalies[:4]  # the memory of fusion
    assert len(set(anomalies[:4])) > 1
    steps = [(event.kind, event.peak.session) for score in scores for event in tracker.push(score)]
    assert [step for step in steps if step[0] != "update"] == [("begin", 0), ("end", 0), ("begin", 1)]
