"""Second and third stage: the modalities brought into one space, then their fusion, on composed sequences."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models import parallel
from models.compose import Sequences, compose
from models.encoders import augmented, has_learned, is_learnable, judgement_loss, tokens_of
from models.fit import Stage
from models.fusion import Judgement
from models.network import Network
from models.pool import Pool
from models.recipe import Recipe
from models.spec import MODALITIES
from models.statistics import roc_auc

_VERSIONS = 2
"""Versions of each training window in the table: as it is, and changed at random."""
_TEMPERATURE = 0.1


class Windows(Protocol):
    """Windows of all modalities, ready to be made tokens."""

    @property
    def labels(self) -> tuple[Tensor, ...]:
        """int64 (N,) of each modality."""

    def tokens(self, network: Network, indices: Tensor, generator: Generator) -> Tensor:
        """Tokens (B, K, M, D) of composed sequences."""


@dataclass(frozen=True, slots=True)
class Table:
    """Windows as tokens, computed once, because the encoders no longer change."""

    windows: tuple[Tensor, ...]
    """(N, D) of each modality."""
    labels: tuple[Tensor, ...]
    """int64 (N,) of each modality."""

    def tokens(self, network: Network, indices: Tensor, generator: Generator | None = None) -> Tensor:  # noqa: ARG002
        """Tokens (B, K, M, D) of composed sequences."""
        size = network.spec.token_size
        return torch.stack(
            [
                rows[indices[..., m]] if len(rows) else torch.zeros(*indices.shape[:2], size, device=rows.device)
                for m, rows in enumerate(self.windows)
            ],
            dim=2,
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """Windows as they are, changed at random and run through the whole encoders, which learn too."""

    pools: dict[str, Pool]

    @property
    def labels(self) -> tuple[Tensor, ...]:
        """int64 (N,) of each modality."""
        return tuple(self.pools[name].labels for name in MODALITIES)

    def tokens(self, network: Network, indices: Tensor, generator: Generator) -> Tensor:
        """Tokens (B, K, M, D) of composed sequences; a window drawn twice is run once."""
        parts, device = [], next(network.parameters()).device
        for m, name in enumerate(MODALITIES):
            chosen, places = indices[..., m].unique(return_inverse=True)
            if len(self.pools[name]):
                inputs = augmented(network, name, self.pools[name], chosen, generator)
                tokens = getattr(network, name)(*parallel.own(inputs))
                parts.append(parallel.gathered(tokens, len(chosen))[places.to(device)])
            else:
                parts.append(torch.zeros(*places.shape, network.spec.token_size, device=device))
        return torch.stack(parts, dim=2)


def table(network: Network, pools: dict[str, Pool], versions: int, seed: int) -> Table:
    """Tokens of the windows as they are and, with `versions` over 1, changed at random."""
    network.eval()
    generator = Generator().manual_seed(seed)
    rows, labels = [], []
    for name in MODALITIES:
        pool = pools[name]
        parts, everything = [tokens_of(network, name, pool.inputs)], torch.arange(len(pool))
        changes = versions - 1 if (pool.labels == 0).any() else 0  # sounds are changed by ordinary ones
        parts += [
            tokens_of(network, name, augmented(network, name, pool, everything, generator)) for _ in range(changes)
        ]
        rows.append(torch.cat(parts))
        labels.append(pool.labels.repeat(len(parts)))
    return Table(tuple(rows), tuple(labels))


def stages(network: Network, train: dict[str, Pool], validation: dict[str, Pool], recipe: Recipe) -> list[Stage]:
    """Alignment of the modalities and training of their fusion.

    What a modality says by itself stays as its own stage left it: an encoder knows the windows it learned from by
    heart, and heads that learned on from its tokens of these did worse on real clips.
    """
    plan, seed = recipe.fusion, recipe.seed
    learned, kept = table(network, train, _VERSIONS, seed), table(network, validation, 1, seed)
    sequences = validation_sequences(kept, network, seed)
    taught: Windows = Inputs(train) if plan.train_backbones else learned

    def align(generator: Generator) -> Tensor:
        return _alignment_loss(network, learned, plan.batch, generator)

    def fuse(generator: Generator) -> Tensor:
        drawn = compose(taught.labels, network.spec, plan.batch, plan.drop_modality, generator)
        return _fusion_loss(network, taught, drawn, generator)

    def score() -> float:
        rows = table(network, validation, 1, seed) if plan.train_backbones else kept
        judged = judge(network, rows, sequences)
        return roc_auc(sequences.labels.numpy() > 0, judged.anomaly.cpu().numpy())

    def aligned() -> float:
        with torch.inference_mode():
            return -float(_alignment_loss(network, kept, 512, Generator().manual_seed(seed)))

    fusion = network.fusion
    tuned = [getattr(network, name) for name in MODALITIES] if plan.train_backbones else []
    done = [] if plan.train_backbones else [name for name in MODALITIES if has_learned(name, train[name], recipe)]
    stay: dict[nn.Module, int] = {fusion.heads[MODALITIES.index(name)]: plan.epochs for name in done}
    joint = dict.fromkeys([*tuned, *stay, fusion], plan.rate)
    can_align = sum(map(is_learnable, train.values())) > 1
    align_epochs = plan.align_epochs * can_align
    return [
        Stage("align", {fusion.entries: plan.rate}, plan, align_epochs, plan.sequences, align, aligned),
        Stage("joint", joint, plan, plan.epochs, plan.sequences, fuse, score, frozen=stay),
    ]


def validation_sequences(kept: Table, network: Network, seed: int, drop_modality: float = 0.4) -> Sequences:
    """The composed validation sequences, the same every time."""
    return compose(kept.labels, network.spec, 1500, drop_modality, Generator().manual_seed(seed + 1))


def judge(network: Network, rows: Table, sequences: Sequences) -> Judgement:
    """What fusion thinks of composed sequences, in inference."""
    network.eval()
    with torch.inference_mode():
        tokens = rows.tokens(network, sequences.indices)
        return network.fusion(tokens, sequences.present.to(tokens.device))  # type: ignore[no-any-return]


def _fusion_loss(network: Network, rows: Windows, drawn: Sequences, generator: Generator) -> Tensor:
    """Of the joint judgement, and of each modality's own at the present window."""
    tokens = rows.tokens(network, drawn.indices, generator)
    present = drawn.present.to(tokens.device)
    anomaly, classes, own = network.fusion(tokens, present)
    loss = judgement_loss(anomaly, classes, drawn.labels.to(tokens.device))
    for m, labels in enumerate(rows.labels):
        here = present[:, -1, m]
        if here.any():
            truth = (labels[drawn.indices[:, -1, m]] > 0).float().to(tokens.device)
            loss = loss + 0.3 * functional.binary_cross_entropy_with_logits(own[here, m], truth[here] * 0.9 + 0.05)
    return loss


