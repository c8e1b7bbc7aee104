"""What an engine counts, and says."""

import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from conftest import RedisServer, make_alert, wait_until
from media_files import write_media
from watching import Watching, config

from alerts.alert import Alert
from alerts.connect import from_url
from alerts.redis_stream import Publisher
from export.bundle import open_bundle
from export.runtime import Runtime
from pipeline.live import SourceState, Status
from pipeline.score import ModalityScore, Scores
from pipeline.snapshot import BOUNDS, FIGURES, NUM_COUNTS, Snapshot
from pipeline.telemetry import Telemetry, is_silent_cpu, published

NOW = datetime(2026, 11, 22, 7, 15, 1, tzinfo=UTC)


def figures(telemetry: Telemetry, name: str) -> Mapping[tuple[str, ...], float]:
    """By labels."""
    return {labels: value for each, labels, value in telemetry.snapshot().values if each == name}


def num_timed(telemetry: Telemetry) -> Mapping[str, int]:
    """By stage."""
    return {stage: sum(counts) for _, (stage,), counts, _ in telemetry.snapshot().timings}


def scores(anomaly: float, ages: Mapping[str, float], *, behind_seconds: float = 0) -> Scores:
    """Of a window whose last item has just come, so long after its end."""
    modalities = {name: ModalityScore(True, 0.5, 0.0, age) for name, age in ages.items()}
    modalities["text"] = ModalityScore(False, None, None, None)
    origin = datetime.now(UTC) - timedelta(seconds=2 + behind_seconds)
    return Scores("gate", 0, 0, 0.0, 2.0, origin, monotonic(), anomaly, 0.5, {"fight": 1.0}, modalities, None)


def test_windows_and_what_encoders_ran_for_them_are_counted() -> None:
    telemetry = Telemetry()
    telemetry.note_scores(scores(0.2, {"video": 0, "audio": 0}))
    telemetry.note_scores(scores(0.9, {"video": 0, "audio": 1.0}))
    assert figures(telemetry, "heed_windows_total") == {("gate",): 2}
    assert figures(telemetry, "heed_anomalous_windows_total") == {("gate",): 1}
    assert figures(telemetry, "heed_score") == {("gate",): 0.9}
    assert figures(telemetry, "heed_threshold") == {("gate",): 0.5}
    assert figures(telemetry, "heed_encoder_runs_total") == {("gate", "video"): 2, ("gate", "audio"): 1}
    assert figures(telemetry, "heed_encoder_runs_saved_total") == {("gate", "video"): 0, ("gate", "audio"): 1}
    assert num_timed(telemetry) == {"window": 2, "score": 2}


@pytest.mark.parametrize(("behind_seconds", "place"), [(-100, 0), (40, BOUNDS.index(60.0)), (3600, NUM_COUNTS - 1)])
def test_a_window_that_comes_late_is_timed_and_one_of_a_fast_file_is_in_time(behind_seconds: float, place: int) -> None:
    telemetry = Telemetry()
    telemetry.note_scores(scores(0.2, {}, behind_seconds=behind_seconds))
    (counts,) = (counts for _, stage, counts, _ in telemetry.snapshot().timings if stage == ("window",))
    assert [number for number, count in enumerate(counts) if count] == [place]


def test_losing_a_source_is_counted_and_where_nothing_was_lost_the_count_is_0() -> None:
    telemetry = Telemetry()
    statuses: tuple[Status, ...] = ("starting", "running", "stalled", "starting", "reconnecting", "unauthorised")
    for status in statuses:
        telemetry.note_state("gate", SourceState(status, "", NOW))
    telemetry.note_state("yard", SourceState("running", "", NOW))
    telemetry.note_state("clip", SourceState("ended", "", NOW))
    assert figures(telemetry, "heed_source_up") == {("gate",): 0, ("yard",): 1, ("clip",): 1}
    assert figures(telemetry, "heed_source_reconnects_total") == {("gate",): 2, ("yard",): 0, ("clip",): 0}
    assert figures(telemetry, "heed_source_stalls_total") == {("gate",): 1, ("yard",): 0, ("clip",): 0}


def test_alerts_are_counted_by_kind_and_an_event_once() -> None:
    telemetry = Telemetry()
    taken: list[Alert] = []
    take = telemetry.timed(taken.append)
    for number, kind in enumerate(("begin", "update", "end")):
        take(make_alert(number, kind=kind))
    telemetry.note_sent(0.01)
    assert len(taken) == 3
    assert figures(telemetry, "heed_alerts_total") == {("gate", kind): 1 for kind in ("begin", "update", "end")}
    assert figures(telemetry, "heed_events_total") == {("gate", "gun_shot"): 1}
    assert num_timed(telemetry) == {"alert": 3, "redis": 1}


@pytest.mark.parametrize(
    ("asked", "used", "num_gpus", "is_silent"),
    [
        ("cuda", "cpu", 0, True),
        ("tensorrt", "openvino", 0, True),
        ("auto", "cpu", 1, True),
        ("auto", "cpu", 0, False),
        ("cpu", "cpu", 1, False),
        ("openvino", "openvino", 1, False),
        ("auto", "cuda", 1, False),
    ],
)
def test_a_cpu_is_silent_where_something_faster_was_meant(
    asked: str, used: str, num_gpus: int, is_silent: bool
) -> None:
    assert is_silent_cpu(asked, used, num_gpus) is is_silent


