"""What this process and all that it started use, as Linux tells in /proc."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNKNOWN: Final = "only Linux tells in /proc what processes use"
_PROC: Final = Path("/proc")
_PARENT, _USER, _SYSTEM = 1, 11, 12
"""Fields of /proc/PID/stat behind the name."""


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
        parents = {pid for pid, fields in stats.items() if int(fields[_PARENT]) in parents} - tree
        tree |= parents
    ticks = sum(int(stats[pid][_USER]) + int(stats[pid][_SYSTEM]) for pid in tree if pid in stats)
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), sum(map(_pss_kib, tree)) / 1024)


def _stats() -> dict[int, list[str]]:
    """Fields of every process' `stat` behind its name, which may hold spaces."""
    found = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            found[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
    return found


def _pss_kib(pid: int) -> int:
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
