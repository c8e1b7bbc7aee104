"""What this process and all that it started use, as Linux tells in /proc."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.usage import Stat, read_stat

UNKNOWN: Final = "only Linux tells in /proc what processes use"
_PROC: Final = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a process and its descendants."""

    cpu_seconds: float
    """So far."""
    pss_mib: float
    """Memory; what several processes share is divided among them."""


def usage() -> Usage | None:
    """What is used now; none where it cannot be told."""
    if not (_PROC / "self" / "smaps_rollup").exists():
        return None
    stats = _stats()
    tree, parents = {os.getpid()}, {os.getpid()}
    while parents:
        parents = {pid for pid, stat in stats.items() if stat.parent in parents} - tree
        tree |= parents
    cpu_seconds = sum(stats[pid].cpu_seconds for pid in tree if pid in stats)
    return Usage(cpu_seconds, sum(map(_pss_kib, tree)) / 1024)


def _stats() -> dict[int, Stat]:
    """Of every process, by its id."""
    found = {}
    for folder in _PROC.glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            found[int(folder.name)] = read_stat(int(folder.name))
    return found


def _pss_kib(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
