"""A run of the smallest network that has all that makes going on hard: dropout, batch normalisation, two stages.

As a program: `small_run.py FOLDER [KILL_AT [MOST_BYTES]]` trains it, kills itself at a step, or may write files of this
size at most, as on a disk that is full.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.errors import ModelsError
from models.fit import Progress, Run, Stage
from models.plan import FusionPlan

EPOCHS, STEPS = 4, 3
torch.set_num_threads(1)  # sums are rounded otherwise with other numbers, and tests set them


def small_network() -> nn.Sequential:
    """Two halves, `network[0]` and `network[1]`."""
    torch.manual_seed(1)
    body = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3))
    return nn.Sequential(body, nn.Linear(16, 1))


def small_stage(network: nn.Sequential, name: str = "first", **changes: Any) -> Stage:
    """Whether six numbers add up to more than nothing. Keys of a stage or of its plan may be changed."""
    plan = FusionPlan(batch=8, rate=1e-2)
    stage: dict[str, Any] = {
        "name": name,
        "modules": {network[1]: 1e-2, network: 5e-3},
        "epochs": EPOCHS,
        "draws": 8 * STEPS,
        "loss": lambda generator: loss(network, generator),
        "score": score(network),
    }
    plan = plan.model_copy(update={key: changes.pop(key) for key in list(changes) if key in FusionPlan.model_fields})
    return Stage(**{**stage, "plan": plan, **changes})


def loss(network: nn.Module, generator: Generator) -> Tensor:
    """Of eight drawn rows."""
    rows = torch.randn(8, 6, generator=generator)
    return functional.binary_cross_entropy_with_logits(network(rows)[:, 0], (rows.sum(dim=1) > 0).float())


def score(network: nn.Module) -> Callable[[], float]:
    """Of a hundred rows."""

    def share() -> float:
        rows = torch.randn(100, 6, generator=Generator().manual_seed(0))
        with torch.inference_mode():
            return float(((network(rows)[:, 0] > 0) == (rows.sum(dim=1) > 0)).float().mean())

    return share


def small_run(folder: Path, progress: Progress = lambda *_: None) -> nn.Sequential:
    """Trains it in two stages, of which the second ends early."""
    network = small_network()
    run = Run(folder, network, 0, progress)
    run.fit(small_stage(network, keep="best"))
    run.fit(small_stage(network, "second", patience=2, accumulate=2, draws=16 * STEPS))
    return network


def _main(folder: str, kill_at: str = "never", most_bytes: str = "0") -> None:
    done: list[str] = []

    def progress(*_: object) -> None:
        done.append("a step")
        if str(len(done)) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    if int(most_bytes):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes), int(most_bytes)))
    try:
        small_run(Path(folder), progress)
    except ModelsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main(*sys.argv[1:])
