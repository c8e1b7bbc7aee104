"""What encoders learn before their own stage: movement from its optical flow, sounds from a teacher.

A few hundred labelled clips teach too little of what can be seen and heard at all. What is learned here is only where
the encoders begin: the heads that lessons need do not ship.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models import parallel
from models.augment import augment_samples
from models.encoders import precision
from models.fit import Stage
from models.flow import GRID, MEASURES, flow_measures
from models.network import Network
from models.pool import Pool, draw_weights
from models.recipe import Recipe

_MIXED = 64
"""Sounds mixed and heard by the teacher at a time."""
_FOOTAGE = 1 / 3
"""Share of draws that are footage nothing else is learned from."""


@dataclass(frozen=True, slots=True, eq=False)
class Moving:
    """Windows and how each part of them moves."""

    frames: Tensor
    """uint8 (N, T, H, W, 3)."""
    measures: Tensor
    """float32 (N, MEASURES, *GRID), of unit deviation around 0."""
    weights: Tensor
    """float32 (N,): how often each is drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Mixed sounds and what the teacher makes of them."""

    samples: Tensor
    """float16 (N, S)."""
    probabilities: Tensor
    """(N, classes of the teacher)."""


class Lessons(nn.Module):
    """The heads of the lessons: in the checkpoint, not in the network."""

    def __init__(self, network: Network, num_sounds: int) -> None:
        super().__init__()
        self.flow = nn.Conv3d(network.video.num_features, MEASURES, 1)
        """Measures of the flow at every place."""
        self.sounds = nn.Linear(network.spec.token_size, num_sounds)
        """Logits of the teacher's classes."""


def flow_stage(network: Network, lessons: Lessons, moving: Moving, recipe: Recipe) -> Stage:
    """The video encoder learns to see what moves where, and how."""
    plan, encoder, head = recipe.video.flow, network.video, lessons.flow

    def loss(generator: Generator) -> Tensor:
        device = head.weight.device
        chosen = torch.multinomial(moving.weights, plan.batch, replacement=True, generator=generator)
        is_flipped = torch.rand(plan.batch, 1, 1, 1, 1, generator=generator) < 0.5
        frames, target = moving.frames[chosen], moving.measures[chosen]
        frames = torch.where(is_flipped, frames.flip(3), frames)
        target = torch.where(is_flipped, target.flip(4), target).to(device)
        contrast = 0.6 + 0.8 * torch.rand(plan.batch, 1, 1, 1, 1, generator=generator)
        frames = ((frames.float() - 128) * contrast + 128).clamp(0, 255)
        with precision(recipe, "video", device):
            maps = encoder.maps(*parallel.own((frames.to(device),)))
        found = functional.adaptive_avg_pool3d(head(maps), GRID)
        return functional.mse_loss(parallel.gathered(found, plan.batch), target)

    modules: dict[nn.Module, float] = {head: plan.head_rate, encoder.backbone: plan.rate}
    return Stage("flow", modules, plan, plan.epochs, plan.draws, loss, lambda: 0.0)


def follow(learned: Pool, footage: Pool) -> Moving:
    """How windows move: of those that the encoder will learn from, and of others, a kind by the root of its number."""
    frames = torch.cat([learned.inputs[0], footage.inputs[0]])
    measures = flow_measures(frames)
    measures -= measures.mean(dim=(0, 2, 3, 4), keepdim=True)
    measures /= measures.std(dim=(0, 2, 3, 4), keepdim=True).clamp(min=1e-6)
    others = torch.bincount(footage.labels).float().rsqrt()[footage.labels]
    weights = [others / others.sum() * _FOOTAGE]
    if len(learned):
        mine = draw_weights(learned)
        weights.insert(0, mine / mine.sum() * (1 - _FOOTAGE))
    return Moving(frames, measures, torch.cat(weights))


def sound_stage(network: Network, lessons: Lessons, heard: Heard, recipe: Recipe) -> Stage:
    """The sound encoder learns to hear what the teacher hears."""
    plan, encoder, head = recipe.audio.teacher, network.audio, lessons.sounds
    # Classes are rare by very different degrees: that need not be learned.
    often = torch.logit(heard.probabilities.mean(dim=0).clamp(1e-5, 1 - 1e-5))

    def loss(generator: Generator) -> Tensor:
        device = next(head.parameters()).device
        chosen = torch.randint(len(heard.samples), (plan.batch,), generator=generator)
        tokens = encoder(*parallel.own((heard.samples[chosen].float().to(device),)))
        logits = head(parallel.gathered(tokens, len(chosen))) + often.to(device)
        target = heard.probabilities[chosen].to(device)
        return functional.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(dim=1).mean()

    modules: dict[nn.Module, float] = {head: plan.head_rate, encoder: plan.rate}
    return Stage("sounds", modules, plan, plan.epochs, len(heard.samples), loss, lambda: 0.0)


def mix(sounds: Tensor, teacher: Callable[[Tensor], Tensor], count: int, seed: int) -> Heard:
    """Sounds laid over one another, and the teacher's judgement of each mixture.

    Args:
        sounds: float32 (N, S).
        teacher: makes probabilities (B, classes) of sounds (B, S).
        count: of the mixtures.
        seed: of what is mixed.
    """
    generator = Generator().manual_seed(seed)
    samples, probabilities = [], []
    for begin in range(0, count, _MIXED):
        pairs = torch.randint(len(sounds), (2, min(_MIXED, count - begin)), generator=generator)
        mixed = augment_samples(sounds[pairs[0]], sounds[pairs[1]], generator).half()
        samples.append(mixed)
        probabilities.append(teacher(mixed.float()))
    return Heard(torch.cat(samples), torch.cat(probabilities))
