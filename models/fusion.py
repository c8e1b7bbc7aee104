"""Transformer fusion: tokens of the last K windows and three modalities to one judgement."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.spec import MODALITIES, Spec


class Judgement(NamedTuple):
    """What fusion thinks of the present window."""

    anomaly: Tensor
    """Logit (B,)."""
    classes: Tensor
    """Log-probabilities (B, C) of the kinds of anomaly: what each present modality takes it for, weighed by how much it
    is the one that says so."""
    modalities: Tensor
    """Logits (B, M) of each modality's token of the present window, by itself."""


class Head(nn.Module):
    """Anomaly logit and class logits of a token."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.anomaly = nn.Linear(spec.token_size, 1)
        self.classes = nn.Linear(spec.token_size, len(spec.labels))

    def forward(self, token: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, D) to logits (B,) and (B, C)."""
        return self.anomaly(token)[:, 0], self.classes(token)


class Block(nn.Module):
    """Pre-norm attention and feed-forward. Written out, because the library's fast path does not export."""

    def __init__(self, size: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm1, self.norm2 = nn.LayerNorm(size), nn.LayerNorm(size)
        self.qkv, self.out = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.feed = nn.Sequential(nn.Linear(size, 2 * size), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * size, size))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Tokens (B, L, D) and an additive attention bias (B, 1, 1, L) to tokens (B, L, D)."""
        size = x.shape[-1]
        split = (x.shape[1], self.num_heads, size // self.num_heads)
        q, k, v = (part.unflatten(2, split[1:]).transpose(1, 2) for part in self.qkv(self.norm1(x)).chunk(3, dim=-1))
        attention = (q @ k.transpose(2, 3) / math.sqrt(split[2]) + bias).softmax(dim=-1)  # (B, heads, L, L)
        x = x + self.dropout(self.out((attention @ v).transpose(1, 2).flatten(2)))
        out: Tensor = x + self.dropout(self.feed(self.norm2(x)))
        return out


def _entries(size: int) -> nn.ModuleList:
    """A projection of each modality's tokens into the space that all share: at first they stay as they are."""
    projections = [nn.Linear(size, size) for _ in MODALITIES]
    for projection in projections:
        nn.init.eye_(projection.weight)
        nn.init.zeros_(projection.bias)
    return nn.ModuleList([nn.Sequential(projection, nn.LayerNorm(size)) for projection in projections])


def _own(heads: nn.ModuleList, now: Tensor) -> tuple[Tensor, Tensor]:
    """What each modality says by its token of the present window (B, M, D): logits (B, M), and of kinds (B, M, C)."""
    said = [head(now[:, i]) for i, head in enumerate(heads)]
    return torch.stack([anomaly for anomaly, _ in said], dim=1), torch.stack([kinds for _, kinds in said], dim=1)


def _audible(modalities: Tensor, present: Tensor) -> Tensor:
    """What each modality says (B, M), silent where there is none."""
    return torch.where(present, modalities, -1e4)


def _kinds(own: Tensor, kinds: Tensor, present: Tensor) -> Tensor:
    """Log-probabilities (B, C) of kinds: each modality's (B, M, C), weighed by its share in the smooth maximum."""
    return (
        own.log_softmax(dim=1)[:, :, None] + torch.where(present[:, :, None], kinds, 0.0).log_softmax(dim=2)
    ).logsumexp(dim=1)


class Fusion(nn.Module):
    """Causal by construction: the present window is the last of K, nothing later exists.

    A modality that is missing now is told by a learned token; one missing earlier is masked. The judgement is read
    from a CLS token, so that it depends on no single modality being there. It is a correction to the smooth maximum of
    what each present modality says by itself: an anomaly is mostly shown by one of them, and that need not be learned.
    Where one modality is all there is, nothing is there to fuse, and its own word stands uncorrected. Which kind of
    anomaly it is, those say who say that there is one.

    Source: ViT's CLS read-out (Dosovitskiy et al. 2021), modality dropout and missing tokens (Ma et al., CVPR 2022).
    """

    def __init__(self, spec: Spec, num_layers: int = 2, num_heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        size, num_modalities = spec.token_size, len(MODALITIES)
        self.entries = _entries(size)
        self.missing = nn.Parameter(torch.randn(num_modalities, size) * 0.02)
        self.modality = nn.Parameter(torch.randn(num_modalities, size) * 0.02)
        self.age = nn.Parameter(torch.randn(spec.context, 1, size) * 0.02)
        self.cls = nn.Parameter(torch.randn(1, 1, size) * 0.02)
        self.blocks = nn.ModuleList([Block(size, num_heads, dropout) for _ in range(num_layers)])
        self.norm = nn.LayerNorm(size)
        self.head = nn.Linear(size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.nothing = nn.Parameter(torch.tensor([-3.0]))
        self.heads = nn.ModuleList([Head(spec) for _ in MODALITIES])

    def forward(self, tokens: Tensor, present: Tensor) -> Judgement:
        """Judges the last window.

        Args:
            tokens: (B, K, M, D), oldest window first; what is not present may hold anything finite.
            present: bool (B, K, M).
        """
        modalities, kinds = _own(self.heads, tokens[:, -1])
        x = torch.stack([entry(tokens[:, :, i]) for i, entry in enumerate(self.entries)], dim=2)
        x = torch.where(present[..., None], x, self.missing) + self.modality + self.age
        visible = torch.cat([present[:, :-1], torch.ones_like(present[:, -1:])], dim=1).flatten(1)  # (B, K * M)
        visible = torch.cat([torch.ones_like(visible[:, :1]), visible], dim=1)
        bias = torch.where(visible, 0.0, -1e4)[:, None, None]
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x.flatten(1, 2)], dim=1)  # (B, 1 + K * M, D)
        for block in self.blocks:
            x = block(x, bias)
        correction = self.head(self.norm(x[:, 0]))[:, 0]
        own = _audible(modalities, present[:, -1])
        loudest = torch.cat([own, self.nothing.expand(x.shape[0], 1)], dim=1).logsumexp(dim=1)
        several = present[:, -1].sum(dim=1) > 1
        classes = _kinds(own, kinds, present[:, -1])
        return Judgement(loudest + torch.where(several, correction, 0.0), classes, modalities)


class Concatenation(nn.Module):
    """What attention is measured against: the present window's tokens side by side into a small network.

    Same inputs, outputs and heads as `Fusion`. It sees no earlier window, and a missing token as zeros.
    """

    def __init__(self, spec: Spec, dropout: float = 0.1) -> None:
        super().__init__()
        size, num_modalities = spec.token_size, len(MODALITIES)
        self.entries = _entries(size)
        self.feed = nn.Sequential(
            nn.Linear(num_modalities * (size + 1), size), nn.GELU(), nn.Dropout(dropout), nn.LayerNorm(size)
        )
        self.head = nn.Linear(size, 1)
        self.heads = nn.ModuleList([Head(spec) for _ in MODALITIES])

    def forward(self, tokens: Tensor, present: Tensor) -> Judgement:
        """Judges the last window.

        Args:
            tokens: (B, K, M, D), oldest window first.
            present: bool (B, K, M).
        """
        now, here = tokens[:, -1], present[:, -1]
        modalities, kinds = _own(self.heads, now)
        parts = torch.stack([entry(now[:, i]) for i, entry in enumerate(self.entries)], dim=1) * here[..., None]
        anomaly = self.head(self.feed(torch.cat([parts.flatten(1), here.float()], dim=1)))[:, 0]
        return Judgement(anomaly, _kinds(_audible(modalities, here), kinds, here), modalities)
