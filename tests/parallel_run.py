"""Trains in as many processes as torchrun starts: `parallel_run.py FOLDER`. A program, for a test."""

import sys
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models import parallel
from models.fit import Run, Stage
from models.plan import FusionPlan

BATCH = 7  # the processes' slices differ


def network() -> nn.Sequential:
    """An encoder with batch normalisation, and a head with dropout that sees the global batch."""
    torch.manual_seed(1)
    encoder = nn.Sequential(
        nn.Conv1d(2, 8, 3, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Flatten(), nn.Linear(32, 4)
    )
    return nn.Sequential(encoder, nn.Sequential(nn.Dropout(0.2), nn.Linear(4, 1)))


def stage(trained: nn.Sequential) -> Stage:
    """A loss that one half of a batch cannot know: how the tokens of a batch lie to each other counts too."""

    def loss(generator: Generator) -> Tensor:
        rows = torch.randn(BATCH, 2, 6, generator=generator)
        tokens = parallel.gathered(trained[0](*parallel.own((rows,))), BATCH)
        alike = functional.normalize(tokens, dim=1)
        truth = (rows.sum(dim=(1, 2)) > 0).float()
        judged = functional.binary_cross_entropy_with_logits(trained[1](tokens)[:, 0], truth)
        return judged + 0.1 * (alike @ alike.T).logsumexp(dim=1).mean()

    def score() -> float:
        rows = torch.randn(100, 2, 6, generator=Generator().manual_seed(0))
        with torch.inference_mode():
            return float((trained(rows)[:, 0] * rows.sum(dim=(1, 2))).mean())

    plan = FusionPlan(batch=2, accumulate=2)
    return Stage("only", {trained[1]: 1e-2, trained: 3e-3}, plan, 3, 20, loss, score)


def main(folder: Path) -> None:
    """Trains it."""
    with parallel.joined():
        trained = network()
        parallel.share_norms(trained)
        Run(folder, trained, 0, lambda *_: None).fit(stage(trained))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
