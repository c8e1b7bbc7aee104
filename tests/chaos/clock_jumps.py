"""A wall clock that is set, by an hour forth and back, while a camera is watched."""

import random
import shutil
import struct
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path
from typing import Final

from .installation import Material, installation
from .line import Status, Watch, complain

SOURCE: Final = Path(__file__).with_name("clock_shift.c")
_HOUR_SECONDS: Final = 3600
_BETWEEN_SECONDS: Final = 4.0
"""Most from one jump to the next: they hit open events, and times between them."""


def set_clock(rng: random.Random, folder: Path, material: Material, num_jumps: int) -> dict[str, float]:
    """Sets the clock so often: the source runs on, no alert is lost, no event ends before it began."""
    folder.mkdir()
    shim = _compiled(folder)
    if shim is None:
        sys.stderr.write("chaos: circumstances: no C compiler, so no clock that can be set; left out\n")
        return {"tried": 0, "lost": 0, "duplicated": 0, "failed": 0}
    shift = folder / "shift"
    _set(shift, 0)
    env = {"LD_PRELOAD": str(shim), "CLOCK_SHIFT": str(shift)}
    with installation(folder / "rest", material) as place:
        with place.watch(env) as watch:
            watch.wait_up(place.sources)
            place.wait_for_flow()
            hours = 0
            for _ in range(num_jumps):
                hours = rng.choice([choice for choice in (-1, 0, 1) if choice != hours])
                _set(shift, hours * _HOUR_SECONDS)
                threading.Event().wait(rng.uniform(0, _BETWEEN_SECONDS))
                place.wait_for_flow()
            watch.stop()
        place.settle()
        steps = place.steps()
    lasting = [(event.ended_at - event.started_at).total_seconds() for event in steps.events if event.ended_at]
    num_absurd = sum(not 0 <= seconds < _HOUR_SECONDS / 2 for seconds in lasting)
    return {
        "tried": num_jumps,
        "lost": steps.num_missing + steps.num_unseen(said.text for said in watch.shown),
        "duplicated": steps.num_duplicated,
        "failed": complain("circumstances", [*steps.faults, *_breaks(watch, place.sources[0])]) + num_absurd,
        "longest_silence_seconds": round(max(after.at - before.at for before, after in pairwise(watch.shown)), 2),
    }


def _breaks(watch: Watch, source: str) -> list[Status]:
    """Whatever the source did but run, once it ran."""
    statuses = watch.statuses(source)
    first = [status.status for status in statuses].index("running")
    return [status for status in statuses[first:] if status.status != "running"]


def _compiled(folder: Path) -> Path | None:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    shim = folder / "clock_shift.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", shim, SOURCE], check=True)
    return shim


def _set(shift: Path, seconds: int) -> None:
    """In place, for the file is mapped by those who read it."""
    with shift.open("r+b" if shift.exists() else "wb") as file:
        file.write(struct.pack("l", seconds))