def test_counting_from_many_threads_loses_nothing() -> None:
    telemetry = Telemetry()

    def count() -> None:
        for _ in range(1000):
            telemetry.note_sent(0.001)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert num_timed(telemetry) == {"redis": 4000}


def test_snapshots_are_reported_at_once_again_and_not_after_the_end() -> None:
    told: list[str] = []
    telemetry = Telemetry()
    with telemetry.reported(told.append, every_seconds=0.01):
        wait_until(lambda: len(told) >= 2)
    assert not any(thread.name == "telemetry" for thread in threading.enumerate())
    assert Snapshot.read(told[-1]) is not None


def test_what_is_counted_goes_to_redis_under_a_name_that_each_engine_has_alone(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    with from_url(redis_server.url) as client, ExitStack() as opened:
        for _ in range(2):
            telemetry = Telemetry()
            publisher = opened.enter_context(Publisher(client, tmp_path, telemetry.note_sent))
            opened.enter_context(published(telemetry, publisher, "box"))
            publisher(make_alert())
        wait_until(lambda: len(list(client.scan_iter("heed:metrics:*"))) == 2)
        for engine in ("box", "box-1"):
            snapshot = Snapshot.read(redis_server.client.hget(f"heed:metrics:{engine}", "snapshot"))
            assert snapshot is not None
            assert {"heed_outbox_alerts", "heed_discarded_alerts_total"} <= {name for name, _, _ in snapshot.values}


def test_a_snapshot_of_another_form_is_none_and_of_unknown_figures_nothing() -> None:
    for text in ("", "[]", '{"version": 2, "at": 0, "values": [], "timings": []}', '{"at": 0}', "\xff", '{"at": NaN}'):
        assert Snapshot.read(text) is None
    good = ("heed_windows_total", ("gate",), 3.0)
    timing = ("heed_stage_seconds", ("score",), (0,) * NUM_COUNTS, 0.0)
    bad_timings = (("heed_stage_seconds", ("score",), (0, 1), 1.0), ("heed_windows_total", ("a",), timing[2], 0.0))
    newer = Snapshot(
        at=1.0,
        values=(good, ("heed_newer", (), 1.0), ("heed_windows_total", (), 1.0), ("heed_stage_seconds", ("a",), 1.0)),
        timings=(timing, *bad_timings),
    )
    assert Snapshot.read(newer.model_dump_json()) == Snapshot(at=1.0, values=(good,), timings=(timing,))


def test_a_watch_counts_all_that_it_did(tmp_path: Path, tiny_bundle: Path) -> None:
    clip = write_media(tmp_path / "clip.mp4", 6.0)
    watching = Watching(config(("gate", clip)), Runtime(open_bundle(tiny_bundle), "cpu")).run()
    telemetry = watching.telemetry
    snapshot = telemetry.snapshot()
    assert Snapshot.read(snapshot.model_dump_json()) == snapshot
    assert {name for name, _, _ in snapshot.values} <= FIGURES.keys()
    assert figures(telemetry, "heed_windows_total") == {("gate",): len(watching.windows)}
    events = figures(telemetry, "heed_events_total")
    assert events.keys() == {("gate", label) for label in watching.runtime.spec.labels}
    assert sum(events.values()) == sum(alert.kind == "begin" for alert in watching.alerts) > 0
    assert sum(figures(telemetry, "heed_alerts_total").values()) == len(watching.alerts) > 0
    assert figures(telemetry, "heed_source_up") == {("gate",): 1}
    assert figures(telemetry, "heed_dropped_windows_total") == {("gate",): 0}
    assert figures(telemetry, "heed_queue_age_seconds") == {("gate",): 0}
    assert figures(telemetry, "heed_engine_silent_cpu") == {(): 0}
    ((asked, used, precision, *_),) = figures(telemetry, "heed_engine_info")
    assert (asked, used, precision) == ("auto", "cpu", "fp32")
    assert num_timed(telemetry).keys() == {"window", "score", "alert"}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells in /proc what processes use")
def test_a_watch_says_what_its_processes_use_and_how_long_windows_wait(tmp_path: Path, tiny_bundle: Path) -> None:
    clip = write_media(tmp_path / "clip.mp4", 6.0)
    with Watching(config(("gate", clip)), Runtime(open_bundle(tiny_bundle), "cpu")) as watching:
        telemetry = watching.telemetry
        wait_until(lambda: any(figures(telemetry, "heed_queue_age_seconds").values()))
        memory = figures(telemetry, "heed_process_resident_memory_bytes")
        assert memory.keys() == {("engine",), ("gate",)}
        assert min(memory.values()) > 2**20
        page = os.sysconf("SC_PAGE_SIZE")
        assert all(size % page == 0 for size in memory.values())
        assert figures(telemetry, "heed_process_cpu_seconds_total")["engine",] > 0
