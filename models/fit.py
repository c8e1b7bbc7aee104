"""One stage of training: a loop that can be cut off anywhere and goes on where it was."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR

from models import parallel
from models.average import Average
from models.errors import TrainingError
from models.plan import Plan
from models.record import Epoch, draw_curves, write_history
from models.storage import save_whole

Progress = Callable[[str, int, int], None]
"""Told the stage, the steps done and the steps in all."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What to train, on what, and how to tell whether it got better."""

    name: str
    modules: dict[nn.Module, float]
    """What learns, each with the highest learning rate of its one-cycle schedule; all else stays as it is. Parameters
    of a module within another have the rate of the one that is named first."""
    plan: Plan
    """How."""
    epochs: int
    """Of the schedule."""
    draws: int
    """Windows or sequences in an epoch."""
    loss: Callable[[Generator], Tensor]
    """Draws a batch and gives its loss."""
    score: Callable[[], float]
    """Of the validation windows; higher is better."""
    frozen: dict[nn.Module, int] = field(default_factory=dict)
    """For how many epochs, at first, a module stays as it is, apart from what is named before it in `modules`."""

    @property
    def steps(self) -> int:
        """In an epoch."""
        return max(1, self.draws // (self.plan.batch * self.plan.accumulate))


class Fitting:
    """A stage under way: all that a checkpoint must hold for it to go on as if nothing had been."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage, self.seed = stage, seed
        self._parts = _parameters(stage.modules)
        rates = list(stage.modules.values())
        groups = [{"params": part, "lr": rate} for part, rate in zip(self._parts.values(), rates, strict=True)]
        self._optimizer = AdamW(groups, weight_decay=stage.plan.decay)
        self._schedule = OneCycleLR(self._optimizer, rates, total_steps=stage.epochs * stage.steps, pct_start=0.2)
        self._average = Average(stage.modules, stage.plan.average)
        self._best, self._best_values, self._waited = -math.inf, self._average.values, 0
        self.epoch = 0
        torch.manual_seed(seed)

    @property
    def is_over(self) -> bool:
        """Whether all epochs are done, or too many came without getting better."""
        patience = self.stage.plan.patience
        return self.epoch == self.stage.epochs or 0 < patience <= self._waited

    @property
    def rates(self) -> list[float]:
        """The learning rates now, in the order of the stage's modules."""
        return [group["lr"] for group in self._optimizer.param_groups]

    def train(self, progress: Progress) -> float:
        """Trains for an epoch; gives its mean loss.

        Raises:
            TrainingError: the loss or its gradient is no number.
        """
        stage, losses = self.stage, 0.0
        self._begin_epoch()
        generator = Generator().manual_seed(self.seed * 100_003 + self.epoch)
        for step in range(stage.steps):
            losses += self._step(generator)
            self._average.update()
            progress(stage.name, self.epoch * stage.steps + step + 1, stage.epochs * stage.steps)
        self.epoch += 1
        return losses / stage.steps

    def judge(self) -> float:
        """The validation score of the averaged weights."""
        with self._average.applied():
            score = parallel.agreed(self.stage.score())
        self._waited = 0 if score > self._best else self._waited + 1
        if score >= self._best:
            self._best = score
            if self.stage.plan.keep == "best":
                self._best_values = [value.clone() for value in self._average.values]
        return score

    def finish(self) -> None:
        """Gives the modules the weights that stay."""
        self._average.put(self._best_values if self.stage.plan.keep == "best" else self._average.values)
        for parameter in self._learning():
            parameter.requires_grad_(True)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""
        return {
            "epoch": self.epoch,
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "average": self._average.state_dict(),
            "best": self._best,
            "best_values": self._best_values if self.stage.plan.keep == "best" else [],
            "waited": self._waited,
            "random": torch.get_rng_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where another process was."""
        self.epoch, self._best, self._waited = state["epoch"], state["best"], state["waited"]
        self._best_values = state["best_values"]
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self._average.load_state_dict(state["average"])
        torch.set_rng_state(state["random"])

    def _begin_epoch(self) -> None:
        for module, parameters in reversed(self._parts.items()):
            learns = self.epoch >= self.stage.frozen.get(module, 0)
            module.train(learns)
            for parameter in parameters:
                parameter.requires_grad_(learns)

    def _step(self, generator: Generator) -> float:
        """Moves the weights once; gives the loss."""
        self._optimizer.zero_grad()
        total = 0.0
        for _ in range(self.stage.plan.accumulate):
            loss = self.stage.loss(generator) / self.stage.plan.accumulate
            loss.backward()
            total += loss.item()
        parallel.average_gradients(self._learning())
        norm = nn.utils.clip_grad_norm_(self._learning(), 1.0)
        if not math.isfinite(total):
            raise TrainingError(f"the loss is {total}")
        if not torch.isfinite(norm):
            raise TrainingError(f"the gradient is {norm}")
        self._optimizer.step()
        self._schedule.step()
        return total

    def _learning(self) -> list[nn.Parameter]:
        return [parameter for part in self._parts.values() for parameter in part]


class Run:
    """A run's folder: `checkpoint.pt`, `history.csv`, `curves.png`."""

    def __init__(self, folder: Path, network: nn.Module, seed: int, progress: Progress) -> None:
        self.folder, self.network, self.seed, self.progress = folder, network, seed, progress
        folder.mkdir(parents=True, exist_ok=True)
        self._checkpoint = folder / "checkpoint.pt"
        self._saved: dict[str, Any] = {}
        if self._checkpoint.exists():
            self._saved = torch.load(self._checkpoint, map_location="cpu", weights_only=True)
            try:
                network.load_state_dict(self._saved["network"])
            except RuntimeError:
                raise TrainingError(
                    f"train: {self._checkpoint}: of other networks: the code, or what is learned from, has changed;"
                    " name another folder"
                ) from None
        self._done: list[str] = self._saved.get("done", [])
        self.history: list[Epoch] = [Epoch(*row) for row in self._saved.get("history", [])]

    def is_done(self, name: str) -> bool:
        """Whether an earlier process finished this stage."""
        return name in self._done

    def fit(self, stage: Stage) -> None:
        """Trains a stage, or what is left of it.

        Raises:
            TrainingError: the loss or the gradients stopped being numbers.
            StorageError: the folder cannot be written.
        """
        if self.is_done(stage.name) or not stage.epochs:
            return
        fitting = Fitting(stage, self.seed)
        if self._saved.get("stage") == stage.name:
            fitting.load_state_dict(self._saved["fitting"])
        self._saved = {}
        while not fitting.is_over:
            self.history.append(self._epoch(fitting))
            self._save(stage=stage.name, fitting=fitting.state_dict())
        self.network.eval()
        fitting.finish()
        self._done.append(stage.name)
        self._save()
        if parallel.is_first():
            draw_curves(self.folder / "curves.png", self.history)

    def _epoch(self, fitting: Fitting) -> Epoch:
        name, begun = fitting.stage.name, time.perf_counter()
        self.network.eval()
        try:
            loss = fitting.train(self.progress)
        except TrainingError as error:
            raise TrainingError(
                f"train: {name}: {error} in epoch {fitting.epoch + 1}; {self._remedy(name, fitting.epoch)}"
            ) from None
        self.network.eval()
        score, rates = fitting.judge(), fitting.rates
        return Epoch(name, fitting.epoch, loss, score, rates[-1], rates[0], time.perf_counter() - begun)

    def _remedy(self, stage: str, epoch: int) -> str:
        held = f"epoch {epoch} of {stage}" if epoch else f"the stages before {stage}"
        again = "begin another --out with a lower rate"
        if not self._checkpoint.exists():
            return f'train with precision = "fp32", or {again}'
        return f'{self._checkpoint} holds {held}: go on from it with precision = "fp32", or {again}'

    def _save(self, **stage: Any) -> None:
        if not parallel.is_first():
            return
        history = [tuple(epoch) for epoch in self.history]
        save_whole(
            self._checkpoint,
            {"network": self.network.state_dict(), "done": self._done, "history": history, **stage},
        )
        write_history(self.folder / "history.csv", self.history)


def _parameters(modules: dict[nn.Module, float]) -> dict[nn.Module, list[nn.Parameter]]:
    """The parameters of each module, without those that are already another's."""
    parts: dict[nn.Module, list[nn.Parameter]] = {}
    taken: set[nn.Parameter] = set()
    for module in modules:
        parts[module] = [parameter for parameter in module.parameters() if parameter not in taken]
        taken.update(parts[module])
    return parts
