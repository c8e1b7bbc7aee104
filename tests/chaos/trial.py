"""One test of chaos, run; in a module of its own, for a process of its own must find it."""

import importlib
import logging
import random
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

import pytest

from .line import complain

Figures = dict[str, float]
"""What came of a test, by name."""
_FAILURES: Final = (
    *(RuntimeError, OSError, ValueError, LookupError, AssertionError, subprocess.SubprocessError),
    pytest.fail.Exception,
)


def run_test(name: str, seed: int, scale: float) -> Figures:
    """Runs one test in a folder of its own; how long it took is one more of its figures.

    A test that cannot be carried out has failed, and the others go on.
    """
    logging.getLogger("alerts").setLevel(logging.ERROR)  # our own subscribers, that Redis is away
    module = importlib.import_module(f"{__package__}.{name}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"chaos-{name}-") as folder:
        try:
            figures: Figures = module.run(random.Random(f"{seed} {name}"), Path(folder), scale)  # noqa: S311
        except _FAILURES as error:
            failed = complain(name, [f"{type(error).__name__}: {error}"])
            figures = {"tried": 0, "lost": 0, "duplicated": 0, "failed": failed}
    return figures | {"seconds": round(time.monotonic() - began, 1)}
