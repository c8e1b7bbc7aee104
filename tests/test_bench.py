"""The benchmark runs, and says what it has measured. How fast this machine is, no test asks."""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from conftest import wait_until
from torch.utils.flop_counter import FlopCounterMode

from export.bundle import REFERENCE
from export.runtime import Runtime
from pipeline.bench.alerts import alerts
from pipeline.bench.cameras import Point, cameras
from pipeline.bench.encoders import encoders
from pipeline.bench.line import line
from pipeline.bench.macs import count_macs
from pipeline.bench.material import GROUP_SECONDS, Scenes, draw, repeated
from pipeline.bench.parts import HEADLINES, Part
from pipeline.bench.process import usage
from pipeline.bench.report import markdown
from pipeline.bench.run import bench, naive
from pipeline.bench.setting import Setting
from pipeline.bench.start import start
from pipeline.bench.torch_networks import own_network
from pipeline.bench.watched import decoded
from pipeline.errors import BenchStoppedError

HEED = str(Path(sys.executable).with_name("heed"))


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    return draw(tmp_path_factory.mktemp("scenes"), lambda _: None, num_groups=1)


@pytest.fixture
def setting(runtime: Runtime, scenes: Scenes, tmp_path: Path) -> Setting:
    return Setting(runtime, tmp_path, scenes, seconds=0.5, most_cameras=2, stopped=threading.Event())


def numbers(figures: Any) -> Iterator[float]:
    """All that is in a section, however deep."""
    if isinstance(figures, dict | list):
        for each in figures.values() if isinstance(figures, dict) else figures:
            yield from numbers(each)
    elif isinstance(figures, int | float):
        yield figures


def check(part: Part, figures: dict[str, Any], setting: Setting) -> None:
    """Headlines are numbers or have a reason, and everything is what JSON can say."""
    for name in HEADLINES[part]:
        assert isinstance(figures[name], int | float) or f"{part}.{name}" in setting.reasons
    assert all(map(math.isfinite, numbers(figures)))
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_a_scene_is_repeated_without_a_gap(scenes: Scenes, runtime: Runtime, tmp_path: Path) -> None:
    path = repeated(scenes.busy, scenes.seconds, tmp_path / "long.mkv", 3 * GROUP_SECONDS)
    for kind, step in (("video", 1 / 15), ("audio", 0.064)):
        with av.open(str(path)) as found:
            times = [float(p.pts * p.time_base) for p in found.demux(**{kind: 0}) if p.pts is not None]
        assert np.diff(times) == pytest.approx(step, abs=0.002)
        assert times[-1] + step == pytest.approx(3 * GROUP_SECONDS, abs=0.002)
    found_windows = decoded(path, runtime.spec)
    assert [window.index for window in found_windows] == list(range(9))
    assert all(window.frames is not None and window.samples is not None for window in found_windows)


def test_a_repeated_scene_may_begin_within_it(tmp_path: Path) -> None:
    scenes = draw(tmp_path, lambda _: None, num_groups=2)
    path = repeated(scenes.ordinary, scenes.seconds, tmp_path / "later.mkv", 2 * GROUP_SECONDS, first_group=1)
    with av.open(str(path)) as found:
        assert [p.pts for p in found.demux(video=0) if p.pts is not None and p.is_keyframe] == [0, 3200, 6400]


def test_multiply_accumulates_are_those_that_torch_counts(runtime: Runtime, tmp_path: Path) -> None:
    frames = np.zeros((2, *[runtime.spec.num_frames, runtime.spec.frame_size, runtime.spec.frame_size, 3]), np.uint8)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        own_network(runtime.bundle).video(torch.from_numpy(frames))
    macs = count_macs(runtime.bundle.graph("video", REFERENCE), [frames], tmp_path)
    assert 2 * macs == counter.get_total_flops()


def test_usage_is_that_of_this_process_and_its_children() -> None:
    before = usage()
    assert before is not None
    held = "held = bytearray(b'1' * 64 * 2**20); print(len(held), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        after = usage()
        child.kill()
    assert after is not None
    assert after.pss_mib > before.pss_mib + 60
    assert after.cpu_seconds >= before.cpu_seconds


def test_a_start_is_timed(setting: Setting) -> None:
    figures = start(setting)
    check(Part.START, figures, setting)
    assert 0 < figures["first_score_s"] <= figures["slowest_s"]


