"""All parts in one run."""

import math
import os
import platform
import shlex
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from export.runtime import Runtime
from pipeline.bench.alerts import alerts
from pipeline.bench.cameras import cameras
from pipeline.bench.encoders import NO_TRAINING, TRAINING, encoders
from pipeline.bench.line import line
from pipeline.bench.material import GROUP_SECONDS, MOST_GROUPS, draw
from pipeline.bench.parts import HEADLINES, NOT_ASKED, Part
from pipeline.bench.setting import Figures, Setting, check
from pipeline.bench.start import start
from pipeline.versions import versions


def naive(setting: Setting) -> Figures:
    """Against scripts that need torch."""
    if not all(map(find_spec, TRAINING)):
        setting.reasons[Part.NAIVE] = NO_TRAINING
        return dict.fromkeys(HEADLINES[Part.NAIVE])
    from pipeline.bench.naive import naive

    return naive(setting)


_RUN: Final[dict[Part, Callable[[Setting], Figures]]] = {
    Part.START: start,
    Part.LINE: line,
    Part.CAMERAS: cameras,
    Part.ALERTS: alerts,
    Part.ENCODERS: encoders,
    Part.NAIVE: naive,
}
"""In this order: once torch is loaded, this process is a larger one."""


def bench(
    runtime: Runtime,
    parts: Sequence[Part],
    stopped: threading.Event,
    *,
    seconds: float = 20.0,
    most_cameras: int = 64,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measures.

    Args:
        runtime: the model, as it is to be watched with.
        parts: which; the others' figures are None.
        stopped: set it to end early.
        seconds: how long each comparison takes, about; all together take some forty times as long.
        most_cameras: more are not tried.
        tell: told what is measured now.

    Returns:
        What `--json` prints: a section for each part, and under `reasons` why a figure is None, by its key.

    Raises:
        BenchStoppedError: `stopped` was set.
    """
    report: dict[str, Any] = {
        "version": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["heed", *sys.argv[1:]]),
        "seconds": seconds,
        "machine": machine(),
        "versions": versions(),
        "bundle": {
            "name": runtime.bundle.name,
            "sha256": runtime.bundle.sha256,
            "provider": runtime.provider,
            "precision": runtime.precision,
        },
    }
    report |= {str(part): dict.fromkeys(HEADLINES[part]) for part in Part}
    with tempfile.TemporaryDirectory(prefix="heed-bench-") as folder:
        tell("drawing the scenes")
        scenes = draw(Path(folder), lambda _: check(stopped), min(MOST_GROUPS, math.ceil(seconds / GROUP_SECONDS)))
        setting = Setting(runtime, Path(folder), scenes, seconds, most_cameras, stopped, tell)
        report |= {str(part): run(setting) for part, run in _RUN.items() if part in parts}
    left_out = {str(part): NOT_ASKED for part in Part if part not in parts}
    return {**report, "reasons": setting.reasons | left_out}


def machine() -> dict[str, Any]:
    """What figures depend on. `load` is of the minute before: well over 0 on a machine that has other things to do."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "load": round(os.getloadavg()[0], 2),
    }


def _cpu_name() -> str:
    """As Linux tells it; else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
