"""What encoders learn before their own stage: sounds from a teacher, movement from other people's actions.

A few hundred labelled clips teach too little of what can be seen and heard at all. What is learned here is only where
the encoders begin: the heads that lessons need do not ship.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models import parallel
from models.augment import augment_frames, augment_samples
from models.encoders import precision
from models.fit import Stage
from models.network import Network
from models.pool import Pool
from models.recipe import Recipe

_MIXED = 64
"""Sounds mixed and heard by the teacher at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """Mixed sounds and what the teacher makes of them."""

    samples: Tensor
    """float16 (N, S)."""
    probabilities: Tensor
    """(N, classes of the teacher)."""


class Lessons(nn.Module):
    """The heads of the lessons: in the checkpoint, not in the network."""

    def __init__(self, network: Network, num_actions: int, num_sounds: int) -> None:
        super().__init__()
        self.actions = nn.Linear(network.video.num_features, num_actions + 1)
        """Logits of the actions, and of the clip running backwards."""
        self.sounds = nn.Linear(network.spec.token_size, num_sounds)
        """Logits of the teacher's classes."""


def action_stage(network: Network, lessons: Lessons, actions: Pool, recipe: Recipe) -> Stage:
    """The video encoder learns to tell actions apart, and which way time runs.

    Source: the arrow of time as a pretext, Wei et al., CVPR 2018.
    """
    plan, encoder, head = recipe.video.actions, network.video, lessons.actions
    weight = torch.bincount(actions.labels).float().rsqrt()[actions.labels]

    def loss(generator: Generator) -> Tensor:
        chosen = torch.multinomial(weight, plan.batch, replacement=True, generator=generator)
        frames = augment_frames(actions.inputs[0][chosen], generator)
        backwards = torch.rand(len(frames), generator=generator) < 0.5
        frames = torch.where(backwards[:, None, None, None, None], frames.flip(1), frames)
        device = next(head.parameters()).device
        with precision(recipe, "video", device):
            features = encoder.features(*parallel.own((frames.to(device),)))
        logits = head(parallel.gathered(features.float(), len(frames)))
        kinds = functional.cross_entropy(logits[:, :-1], actions.labels[chosen].to(device), label_smoothing=0.1)
        arrow = functional.binary_cross_entropy_with_logits(logits[:, -1], backwards.float().to(device))
        return kinds + 0.5 * arrow

    modules: dict[nn.Module, float] = {head: plan.head_rate, encoder.backbone: plan.rate}
    return Stage("actions", modules, plan, plan.epochs, plan.draws, loss, lambda: 0.0)


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


def num_actions(actions: Pool | None) -> int:
    """Kinds of action in a pool."""
    return 0 if actions is None else int(actions.labels.max()) + 1
