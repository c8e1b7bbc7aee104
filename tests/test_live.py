"""Live sources that end, stall, refuse and come back."""

import itertools
import threading
import time
from pathlib import Path

import pytest
from media_files import write_media
from rtsp_server import RtspServer

from models.spec import Spec
from pipeline.config import LiveConfig
from pipeline.errors import SourceTimeoutError, SourceUnauthorisedError
from pipeline.live import Pauses, SourceState, Status, paced, sessions
from pipeline.media import Cue, Frame, Item, Samples

HASTY = LiveConfig(
    open_timeout_seconds=5,
    read_timeout_seconds=2,
    first_pause_seconds=0.1,
    longest_pause_seconds=0.2,
    unauthorised_pause_seconds=0.3,
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_media(tmp_path_factory.mktemp("live") / "clip.mp4", 2.0)


class Watch:
    """A source being watched: its states as they come, and the end of it."""

    def __init__(self, url: str, config: LiveConfig = HASTY) -> None:
        self.states: list[SourceState] = []
        self.stopped = threading.Event()
        self.sessions = sessions(url, Spec(), config, self.stopped.wait, self.states.append)

    @property
    def statuses(self) -> list[Status]:
        """One for every change."""
        return [status for status, _ in itertools.groupby(state.status for state in self.states)]


def test_a_file_is_one_session_and_ends(clip: Path) -> None:
    watch = Watch(str(clip))
    assert [len(list(media.items())) > 0 for media in watch.sessions] == [True]
    assert watch.statuses == ["starting", "running", "ended"]


def test_a_file_that_is_not_there_has_failed_for_good(tmp_path: Path) -> None:
    watch = Watch(str(tmp_path / "none.mp4"))
    assert list(watch.sessions) == []
    assert watch.statuses == ["starting", "failed"]
    assert watch.states[-1].reason == f"source: {tmp_path}/none.mp4: no such file; check the path"


def test_an_address_that_nobody_can_open_has_failed_for_good() -> None:
    watch = Watch("gopher://user:secret@camera/1")
    assert list(watch.sessions) == []
    assert watch.statuses == ["starting", "failed"]
    assert watch.states[-1].reason.startswith("source: gopher://***@camera/1: unknown kind of address; use a file,")


def test_a_live_source_is_seen_and_heard_on_one_clock_round_after_round(clip: Path) -> None:
    with RtspServer(clip) as server:
        watch = Watch(server.url)
        media = next(watch.sessions)
        assert media.is_live
        assert media.duration_seconds is None
        items = list(itertools.takewhile(lambda item: item.pts_seconds < 3.0, media.items()))
        watch.sessions.close()
    times = [item.pts_seconds for item in items if isinstance(item, Frame)]
    assert len(times) in {23, 24, 25}  # of 3 s, over the clip's end at 2 s
    heard = sum(len(item.data) for item in items if isinstance(item, Samples)) / 16_000
    assert heard == pytest.approx(3.0, abs=0.4)


def test_a_stream_that_ends_is_opened_again(clip: Path) -> None:
    with RtspServer(clip, loops=False) as server:
        watch = Watch(server.url)
        lasts = [list(media.items())[-1].pts_seconds for media in itertools.islice(watch.sessions, 2)]
    assert lasts == pytest.approx([2.0, 2.0], abs=0.2)
    assert watch.statuses == ["starting", "running", "reconnecting", "running"]
    assert watch.states[2].reason.startswith(f"source: {server.url}: the stream ended; next try in 0.")


def test_a_server_that_goes_away_and_comes_back_is_found_again(clip: Path) -> None:
    with RtspServer(clip) as server:
        watch = Watch(server.url)
        for item in next(watch.sessions).items():
            if item.pts_seconds > 0.5:
                server.stop()
        again = threading.Timer(0.5, server.start)
        again.start()
        assert next(next(watch.sessions).items()).pts_seconds < 0.5  # a session of its own, from 0
        again.join()
        watch.sessions.close()
    assert watch.statuses == ["starting", "running", "reconnecting", "running"]
    assert any("connection refused" in state.reason for state in watch.states)


def test_a_stream_that_stalls_is_given_up_in_time(clip: Path) -> None:
    with RtspServer(clip) as server:
        watch = Watch(server.url)
        media = next(watch.sessions)
        for item in media.items():
            if item.pts_seconds > 0.5:
                server.stall()
                stalled = time.monotonic()
        assert time.monotonic() - stalled < 5
        assert isinstance(media.error, SourceTimeoutError)
        server.resume()
        next(watch.sessions)
        watch.sessions.close()
    assert "nothing came in time" in watch.states[2].reason


def test_a_wrong_password_is_tried_seldom_and_never_shown(clip: Path) -> None:
    with RtspServer(clip, "user", "right") as server:
        watch = Watch(f"rtsp://user:wr%6Fng-secret@{server.address}/stream")
        stopper = threading.Timer(1.0, watch.stopped.set)
        stopper.start()
        assert list(watch.sessions) == []
        assert 2 <= server.num_connections <= 5
    assert watch.statuses == ["starting", "unauthorised"]
    assert not any("secret" in repr(state) for state in watch.states)


def test_pauses_double_up_to_the_longest_and_begin_anew_after_health() -> None:
    pauses = Pauses(LiveConfig(jitter=0))
    assert [pauses.next(None, ran_seconds=5) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert pauses.next(None, ran_seconds=300) == 1
    assert pauses.next(None, ran_seconds=5) == 2


def test_a_refused_password_waits_a_minute_at_least() -> None:
    pauses = Pauses(LiveConfig())
    waits = [pauses.next(SourceUnauthorisedError("no"), ran_seconds=0) for _ in range(50)]
    assert 60 <= min(waits) < max(waits) <= 72


def test_pauses_are_shaken() -> None:
    waits = [Pauses(LiveConfig(first_pause_seconds=10)).next(None, ran_seconds=0) for _ in range(50)]
    assert 8 <= min(waits) < 9.5
    assert 10.5 < max(waits) <= 12


def test_items_are_held_back_to_their_time() -> None:
    items: list[Item] = [Cue(seconds, seconds + 1, "x") for seconds in (0.0, 0.5, 0.25, 2.0)]
    now, waits = [100.0], []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        now[0] += seconds
        return False

    assert list(paced(iter(items), wait, lambda: now[0])) == items
    assert waits == [0.5, 1.5]


def test_a_file_at_live_pace_takes_its_time_and_can_be_stopped(clip: Path) -> None:
    stopped = threading.Event()
    threading.Timer(0.5, stopped.set).start()
    began = time.monotonic()
    at_live_pace = sessions(str(clip), Spec(), HASTY, stopped.wait, lambda _: None, pace="live")
    items = list(next(at_live_pace).items())
    took_seconds = time.monotonic() - began
    assert took_seconds >= 0.4
    assert 0.2 < max(item.pts_seconds for item in items) <= took_seconds
