"""The entry: Ctrl-C and SIGTERM before any command sees to them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SWALLOWS = """
import signal
try:
    signal.raise_signal(signal.{name})
except BaseException:
    pass
print("goes on")
"""
"""A library that is imported, and lets no exception out."""
START = """
import signal, sys
from pipeline import cli
from pipeline.__main__ import main
{run}
main()
"""


def started(folder: Path, run: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{START.format(run=run)}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_no_import_swallows_a_signal(name: str, tmp_path: Path) -> None:
    (tmp_path / "swallows.py").write_text(SWALLOWS.format(name=name))
    ended = started(tmp_path, "cli.main = lambda: __import__('swallows')")
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + signal.Signals[name], "", f"heed: {name}: ended\n")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_unwinds_what_runs(name: str, tmp_path: Path) -> None:
    run = f"""
def run():
    try:
        signal.raise_signal(signal.{name})
    finally:
        print("unwound")
cli.main = run"""
    ended = started(tmp_path, run)
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        128 + signal.Signals[name],
        "unwound\n",
        f"heed: {name}: ended\n",
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_within_a_command_is_told(name: str, tmp_path: Path) -> None:
    run = f"""
@cli.app.command()
def learn():
    signal.raise_signal(signal.{name})
sys.argv = ["heed", "learn"]"""
    ended = started(tmp_path, run)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + signal.Signals[name], "", f"heed: {name}: ended\n")
