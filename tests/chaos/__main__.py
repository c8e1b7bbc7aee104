"""Runs the tests of chaos, prints what came of them as a table, and writes `chaos.json`.

`python -m tests.chaos [--seed N] [--scale X] [--only NAME …] [--out FILE]`. Every test is a module of this package with

    ABOUT: str
        What it does, on one line.
    def run(rng: random.Random, folder: Path, scale: float) -> dict[str, float]:
        Does it, in a folder of its own, scaled from its short form (0.02) to the full one (1.0), and returns how many
        times it `tried`, what was `lost`, `duplicated` and `failed`, and whatever figure is worth saying.

The soak measures time, not throughput: it runs beside the others, in a process of its own.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final, NoReturn

import psutil
from rich.console import Console
from rich.table import Table

from .trial import Figures, run_test

TESTS: Final = ("kills", "redis_faults", "rtsp_faults", "fuzz", "credentials", "circumstances", "soak")
"""In the order they run."""
BESIDE: Final = "soak"
"""Runs beside all others."""
FAULTS: Final = ("lost", "duplicated", "failed")
"""Figures that must be 0."""
RESULTS: Final = Path(__file__).parents[2] / "chaos.json"


def main() -> int:
    """Returns 0 if nothing was lost, duplicated or failed."""
    arguments = _arguments()
    signal.signal(signal.SIGINT, _end)
    console = Console()
    console.print(f"chaos: seed {arguments.seed}, scale {arguments.scale:g}")
    results: dict[str, Figures] = {}
    for name, figures in _results(arguments.only or list(TESTS), arguments.seed, arguments.scale):
        results[name] = figures
        console.print(f"chaos: {name}: {_said(figures)}", highlight=False, soft_wrap=True)
    results = {name: results[name] for name in TESTS if name in results}
    console.print(_table(results))
    _write(arguments.out, results)
    return int(any(_is_faulty(figures) for figures in results.values()))


def _results(names: list[str], seed: int, scale: float) -> Iterator[tuple[str, Figures]]:
    """The figures of each test as it ends."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        beside: Future[Figures] | None = pool.submit(run_test, BESIDE, seed, scale) if BESIDE in names else None
        for name in names:
            if name != BESIDE:
                yield name, run_test(name, seed, scale)
        if beside is not None:
            yield BESIDE, beside.result()


def _end(*_: object) -> NoReturn:
    """Ctrl-C: at once, and nothing is left running."""
    for process in psutil.Process().children(recursive=True):
        process.kill()
    os._exit(130)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of everything random; the default is 1")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full number of tries")
    parser.add_argument("--only", nargs="+", choices=TESTS, metavar="NAME", help=f"of {', '.join(TESTS)}")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the file of figures; the default is chaos.json")
    return parser.parse_args()


def _is_faulty(figures: Figures) -> bool:
    return any(figures[name] for name in FAULTS)


def _said(figures: Figures) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in figures.items())


def _table(results: dict[str, Figures]) -> Table:
    table = Table("test", "tried", *FAULTS, "seconds")
    for name, figures in results.items():
        counts = [f"{figures[key]:g}" for key in ("tried", *FAULTS, "seconds")]
        table.add_row(name, *counts, style="red" if _is_faulty(figures) else "")
    return table


def _write(path: Path, results: dict[str, Figures]) -> None:
    """Whole or not at all."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(results, indent=2) + "\n")
    unfinished.replace(path)


if __name__ == "__main__":
    sys.exit(main())
