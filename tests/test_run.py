"""Watching files and a camera with a bundle of untrained networks: a tiny threshold makes every window an anomaly."""

import http.server
import json
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from conftest import wait_until
from media_files import write_media
from rtsp_server import RtspServer
from watching import LIVE, Watching, config

from alerts.alert import SCHEMA_PATH, Alert
from export.runtime import Runtime
from pipeline.config import LiveConfig

VALIDATOR = jsonschema.Draft202012Validator(
    json.loads(SCHEMA_PATH.read_text()), format_checker=jsonschema.FormatChecker()
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
