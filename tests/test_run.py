"""Watching files and a camera with a bundle of untrained networks: a tiny threshold makes every window an anomaly."""

import http.server
import json
import multiprocessing
import os
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import psutil
import pytest
from conftest import wait_until
from media_files import write_media
from rtsp_server import RtspServer

from alerts.alert import SCHEMA_PATH, Alert
from export.bundle import open_bundle
from export.runtime import Runtime
from pipeline.config import Config, EngineConfig, LiveConfig, SourceConfig
from pipeline.live import SourceState
from pipeline.run import Summary, watch
from pipeline.score import Scores
from pipeline.window import Window

LIVE = LiveConfig(first_pause_seconds=0.1, read_timeout_seconds=5)
VALIDATOR = jsonschema.Draft202012Validator(
    json.loads(SCHEMA_PATH.read_text()), format_checker=jsonschema.FormatChecker()
)


@pytest.fixture(scope="module")
def runtime(tiny_bundle: Path) -> Runtime:
    return Runtime(open_bundle(tiny_bundle), "cpu", threads=1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_media(tmp_path_factory.mktemp("run") / "clip.mp4", 3.0)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_media(tmp_path_factory.mktemp("run") / "long.mp4", 12.0)


def config(*sources: tuple[str, str | Path], pace: str = "auto", queue_windows: int = 8) -> Config:
    named = [
        SourceConfig.model_validate({"name": name, "url": str(url), "pace": pace, "threshold": 0.0001})
        for name, url in sources
    ]
    return Config(source=tuple(named), live=LIVE, engine=EngineConfig(queue_windows=queue_windows))


@dataclass
class Watching:
    """A watch, and all that it told."""

    config: Config
    runtime: Runtime
    alerts: list[Alert] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    present: dict[str, Mapping[str, str | float]] = field(default_factory=dict)
    states: dict[str, list[SourceState]] = field(default_factory=lambda: defaultdict(list))
    stopped: threading.Event = field(default_factory=threading.Event)
    goes_on: threading.Event = field(default_factory=threading.Event)
    """The engine waits for it after every window."""
    summary: Summary = field(default_factory=Summary)

    def run(self) -> "Watching":
        """To the end of all sources."""
        self.goes_on.set()
        self._watch()
        return self

    def __enter__(self) -> "Watching":
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.goes_on.set()
        self._thread.join()

    def join(self) -> None:
        """Waits for its own end."""
        self.goes_on.set()
        self._thread.join()

    def statuses(self, source: str) -> list[str]:
        """How a source was, from the start on."""
        return [state.status for state in self.states[source]]

    def _watch(self) -> None:
        self.summary = watch(
            self.config,
            self.runtime,
            self.alerts.append,
            self.stopped,
            announce=self.present.__setitem__,
            observe=self._observe,
            on_state=lambda source, state: self.states[source].append(state),
        )

    def _observe(self, window: Window, _: Scores) -> None:
        self.windows.append(window)
        self.goes_on.wait()


def camera_process(source: str) -> int:
    """Id of the process of a source."""
    return next(
        process.pid
        for process in multiprocessing.active_children()
        if process.name == f"heed {source}" and process.pid is not None
    )


def assert_valid(alerts: Sequence[Alert]) -> None:
    for alert in alerts:
        VALIDATOR.validate(json.loads(alert.to_json()))


def test_two_files_are_watched_though_a_third_is_missing(clip: Path, tmp_path: Path, runtime: Runtime) -> None:
    missing = tmp_path / "none.mp4"
    before = datetime.now(UTC)
    seen = Watching(config(("gate", clip), ("none", missing), ("yard", clip), queue_windows=1), runtime).run()
    assert seen.summary.num_windows == {"gate": 2, "yard": 2}
    assert seen.summary.num_events == {"gate": 1, "yard": 1}
    assert set(seen.summary.num_dropped.values()) == {0}
    assert seen.summary.failed == {"none": f"source: {missing}: no such file; check the path"}
    assert seen.statuses("gate") == ["starting", "running", "ended"]
    assert seen.statuses("none") == ["starting", "failed"]
    assert_valid(seen.alerts)
    for source in ("gate", "yard"):
        begin, end = (alert for alert in seen.alerts if alert.source == source)
        assert (begin.kind, begin.sequence, end.kind, end.sequence) == ("begin", 0, "end", 1)
        assert (begin.id, begin.label, begin.started_at) == (end.id, end.label, end.started_at)
        assert before <= begin.started_at <= datetime.now(UTC)
        assert end.ended_at is not None
        assert (end.ended_at - end.started_at).total_seconds() == pytest.approx(3, abs=0.002)
        assert begin.modalities.video.present
        assert begin.modalities.audio.present
        assert not begin.modalities.text.present
        assert (begin.model.name, begin.model.sha256) == (runtime.bundle.name, runtime.bundle.sha256)
        assert 0 <= begin.latency_seconds < 60
        assert {"state": "anomaly", "label": seen.present[source]["label"]}.items() <= seen.present[source].items()
    assert {"state": "unknown", "status": "failed", "dropped": 0}.items() <= seen.present["none"].items()
    assert seen.present["none"]["reason"] == seen.summary.failed["none"]


def test_a_file_read_faster_than_scored_loses_nothing(long_clip: Path, runtime: Runtime) -> None:
    with Watching(config(("gate", long_clip), queue_windows=1), runtime) as seen:
        wait_until(lambda: seen.windows, 60)
        seen.stopped.wait(1)  # the reader is far ahead, and waits
        seen.join()
    assert [window.index for window in seen.windows] == list(range(11))
    assert seen.summary.num_dropped == {"gate": 0}


def test_a_camera_faster_than_the_engine_loses_its_oldest_windows_and_ends_when_told(
    clip: Path, runtime: Runtime
) -> None:
    with RtspServer(clip) as server, Watching(config(("gate", server.url), queue_windows=1), runtime) as seen:
        wait_until(lambda: seen.windows, 60)
        seen.stopped.wait(4)
        seen.goes_on.set()
        wait_until(lambda: seen.alerts, 60)
        seen.stopped.set()
        began = time.monotonic()
        seen.join()
        assert time.monotonic() - began < 2
    indices = [window.index for window in seen.windows]
    assert seen.summary.num_dropped["gate"] >= 2
    assert indices[1] - indices[0] == seen.summary.num_dropped["gate"] + 1
    assert [alert.kind for alert in seen.alerts] == ["begin", "end"]
    assert_valid(seen.alerts)
    assert seen.statuses("gate") == ["starting", "running"]


def test_a_camera_process_that_is_killed_is_started_again(long_clip: Path, runtime: Runtime) -> None:
    with Watching(config(("gate", long_clip), ("yard", long_clip), queue_windows=1), runtime) as seen:
        wait_until(lambda: seen.windows, 60)
        killed = psutil.Process(camera_process("gate"))
        wait_until(lambda: is_idle(killed), 60)  # in the middle of a window that does not fit into the pipe
        killed.send_signal(signal.SIGKILL)
        seen.join()
    of_gate = [window for window in seen.windows if window.source == "gate"]
    assert [window.index for window in of_gate if window.session == of_gate[-1].session] == list(range(11))
    assert of_gate[-1].session >= 1
    assert seen.statuses("gate") == ["starting", "running", "reconnecting", "starting", "running", "ended"]
    assert seen.states["gate"][2].reason.startswith("source: gate: its process crashed (-9); started again in 0.")
    assert seen.statuses("yard") == ["starting", "running", "ended"]
    assert seen.summary.failed == {}


def is_idle(process: psutil.Process) -> bool:
    """Whether it uses no time for a while."""
    before = process.cpu_times()
    time.sleep(0.3)
    return process.cpu_times() == before


def test_an_event_ends_when_its_camera_goes_away(clip: Path, runtime: Runtime) -> None:
    with RtspServer(clip) as server, Watching(config(("gate", server.url)), runtime) as seen:
        seen.goes_on.set()
        wait_until(lambda: seen.alerts, 60)
        server.stop()
        wait_until(lambda: seen.alerts[-1].kind == "end", 60)
        assert seen.statuses("gate")[:3] == ["starting", "running", "reconnecting"]
        wait_until(lambda: seen.present["gate"]["status"] == "reconnecting")
        assert seen.present["gate"]["state"] == "unknown"
    assert_valid(seen.alerts)


def test_a_camera_process_killed_while_it_waits_does_not_hold_up_the_end(long_clip: Path, runtime: Runtime) -> None:
    with Watching(config(("gate", long_clip), pace="live"), runtime) as seen:
        wait_until(lambda: seen.windows, 60)
        os.kill(camera_process("gate"), signal.SIGKILL)
        wait_until(lambda: "reconnecting" in seen.statuses("gate"))
        seen.stopped.set()
        began = time.monotonic()
        seen.join()
        assert time.monotonic() - began < 2


def test_cameras_outlive_the_server_that_they_were_forked_from(long_clip: Path, runtime: Runtime) -> None:
    with Watching(config(("gate", long_clip), ("yard", long_clip), queue_windows=1), runtime) as seen:
        wait_until(lambda: "running" in seen.statuses("gate") and "running" in seen.statuses("yard"), 60)
        gate = psutil.Process(camera_process("gate"))
        server = gate.parent()
        assert server is not None
        assert server.pid != os.getpid()
        server.kill()
        gate.kill()
        wait_until(lambda: "reconnecting" in seen.statuses("gate"), 60)
        seen.join()
    assert seen.statuses("gate") == ["starting", "running", "reconnecting", "starting", "running", "ended"]
    assert seen.statuses("yard") == ["starting", "running", "ended"]
    assert [window.index for window in seen.windows if window.source == "yard"] == list(range(11))
    assert seen.summary.failed == {}


@pytest.fixture
def broken_off(tmp_path: Path) -> Iterator[str]:
    """Where a web server gives half of a file, and hangs up."""
    data = write_media(tmp_path / "clip.mkv", 12.0).read_bytes()

    class Half(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Half) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://user:secret@127.0.0.1:{server.server_port}/clip.mkv"
        server.shutdown()


def test_a_file_that_breaks_off_has_failed_once(broken_off: str, runtime: Runtime) -> None:
    seen = Watching(config(("gate", broken_off)), runtime).run()
    assert seen.statuses("gate") == ["starting", "running", "failed"]
    reason = seen.summary.failed["gate"]
    assert reason.startswith("source: http://***@127.0.0.1:")
    assert "secret" not in reason
    assert [window.index for window in seen.windows] == list(range(5))
    assert [alert.kind for alert in seen.alerts] == ["begin", "end"]


def test_a_source_whose_process_always_crashes_is_given_up(runtime: Runtime, clip: Path) -> None:
    with Watching(config(("gate", clip), pace="live"), runtime) as seen:
        for _ in range(5):
            wait_until(lambda: seen.statuses("gate")[-1:] == ["running"], 60)
            os.kill(camera_process("gate"), signal.SIGKILL)
            wait_until(lambda: seen.statuses("gate")[-1] != "running", 60)
        seen.join()
    assert seen.summary.failed == {"gate": "source: gate: its process crashed 5 times in a minute; given up"}


def test_a_process_that_hangs_is_ended_and_started_anew_while_the_others_go_on(clip: Path, runtime: Runtime) -> None:
    with RtspServer(clip) as server:
        watched = config(("gate", server.url), ("yard", server.url))
        patient = LIVE.model_copy(update={"stall_seconds": 8.0})
        with Watching(watched.model_copy(update={"live": patient}), runtime) as seen:
            seen.goes_on.set()
            wait_until(lambda: {"gate", "yard"} == {window.source for window in seen.windows}, 60)
            os.kill(camera_process("gate"), signal.SIGSTOP)
            wait_until(lambda: any(window.source == "gate" and window.session >= 1 for window in seen.windows), 60)
    assert seen.statuses("gate") == ["starting", "running", "stalled", "starting", "running"]
    assert seen.states["gate"][2].reason.startswith("source: gate: no picture or sound for 8 s; started again in 0.")
    assert seen.statuses("yard") == ["starting", "running"]
    assert seen.summary.failed == {}


def test_a_server_that_never_sends_a_picture_is_given_up_from_outside(clip: Path, runtime: Runtime) -> None:
    impatient = LiveConfig(first_frame_seconds=5, read_timeout_seconds=120)
    with RtspServer(clip) as server:
        server.stall()
        watched = config(("gate", server.url)).model_copy(update={"live": impatient})
        with Watching(watched, runtime) as seen:
            wait_until(lambda: "stalled" in seen.statuses("gate"), 60)
    (reason,) = [state.reason for state in seen.states["gate"] if state.status == "stalled"]
    assert reason.startswith("source: gate: no picture or sound for 5 s; started again in ")


@pytest.mark.parametrize("pace", ["auto", "live"])
def test_an_engine_that_is_slow_and_a_file_that_takes_its_time_are_no_stall(
    clip: Path, runtime: Runtime, pace: str
) -> None:
    impatient = LIVE.model_copy(update={"stall_seconds": 0.5, "first_frame_seconds": 0.5})
    watched = config(("gate", clip), pace=pace, queue_windows=1).model_copy(update={"live": impatient})
    with Watching(watched, runtime) as seen:
        wait_until(lambda: seen.windows, 60)
        seen.stopped.wait(2)
        seen.join()
    assert seen.statuses("gate") == ["starting", "running", "ended"]


def test_the_process_of_a_source_may_have_so_much_memory_and_no_more(long_clip: Path, runtime: Runtime) -> None:
    with Watching(config(("gate", long_clip), queue_windows=1), runtime) as seen:
        wait_until(lambda: seen.windows, 60)
        most, _ = psutil.Process(camera_process("gate")).rlimit(psutil.RLIMIT_DATA)
    assert most == 2048 * 2**20


def test_a_process_that_hangs_does_not_hold_up_the_end(clip: Path, runtime: Runtime) -> None:
    with RtspServer(clip) as server, Watching(config(("gate", server.url)), runtime) as seen:
        seen.goes_on.set()
        wait_until(lambda: seen.windows, 60)
        os.kill(camera_process("gate"), signal.SIGSTOP)
        seen.stopped.set()
        began = time.monotonic()
        seen.join()
        assert time.monotonic() - began < 2
