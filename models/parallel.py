"""Training in several processes that torchrun starts, to the same end as in one.

Every process draws the same global batch, runs its slice of it through the encoder, and gathers all tokens; so losses,
heads and fusion see the global batch everywhere, as they would in one process. The gradient of a gathered token is the
sum over the processes, each of which has the whole loss; the mean of the processes' gradients is then the gradient that
one process has.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.autograd import Function
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def joined() -> Iterator[None]:
    """This process is one of those torchrun started, if it did: gloo on the CPU, NCCL between GPUs."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    has_gpu = torch.cuda.is_available()
    if has_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("cpu:gloo,cuda:nccl" if has_gpu else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def num_ranks() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes and tells."""
    return os.environ.get("RANK", "0") == "0"


def own(batch: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """This process's slice of a batch; all of it where there are more processes than rows."""
    if num_ranks() == 1 or len(batch[0]) < num_ranks():
        return batch
    return tuple(part.tensor_split(num_ranks())[distributed.get_rank()] for part in batch)


def gathered(rows: Tensor, count: int) -> Tensor:
    """The rows (count, …) of all processes, out of each one's own, differentiably."""
    if num_ranks() == 1 or count < num_ranks():
        return rows
    whole: Tensor = _Gather.apply(rows, count)  # type: ignore[no-untyped-call]
    return whole


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """The mean over the processes, in place. A parameter that got none here counts as zero if it got one elsewhere."""
    if num_ranks() == 1:
        return
    learning = list(parameters)
    has_one = torch.tensor([parameter.grad is not None for parameter in learning], dtype=torch.float32)
    distributed.all_reduce(has_one)
    used = [parameter for parameter, count in zip(learning, has_one.tolist(), strict=True) if count]
    for device in {parameter.device for parameter in used}:
        here = [parameter for parameter in used if parameter.device == device]
        flat = torch.cat([(p.grad if p.grad is not None else torch.zeros_like(p)).flatten() for p in here])
        distributed.all_reduce(flat)
        flat /= num_ranks()
        for parameter, part in zip(here, flat.split([p.numel() for p in here]), strict=True):
            parameter.grad = part.view_as(parameter).clone()


def agreed(value: float) -> float:
    """The first process's value, in all of them: none may decide otherwise by a rounding."""
    if num_ranks() == 1:
        return value
    told = torch.tensor([value], dtype=torch.float64)
    distributed.broadcast(told, 0)
    return float(told)


def share_norms(module: nn.Module) -> None:
    """Has batch normalisation see the global batch; torch's own way to do that wants a GPU."""
    if num_ranks() == 1:
        return
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            setattr(module, name, SharedBatchNorm(child))
        else:
            share_norms(child)


class SharedBatchNorm(_BatchNorm):
    """Batch normalisation whose statistics in training are those of the batches of all processes together."""

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            setattr(self, name, norm.get_buffer(name))
        self.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, …) to the same."""
        if not self.training:
            return super().forward(x)
        rows = x.float().transpose(0, 1).flatten(1)  # (C, B * …)
        count = all_reduce(torch.tensor([float(rows.shape[1])], device=x.device))
        mean = all_reduce(rows.sum(dim=1)) / count
        variance = all_reduce((rows - mean[:, None]).square().sum(dim=1)) / count
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        shape = (-1, *(1,) * (x.ndim - 2))
        normal: Tensor = x.float() * scale.view(shape) + (self.bias - mean * scale).view(shape)
        return normal.to(x.dtype)

    def _check_input_dim(self, x: Tensor) -> None:
        """Any number of dimensions from two."""


class _Gather(Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, count: int) -> Tensor:
        ranks = num_ranks()
        ctx.count = count
        most = -(-count // ranks)
        padded = torch.cat([rows, rows.new_zeros(most - len(rows), *rows.shape[1:])])
        parts = [torch.empty_like(padded) for _ in range(ranks)]
        distributed.all_gather(parts, padded)
        sizes = [len(part) for part in torch.arange(count).tensor_split(ranks)]
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        whole = gradients[0].contiguous().clone()
        distributed.all_reduce(whole)
        return whole.tensor_split(num_ranks())[distributed.get_rank()], None
