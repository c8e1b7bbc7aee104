"""Where and how a run was trained."""

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from models import parallel


def environment() -> dict[str, Any]:
    """Versions, and what it was computed on."""
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("heed", "torch", "torchaudio", "torchvision", "transformers", "numpy")},
        "system": platform.platform(),
        "cpu": _cpu(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "processes": parallel.num_ranks(),
    }


def process(seconds: float) -> dict[str, Any]:
    """The command, the revision of the folder it was given in, and how long it took.

    Args:
        seconds: that all epochs took, in however many processes.
    """
    return {"command": " ".join(sys.argv), "revision": _revision(), "seconds": round(seconds, 1)}


def _cpu() -> str:
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} threads"


def _revision() -> str | None:
    """Of the working folder, where it is a git checkout."""
    git = shutil.which("git")
    if git is None:
        return None
    told = subprocess.run([git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S603
    return told.stdout.strip() or None
