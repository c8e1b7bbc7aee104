"""Ctrl-C and SIGTERM, in processes of their own: some of them are ended by force."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pipeline.stop import Stop

SCRIPT = """
import os, sys, time
from pipeline.stop import Stop
with Stop(lambda line: print(line, flush=True)) as stop:
    if "begin" in sys.argv:
        stop.begin()
    print("ready", flush=True)
    if "orderly" in sys.argv:
        stop.asked.wait()
    else:
        while True:
            time.sleep(1)
print("ended")
"""


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SCRIPT, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield running


def end(running: subprocess.Popen[str]) -> list[str]:
    out, _ = running.communicate(timeout=60)
    return out.splitlines()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_can_end_in_order_does(number: signal.Signals) -> None:
    with started("begin", "orderly") as running:
        running.send_signal(number)
        assert end(running) == [f"{number.name}: ending; once more ends at once", "ended"]
    assert running.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_it_has_begun_it_ends_at_once(number: signal.Signals) -> None:
    with started() as running:
        running.send_signal(number)
        assert end(running) == [f"{number.name}: ended while starting"]
    assert running.returncode == 128 + number


def test_what_hangs_is_ended_after_a_while() -> None:
    with started("begin") as running:
        running.send_signal(signal.SIGTERM)
        told = end(running)
    assert told[-1] == "SIGTERM: ended at once; the next start goes on with what is on the disk"
    assert running.returncode == 128 + signal.SIGTERM


def test_the_second_ctrl_c_ends_at_once() -> None:
    with started("begin") as running:
        assert running.stdout is not None
        running.send_signal(signal.SIGINT)
        assert running.stdout.readline() == "SIGINT: ending; once more ends at once\n"
        running.send_signal(signal.SIGINT)
        assert end(running) == ["SIGINT: ended at once; the next start goes on with what is on the disk"]
    assert running.returncode == 128 + signal.SIGINT


def test_it_leaves_signals_as_they_were() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    num_threads = threading.active_count()
    with Stop(lambda _: None) as stop:
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert threading.active_count() == num_threads
    assert not stop.asked.is_set()


def test_who_does_not_read_the_line_does_not_hold_up_the_end() -> None:
    script = SCRIPT.replace("lambda line: print(line, flush=True)", "lambda line: time.sleep(1000)")
    command = [sys.executable, "-c", script, "begin"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.send_signal(signal.SIGINT)
        running.wait(60)
    assert running.returncode == 128 + signal.SIGINT
