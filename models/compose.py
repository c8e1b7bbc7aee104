"""Sequences of windows that no recording has: ordinary ones, with an anomaly seen, heard or read put in.

No public material has fights, their true sound and subtitles together, so fusion learns from composed sequences: each
modality's windows come from its own pool, and the label is that of the present (last) window.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from models.spec import MODALITIES, Spec


@dataclass(frozen=True, slots=True)
class Sequences:
    """B composed sequences of K windows."""

    indices: Tensor
    """int64 (B, K, M): which window of each modality's pool."""
    present: Tensor
    """bool (B, K, M)."""
    labels: Tensor
    """int64 (B,) of the last window: 0 is normal, `i + 1` is the spec's label `i`."""


def compose(
    pool_labels: tuple[Tensor, ...], spec: Spec, batch: int, drop_modality: float, generator: Generator
) -> Sequences:
    """Draws sequences, half of them anomalous now.

    An event lasts one to four windows and is shown by one modality, sometimes two. In half of the normal sequences it
    is over already: what was is not what is. Speech comes and goes.

    Args:
        pool_labels: int64 (N,) of each modality's pool; an empty pool is a modality that is never there.
        spec: for K.
        batch: B.
        drop_modality: how often a modality is missing all along.
        generator: of the random numbers.
    """
    shape = (batch, spec.context, len(MODALITIES))
    indices = torch.zeros(shape, dtype=torch.int64)
    present = torch.zeros(shape, dtype=torch.bool)
    labels = torch.zeros(batch, dtype=torch.int64)
    exists = torch.tensor([bool((pool == 0).any()) for pool in pool_labels])
    shows = torch.tensor([bool((pool > 0).any()) for pool in pool_labels]) & exists
    there = (torch.rand(batch, len(MODALITIES), generator=generator) >= drop_modality) & exists
    carrier = torch.multinomial(shows.float().expand(batch, -1), 1, generator=generator)[:, 0]
    there[torch.arange(batch), carrier] = True  # at least one remains
    also = torch.rand(batch, len(MODALITIES), generator=generator) < 0.15
    begin, end = _spans(batch, spec.context, generator)
    age = torch.arange(spec.context)
    for m, pool in enumerate(pool_labels):
        if not exists[m]:
            continue
        indices[:, :, m] = _draw(pool == 0, (batch, spec.context), generator)
        seen = there[:, m, None].expand(-1, spec.context)
        if MODALITIES[m] == "text":
            seen = seen & (torch.rand(batch, spec.context, generator=generator) < 0.5)
        if shows[m]:
            is_carrier = (carrier == m) | (also[:, m] & there[:, m])
            event = is_carrier[:, None] & (age >= begin[:, None]) & (age < end[:, None])
            drawn = _draw_alike(pool, (batch, spec.context), generator)
            indices[:, :, m] = torch.where(event, drawn, indices[:, :, m])
            seen = seen | event
            now = event[:, -1] & ((labels == 0) | (carrier == m))
            labels = torch.where(now, pool[indices[:, -1, m]], labels)
        present[:, :, m] = seen
    nothing = ~present[:, -1].any(dim=1)
    present[nothing, -1, carrier[nothing]] = True
    return Sequences(indices, present, labels)


def _spans(batch: int, context: int, generator: Generator) -> tuple[Tensor, Tensor]:
    """Begin and end (B,) of events: half of them reach the last window, a quarter are over, a quarter never were."""
    length = torch.randint(1, 5, (batch,), generator=generator)
    kind = torch.rand(batch, generator=generator)
    past = torch.randint(min(1, context - 1), context, (batch,), generator=generator)
    end = torch.where(kind < 0.5, torch.full_like(past, context), past)
    begin = torch.where(kind < 0.75, (end - length).clamp(min=0), end)
    return begin, end


def _draw(which: Tensor, shape: tuple[int, int], generator: Generator) -> Tensor:
    chosen = which.nonzero()[:, 0]
    return chosen[torch.randint(len(chosen), shape, generator=generator)]


def _draw_alike(pool: Tensor, shape: tuple[int, int], generator: Generator) -> Tensor:
    """Anomalous windows, one label in a sequence, rare labels more often than they occur."""
    kinds = pool[pool > 0].unique()
    counts = torch.stack([(pool == kind).sum() for kind in kinds])
    chosen = torch.multinomial(counts.float().sqrt().expand(shape[0], -1), 1, generator=generator)[:, 0]
    drawn = torch.zeros(shape, dtype=torch.int64)
    for i, kind in enumerate(kinds):
        rows = chosen == i
        drawn[rows] = _draw(pool == kind, (int(rows.sum()), shape[1]), generator)
    return drawn
