"""Weights averaged over the steps of training: they validate steadier than those of any one step."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """Exponential moving average of what modules learn: parameters, and the statistics of batch normalisation.

    The first steps count more, because the weights begin far from where they go.

    Source: Polyak and Juditsky 1992; the warm-up is TensorFlow's `ExponentialMovingAverage`.
    """

    def __init__(self, modules: Iterable[nn.Module], decay: float) -> None:
        # A module may lie within another one: its weights are averaged once.
        weights = {value.data_ptr(): value for module in modules for value in module.state_dict().values()}
        self._weights, self._decay, self._step = list(weights.values()), decay, 0
        self.values = [value.clone() for value in self._weights]

    def update(self) -> None:
        """Takes in the weights after a step."""
        decay = min(self._decay, (1 + self._step) / (10 + self._step))
        self._step += 1
        for value, weight in zip(self.values, self._weights, strict=True):
            if value.is_floating_point():
                value.lerp_(weight, 1 - decay)
            else:
                value.copy_(weight)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The modules have the averages, for as long as it lasts."""
        weights = [weight.clone() for weight in self._weights]
        self.put(self.values)
        try:
            yield
        finally:
            self.put(weights)

    def put(self, values: list[Tensor]) -> None:
        """Gives the modules these values."""
        with torch.no_grad():
            for weight, value in zip(self._weights, values, strict=True):
                weight.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """What `load_state_dict` takes."""
        return {"values": self.values, "step": self._step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on where another average was."""
        self._step = state["step"]
        for value, saved in zip(self.values, state["values"], strict=True):
            value.copy_(saved)
