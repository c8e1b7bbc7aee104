"""What processes use, as Linux tells in /proc, and GPUs, as NVIDIA's library does: nothing where there is neither."""

import ctypes
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.snapshot import Value

_NVML: Final = "libnvidia-ml.so.1"
"""Comes with the driver."""
_PARENT, _USER, _SYSTEM, _PAGES = 1, 11, 12, 21
"""Fields of /proc/PID/stat behind the name, which may hold spaces."""


@dataclass(frozen=True, slots=True)
class Stat:
    """Of a process, as /proc/PID/stat has it now."""

    parent: int
    """Its id."""
    cpu_seconds: float
    """So far."""
    resident_bytes: int


def read_stat(pid: int) -> Stat:
    """Parent, time and memory of a process.

    Raises:
        OSError: it has just ended, or this is no Linux.
    """
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return Stat(
        parent=int(fields[_PARENT]),
        cpu_seconds=(int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK"),
        resident_bytes=int(fields[_PAGES]) * os.sysconf("SC_PAGE_SIZE"),
    )


class _Rates(ctypes.Structure):
    """nvmlUtilization_t: percent of the last second or less."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    """nvmlMemory_t: bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def process_figures(processes: Mapping[str, int]) -> Iterator[Value]:
    """Time and memory of processes that live.

    Args:
        processes: ids by name.
    """
    for name, pid in processes.items():
        with suppress(OSError):
            stat = read_stat(pid)
            yield "heed_process_cpu_seconds_total", (name,), stat.cpu_seconds
            yield "heed_process_resident_memory_bytes", (name,), float(stat.resident_bytes)


class Gpus:
    """The NVIDIA GPUs of this machine."""

    def __init__(self) -> None:
        """Finds them; there are none without a driver that answers."""
        self._devices: list[ctypes.c_void_p] = []
        try:
            self._library = ctypes.CDLL(_NVML)
        except OSError:
            return
        number = ctypes.c_uint()
        if self._library.nvmlInit_v2() or self._library.nvmlDeviceGetCount_v2(ctypes.byref(number)):
            return
        for index in range(number.value):
            device = ctypes.c_void_p()
            if self._library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) == 0:
                self._devices.append(device)

    def __len__(self) -> int:
        return len(self._devices)

    def figures(self) -> Iterator[Value]:
        """How busy each is, and its memory; what a GPU does not tell is left out."""
        for number, device in enumerate(self._devices):
            rates, memory = _Rates(), _Memory()
            if self._library.nvmlDeviceGetUtilizationRates(device, ctypes.byref(rates)) == 0:
                yield "heed_gpu_utilization_ratio", (str(number),), rates.gpu / 100
            if self._library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) == 0:
                yield "heed_gpu_memory_used_bytes", (str(number),), float(memory.used)
                yield "heed_gpu_memory_bytes", (str(number),), float(memory.total)