def test_encoders_are_compared_on_every_provider_and_in_torch(setting: Setting) -> None:
    figures = encoders(setting)
    check(Part.ENCODERS, figures, setting)
    for name in ("video", "audio", "text"):
        assert {"torch fp32", "cpu fp32"} <= figures[name]["engines"].keys()
        assert all(each["ms"] > 0 for each in figures[name]["engines"].values())


def test_the_line_is_compared_with_its_sessions_and_with_decoding(setting: Setting) -> None:
    figures = line(setting)
    check(Part.LINE, figures, setting)
    speeds = figures["windows_per_second"]
    assert speeds.keys() == {"watch", "bare", "decode"}
    assert figures["efficiency"] == speeds["watch"] / speeds["bare"]


def test_the_naive_script_is_timed_on_the_same_files(setting: Setting) -> None:
    figures = naive(setting)
    check(Part.NAIVE, figures, setting)
    speeds = figures["windows_per_second"]
    assert figures["speedup"] == speeds["heed_busy"] / speeds["script_busy"]
    assert figures["ordinary_speedup"] == speeds["heed_ordinary"] / speeds["script_ordinary"]


def test_cameras_are_added_until_there_are_as_many_as_may_be(setting: Setting) -> None:
    figures = cameras(setting)
    check(Part.CAMERAS, figures, setting)
    for curve in (figures["ordinary"], figures["busy"]):
        assert [point["num_cameras"] for point in curve] in ([1], [1, 2])
        assert all(point.keys() == {field.name for field in fields(Point)} for point in curve)
    assert figures["most_live"] in {0, 1, 2}


def test_alerts_reach_the_subscriber_through_each_redis(setting: Setting) -> None:
    figures = alerts(setting)
    check(Part.ALERTS, figures, setting)
    for through in filter(None, (figures["embedded"], figures["redis"])):
        assert through["num_lost"] == 0
        assert 0 < through["p50_ms"] <= through["p99_ms"]
    assert (figures["redis"] is None) == ("alerts.redis" in setting.reasons)


def test_a_part_that_is_not_asked_for_is_null_and_says_so(runtime: Runtime) -> None:
    report = bench(runtime, [Part.ALERTS], threading.Event(), seconds=0.2)
    for part in Part:
        assert report[part].keys() >= set(HEADLINES[part])
        assert (report["reasons"].get(part) == "not asked for") == (part != Part.ALERTS)
    assert report["line"]["efficiency"] is None
    page = markdown(json.loads(json.dumps(report, allow_nan=False)))
    assert "`alerts.p99_ms`" in page
    assert "| embedded |" in page
    assert "line.efficiency" not in page


def test_one_who_ends_it_gets_no_figures(setting: Setting) -> None:
    setting.stopped.set()
    for part in (start, line, cameras, alerts, encoders, naive):
        with pytest.raises(BenchStoppedError, match="bench: stopped before its end: no figures; run it again"):
            part(replace(setting))


def test_the_command_writes_its_table_and_its_figures(tiny_bundle: Path, tmp_path: Path) -> None:
    words = [
        "bench",
        "--only",
        "alerts",
        "--seconds",
        "0.2",
        "--bundle",
        tiny_bundle,
        "--json",
        "--out",
        tmp_path / "a",
    ]
    done = subprocess.run([HEED, *map(str, words)], check=True, capture_output=True, text=True)
    assert (tmp_path / "a" / "bench.json").read_text() == done.stdout
    assert (tmp_path / "a" / "bench.md").read_text() == markdown(json.loads(done.stdout))
    assert json.loads(done.stdout)["seconds"] == 0.2
    assert done.stderr == ""


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder with a name that leaves room for a socket's."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def test_ctrl_c_gives_no_figures_and_leaves_no_process(tiny_bundle: Path, short_path: Path) -> None:
    words = ["bench", "--only", "cameras", "--seconds", "1", "--bundle", str(tiny_bundle)]
    environment = os.environ | {"TMPDIR": str(short_path)}
    with subprocess.Popen(
        [HEED, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as running:
        wait_until(lambda: running.poll() is not None or started_in(running.pid, short_path), 60)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert out == ""
    assert err.splitlines()[0] == "heed: SIGINT: ending; once more ends at once"
    wait_until(lambda: not started_in(running.pid, short_path))


def started_in(session: int, folder: Path) -> list[str]:
    """Command lines of cameras in this session, and of every Redis in the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if ("multiprocessing" in words and os.getsid(int(process.name)) == session) or f"{folder}/" in words:
                found.append(words)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
