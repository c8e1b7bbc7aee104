"""From the command `heed watch` to its first scored window."""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Final

from export.runtime import Runtime
from pipeline.bench.setting import Figures, Setting

_NUM: Final = 3
_MOST_SECONDS: Final = 120.0
_EAGER: Final = """[[source]]
name = "clip"
url = "{url}"
threshold = 1e-12

[event]
confirm_windows = 1
"""
"""Every window is an anomaly at once: the first alert tells of the first window."""


def start(setting: Setting) -> Figures:
    """Seconds from the command to the first alert on stdout: interpreter, bundle, Redis, camera process and decoder."""
    setting.tell("start: heed watch")
    config = setting.folder / "start.toml"
    config.write_text(_EAGER.format(url=setting.scenes.busy), encoding="utf-8")
    found = [_first_seconds(setting, config, setting.folder / f"start-{number}") for number in range(_NUM)]
    told = [seconds for seconds in found if seconds is not None]
    if len(told) < _NUM:
        setting.reasons["start.first_score_s"] = f"`heed watch` gave no score within {_MOST_SECONDS:g} s"
        return {"first_score_s": None}
    return {"first_score_s": median(told), "slowest_s": max(told)}


def _first_seconds(setting: Setting, config: Path, state: Path) -> float | None:
    command = _command(setting.runtime, config, state)
    said = state.with_suffix(".txt")
    began = time.monotonic()
    with said.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL) as process:  # noqa: S603 - our own program
        try:
            while not said.stat().st_size and process.poll() is None and time.monotonic() < began + _MOST_SECONDS:
                setting.wait(0.01)
            seconds = time.monotonic() - began
        finally:
            process.terminate()
    return seconds if said.stat().st_size else None


def _command(runtime: Runtime, config: Path, state: Path) -> list[str]:
    words = ["watch", "--config", config, "--bundle", runtime.bundle.folder, "--provider", runtime.provider]
    words += ["--state", state]
    return [sys.executable, "-m", "pipeline", *map(str, words)]
