"""First stage: each encoder alone, on the windows of its modality."""

import contextlib
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models import parallel
from models.augment import augment_frames, augment_samples, drop_words
from models.bags import draw_bags, top_mean
from models.fit import Stage
from models.network import Network
from models.plan import EncoderPlan
from models.pool import Pool, draw_weights
from models.recipe import Recipe
from models.spec import MODALITIES
from models.statistics import roc_auc

WRONG_LABELS = 0.05
"""Share of label smoothing: labels are weak, and a sure network calibrates badly."""
_EVALUATION_BATCH = 32


def stages(
    network: Network,
    train: dict[str, Pool],
    validation: dict[str, Pool],
    recipe: Recipe,
    teachers: Mapping[str, Sequence[Network]],
) -> list[Stage]:
    """A stage for every encoder that has both normal and anomalous windows to learn from."""
    return [
        _stage(network, name, train[name], validation[name], plan, recipe, teachers.get(name, ()))
        for name, plan in recipe.encoders.items()
        if is_learnable(train[name]) and plan.epochs
    ]


def is_learnable(pool: Pool) -> bool:
    """Whether it holds both normal and anomalous windows."""
    return bool((pool.labels == 0).any() and (pool.labels > 0).any())


def has_learned(name: str, train: Pool, recipe: Recipe) -> bool:
    """Whether what a modality says by itself was learned in a stage of its own, in this run or one before."""
    return is_learnable(train) and (recipe.encoders[name].epochs > 0 or recipe.begin is not None)


def augmented(
    network: Network, name: str, train: Pool, chosen: Tensor, generator: Generator, reverse: float = 0.0
) -> tuple[Tensor, ...]:
    """Inputs of some training windows, changed at random, on the network's device; `reverse` is `augment_frames`'s."""
    inputs = tuple(part[chosen] for part in train.inputs)
    if name == "video":
        inputs = (augment_frames(inputs[0], generator, reverse),)
    elif name == "audio":
        ordinary = (train.labels == 0).nonzero()[:, 0]
        under = ordinary[torch.randint(len(ordinary), chosen.shape, generator=generator)]
        inputs = (augment_samples(inputs[0], train.inputs[0][under], generator),)
    elif chosen.numel():
        unknown = 100  # [UNK] of every BERT vocabulary
        ids, mask = _cut(inputs)
        inputs = (drop_words(ids, mask, unknown, 0.1, generator), mask)
    device = next(network.parameters()).device
    return tuple(part.to(device) for part in inputs)


def tokens_of(network: Network, name: str, inputs: tuple[Tensor, ...]) -> Tensor:
    """Tokens (N, D) of windows, in batches, without gradients."""
    encoder, device = getattr(network, name), next(network.parameters()).device
    parts = []
    mine = parallel.own(inputs)
    for i in range(0, len(mine[0]), _EVALUATION_BATCH):
        batch = tuple(part[i : i + _EVALUATION_BATCH] for part in mine)
        with torch.inference_mode():
            parts.append(encoder(*(part.to(device) for part in (_cut(batch) if name == "text" else batch))))
    rows = torch.cat(parts).clone() if parts else torch.zeros(0, network.spec.token_size, device=device)
    return parallel.gathered(rows, len(inputs[0]))


def _cut(words: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Ids and mask without the padding that no text of the batch needs."""
    longest = int(words[1].sum(dim=1).max())
    return tuple(part[:, :longest] for part in words)


def judgement_loss(anomaly: Tensor, classes: Tensor, labels: Tensor) -> Tensor:
    """Binary loss of the anomaly, and of its kind where there is one.

    Args:
        anomaly: logits (B,).
        classes: logits (B, C).
        labels: (B,), 0 normal.
    """
    target = (labels > 0).float() * (1 - 2 * WRONG_LABELS) + WRONG_LABELS
    loss = functional.binary_cross_entropy_with_logits(anomaly, target)
    kinds = functional.cross_entropy(classes, labels - 1, ignore_index=-1, reduction="sum")
    return loss + 0.5 * kinds / (labels > 0).sum().clamp(min=1)


def _stage(
    network: Network,
    name: str,
    train: Pool,
    validation: Pool,
    plan: EncoderPlan,
    recipe: Recipe,
    teachers: Sequence[Network],
) -> Stage:
    encoder, head = getattr(network, name), network.fusion.heads[MODALITIES.index(name)]
    weight, bags = draw_weights(train), train.rows
    size, k = plan.bag, plan.top_k or max(1, plan.bag // 4)

    def loss(generator: Generator) -> Tensor:
        chosen = torch.multinomial(weight, plan.batch // size, replacement=True, generator=generator)
        labels = train.labels[chosen]
        if size > 1:
            chosen = draw_bags(bags, chosen, size, generator).flatten()
        inputs = augmented(network, name, train, chosen, generator, recipe.video.reverse)
        share, blended = 1.0, labels
        if name == "video" and torch.rand(1, generator=generator) < recipe.video.mixup:
            # Source: Zhang et al., "mixup", ICLR 2018, with alpha 1.
            share, other = float(torch.rand(1, generator=generator)), torch.randperm(len(labels), generator=generator)
            inputs, blended = (torch.lerp(inputs[0][other], inputs[0], share),), labels[other]
        with precision(recipe, name, inputs[0].device):
            tokens = encoder(*parallel.own(inputs))
        each, classes = head(parallel.gathered(tokens.float(), len(chosen)))
        anomaly = each
        if size > 1:
            anomaly, classes = top_mean(each.unflatten(0, (-1, size)), classes.unflatten(0, (-1, size)), k)
        loss = share * judgement_loss(anomaly, classes, labels.to(tokens.device))
        loss = loss + (1 - share) * judgement_loss(anomaly, classes, blended.to(tokens.device))
        if teachers:
            loss = torch.lerp(loss, _imitation_loss(each, name, teachers, inputs, recipe), plan.imitate)
        return loss

    return Stage(
        name=name,
        modules={encoder.projection: plan.head_rate, head: plan.head_rate, encoder: plan.rate},
        plan=plan,
        epochs=plan.epochs,
        draws=plan.draws,
        loss=loss,
        score=_validation_auc(network, name, head, validation),
        frozen={encoder: plan.freeze_epochs},
    )


def _imitation_loss(
    anomaly: Tensor, name: str, teachers: Sequence[Network], inputs: tuple[Tensor, ...], recipe: Recipe
) -> Tensor:
    """Against the mean of what other networks say of the same windows, as they get them: changed and blended.

    Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, at temperature 1.
    """
    m, mine = MODALITIES.index(name), parallel.own(inputs)
    with torch.no_grad(), precision(recipe, name, anomaly.device):
        tokens = [parallel.gathered(getattr(teacher, name)(*mine), len(anomaly)) for teacher in teachers]
        said = torch.stack([one.fusion.heads[m](token.float())[0] for one, token in zip(teachers, tokens, strict=True)])
    return functional.binary_cross_entropy_with_logits(anomaly, torch.sigmoid(said.float().mean(dim=0)))


def _validation_auc(network: Network, name: str, head: nn.Module, validation: Pool) -> Callable[[], float]:
    def score() -> float:
        if not is_learnable(validation):
            return 0.0
        tokens = tokens_of(network, name, validation.inputs)
        with torch.inference_mode():
            logits = head(tokens)[0].cpu().numpy()
        return roc_auc(validation.labels.numpy() > 0, logits)

    return score


def precision(recipe: Recipe, name: str, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """What an encoder trains in: bf16 where the recipe says so and it pays."""
    if recipe.precision == "bf16" and (name == "video" or device.type == "cuda"):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()
