"""Damaged files, streams, subtitles, configurations, labels, bundles and alerts, read by what reads whole ones."""

import collections
import multiprocessing
import random
import sys
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Final

import psutil

from .originals import write_originals
from .readers import damaged, kinds, work

ABOUT: Final = "damaged inputs: each is read, or refused in a line; nothing hangs"

NUM_INPUTS: Final = 10_000
WATCHDOG_SECONDS: Final = 20.0
"""An input that computes for so long hangs: as long as a source may give no packet."""
_PATIENCE_SECONDS: Final = 120.0
"""And one that takes so long in all, whatever else this machine has to do."""
_NUM_WORKERS: Final = 2
_SPAWN: Final = multiprocessing.get_context("spawn")

Input = tuple[str, int]
"""Name of its kind, and its seed."""


class Worker:
    """A process that reads one input after another."""

    def __init__(self, originals: Path, bench: Path) -> None:
        self.pipe, theirs = _SPAWN.Pipe()
        self.process = _SPAWN.Process(target=work, args=(originals, bench, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.input: Input | None = None
        self.began = 0.0
        self._used = 0.0

    def give(self, input_: Input) -> None:
        """Lets it read this one."""
        self.input, self.began, self._used = input_, time.monotonic(), self._computed()
        self.pipe.send(input_)

    def outcome(self) -> str | None:
        """What came of its input; none if it is still reading."""
        if self.pipe.poll():
            try:
                return str(self.pipe.recv())
            except EOFError:
                self.process.join()
                return f"crashed ({self.process.exitcode})"
        took = time.monotonic() - self.began
        is_hung = took > WATCHDOG_SECONDS and self._computed() - self._used > WATCHDOG_SECONDS
        return "hung" if is_hung or took > _PATIENCE_SECONDS else None

    def _computed(self) -> float:
        """Seconds of processor time so far."""
        try:
            times = psutil.Process(self.process.pid).cpu_times()
        except psutil.NoSuchProcess:
            return self._used
        return float(times.user + times.system)

    def end(self) -> None:
        """Ends it, whatever it does."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def run(rng: random.Random, folder: Path, scale: float) -> dict[str, float]:
    """Reads damaged inputs of all kinds. Those that were neither read nor refused are kept in `folder/kept`."""
    originals = write_originals(folder / "originals")
    known = kinds(originals)
    names = list(known)
    drawn = rng.choices(names, [known[name].share for name in names], k=max(1, round(NUM_INPUTS * scale)))
    counts: collections.Counter[str] = collections.Counter()
    slowest_seconds = 0.0
    for (name, seed), outcome, seconds in _outcomes([(name, rng.getrandbits(48)) for name in drawn], originals, folder):
        slowest_seconds = max(slowest_seconds, seconds)
        if outcome not in {"read", "refused"}:
            _keep(folder / "kept", originals, name, seed, outcome)
            is_contained = known[name].is_camera and outcome.startswith("crashed (-")
            outcome = "crashed" if is_contained else "hung" if outcome == "hung" else "failed"  # noqa: PLW2901
        counts[outcome] += 1
    return {
        "tried": len(drawn),
        "lost": 0,
        "duplicated": 0,
        "failed": counts["failed"] + counts["hung"],
        "hung": counts["hung"],
        "crashed": counts["crashed"],
        "read": counts["read"],
        "refused": counts["refused"],
        "slowest_seconds": round(slowest_seconds, 2),
    }


def _outcomes(inputs: list[Input], originals: Path, folder: Path) -> Iterator[tuple[Input, str, float]]:
    """Each input with its outcome and how long it took."""
    waiting = collections.deque(inputs)
    numbers = iter(range(len(inputs) + _NUM_WORKERS))
    workers: list[Worker] = []
    try:
        while waiting or any(worker.input for worker in workers):
            while waiting and len(workers) < _NUM_WORKERS:
                workers.append(Worker(originals, folder / f"bench-{next(numbers)}"))
            for worker in workers:
                if worker.input is None and waiting:
                    worker.give(waiting.popleft())
            _await([worker.pipe for worker in workers if worker.input])
            for worker in list(workers):
                if worker.input is not None and (outcome := worker.outcome()):
                    yield worker.input, outcome, time.monotonic() - worker.began
                    worker.input = None
                    if outcome == "hung" or outcome.startswith("crashed ("):
                        worker.end()
                        workers.remove(worker)
    finally:
        for worker in workers:
            worker.end()


def _await(pipes: list[Connection]) -> None:
    wait(pipes, timeout=0.5)


def _keep(folder: Path, originals: Path, name: str, seed: int, outcome: str) -> None:
    """The input, and what came of it; both can be made again of the seed."""
    sys.stderr.write(f"chaos: fuzz: {name} {seed}: {outcome.strip().splitlines()[-1][:300]}\n")
    folder.mkdir(exist_ok=True)
    file, data = damaged(kinds(originals)[name], originals, seed)
    stem = f"{name}-{seed}-{Path(file).name}"
    (folder / stem).write_bytes(data)
    (folder / f"{stem}.why").write_text(outcome, encoding="utf-8")
