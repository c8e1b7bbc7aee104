"""Processes of sources: killed, frozen, bounded, and ended with the watch."""

import os
import signal
import time
from pathlib import Path

import psutil
from conftest import wait_until
from rtsp_server import RtspServer
from watching import LIVE, Watching, camera_process, config

from export.runtime import Runtime


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