def _alignment_loss(network: Network, rows: Table, batch: int, generator: Generator) -> Tensor:
    """Draws normal windows of all modalities together and anomalous ones too, and the two apart.

    Source: supervised contrastive loss, Khosla et al., NeurIPS 2020, equation 2; positives are windows of *other*
    modalities on the same side, because composed material has no closer pairs.
    """
    tokens, sides, modalities = [], [], []
    for m, (entry, mine, labels) in enumerate(zip(network.fusion.entries, rows.windows, rows.labels, strict=True)):
        if not len(labels):
            continue
        share = torch.where(labels > 0, 1 / (labels > 0).sum().clamp(min=1), 1 / (labels == 0).sum().clamp(min=1))
        chosen = torch.multinomial(share, batch, replacement=True, generator=generator)
        tokens.append(functional.normalize(entry(mine[chosen]), dim=1))
        sides.append(labels[chosen] > 0)
        modalities.append(torch.full((batch,), m))
    token = torch.cat(tokens)
    side, modality = torch.cat(sides).to(token.device), torch.cat(modalities).to(token.device)
    other = modality[:, None] != modality
    positive = other & (side[:, None] == side)
    likeness = (token @ token.T / _TEMPERATURE).masked_fill(~other, -torch.inf)
    log_share = likeness - likeness.logsumexp(dim=1, keepdim=True)
    return -log_share.masked_fill(~positive, 0).sum(dim=1).div(positive.sum(dim=1).clamp(min=1)).mean()
