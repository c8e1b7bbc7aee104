"""One stage of training: a loop that can be cut off anywhere and goes on where it was."""

import csv
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from models.errors import TrainingError
from models.network import Network

Progress = Callable[[str, int, int], None]
"""Told the stage, the steps done and the steps in all."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What to train, on what, and how to tell whether it got better."""

    name: str
    modules: dict[nn.Module, float]
    """What learns, each with the highest learning rate of its one-cycle schedule; all else stays as it is."""
    epochs: int
    steps: int
    """Batches in an epoch."""
    decay: float
    """Weight decay."""
    loss: Callable[[Generator], Tensor]
    """Draws a batch and gives its loss."""
    score: Callable[[], float]
    """Of the validation windows; higher is better."""


class Run:
    """A run's folder: `network.pt`, `checkpoint.pt` while training, `history.csv`."""

    def __init__(self, folder: Path, network: Network, seed: int, progress: Progress) -> None:
        self.folder, self.network, self.seed, self.progress = folder, network, seed, progress
        folder.mkdir(parents=True, exist_ok=True)
        self._checkpoint = folder / "checkpoint.pt"
        self._saved: dict[str, Any] = {}
        if self._checkpoint.exists():
            self._saved = torch.load(self._checkpoint, map_location="cpu", weights_only=False)
            network.load_state_dict(self._saved["network"])
        self._done: list[str] = self._saved.get("done", [])

    def is_done(self, name: str) -> bool:
        """Whether an earlier process finished this stage."""
        return name in self._done

    def fit(self, stage: Stage) -> None:
        """Trains a stage, or what is left of it, and keeps the epoch that validated best.

        Raises:
            TrainingError: the gradients stopped being numbers.
        """
        if self.is_done(stage.name) or not stage.epochs:
            return
        groups = [{"params": list(module.parameters()), "lr": rate} for module, rate in stage.modules.items()]
        optimizer = AdamW(groups, weight_decay=stage.decay)
        rates = list(stage.modules.values())
        schedule = OneCycleLR(optimizer, rates, total_steps=stage.epochs * stage.steps, pct_start=0.2)
        best, best_state, first = -math.inf, self._state(), 0
        if self._saved.get("stage") == stage.name:
            optimizer.load_state_dict(self._saved["optimizer"])
            schedule.load_state_dict(self._saved["schedule"])
            torch.set_rng_state(self._saved["random"])
            best, best_state, first = self._saved["best"], self._saved["best_state"], self._saved["epoch"]
        else:
            torch.manual_seed(self.seed)
        for epoch in range(first, stage.epochs):
            losses = list(self._epoch(stage, epoch, optimizer, schedule))
            self.network.eval()
            score = stage.score()
            self._note(stage.name, epoch + 1, sum(losses) / len(losses), score)
            if score >= best:
                best, best_state = score, self._state()
            self._save(
                stage=stage.name,
                epoch=epoch + 1,
                best=best,
                best_state=best_state,
                optimizer=optimizer.state_dict(),
                schedule=schedule.state_dict(),
                random=torch.get_rng_state(),
            )
        self.network.load_state_dict(best_state)
        self._done.append(stage.name)
        self._save()

    def _epoch(self, stage: Stage, epoch: int, optimizer: AdamW, schedule: OneCycleLR) -> Iterator[float]:
        parameters = [parameter for module in stage.modules for parameter in module.parameters()]
        generator = Generator().manual_seed(self.seed * 100_003 + epoch)
        self.network.eval()
        for module in stage.modules:
            module.train()
        for step in range(stage.steps):
            optimizer.zero_grad()
            loss = stage.loss(generator)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(parameters, 1.0)
            if not torch.isfinite(norm):
                raise TrainingError(
                    f"train: {stage.name}: gradient is {norm}; train with precision fp32 or a lower rate"
                )
            optimizer.step()
            schedule.step()
            self.progress(stage.name, epoch * stage.steps + step + 1, stage.epochs * stage.steps)
            yield loss.item()

    def _state(self) -> dict[str, Tensor]:
        return {key: value.detach().clone() for key, value in self.network.state_dict().items()}

    def _save(self, **stage: Any) -> None:
        unfinished = self._checkpoint.with_suffix(".tmp")
        torch.save({"network": self.network.state_dict(), "done": self._done, **stage}, unfinished)
        unfinished.replace(self._checkpoint)
        self._saved = {}

    def _note(self, stage: str, epoch: int, loss: float, score: float) -> None:
        path = self.folder / "history.csv"
        is_new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if is_new:
                writer.writerow(("stage", "epoch", "train_loss", "validation_score"))
            writer.writerow((stage, epoch, f"{loss:.5f}", f"{score:.5f}"))
