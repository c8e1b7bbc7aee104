"""Processes forked from a server, in a program of its own: a server stays for as long as who started it."""

import os
import subprocess
import sys
from pathlib import Path

START = """
import os, time, psutil
from pipeline.forks import kill, start_process
{body}
"""
KILLED = """
process = start_process("heed gate", time.sleep, 60)
print(psutil.Process(process.pid).ppid() == os.getpid())
kill(process)
process.join()
print(process.exitcode)
"""
ORPHANED = """
process = start_process("heed gate", time.sleep, 60)
camera = psutil.Process(process.pid)
camera.parent().kill()
process.join()
print(process.exitcode, camera.is_running())
kill(process)
while camera.is_running() and camera.status() != psutil.STATUS_ZOMBIE:
    time.sleep(0.01)
"""
DEAF = """
start_process("heed gate", exec, "import signal; print(*sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))").join()
"""


def said(body: str, **environment: str) -> list[str]:
    """Lines that the program prints."""
    command = [sys.executable, "-W", "error", "-c", START.format(body=body)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def too_deep(folder: Path) -> str:
    """A folder whose path is too long for a socket."""
    deep = folder / ("x" * 120)
    deep.mkdir()
    return str(deep)


def test_a_process_has_the_server_for_a_parent_and_can_be_killed() -> None:
    assert said(KILLED) == ["False", "-9"]


def test_without_room_for_a_server_a_process_is_started_from_nothing(tmp_path: Path) -> None:
    assert said(KILLED, TMPDIR=too_deep(tmp_path)) == ["True", "-9"]


def test_a_process_whose_server_has_died_lives_and_can_be_killed() -> None:
    assert said(ORPHANED) == ["255 True"]


def test_a_process_is_deaf_to_ctrl_c_and_sigterm(tmp_path: Path) -> None:
    assert said(DEAF) == ["2 15"]
    assert said(DEAF, TMPDIR=too_deep(tmp_path)) == ["2 15"]
