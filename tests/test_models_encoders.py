"""The encoders' own stage."""

import numpy as np
import pytest
import torch
from tiny import BERT, tiny_recipe, video_pool
from torch import Generator, Tensor

from models.encoders import WRONG_LABELS, augmented, stages, tokens_of
from models.network import Architecture, Network
from models.plan import VideoPlan
from models.pool import Pool, draw_weights
from models.recipe import Recipe
from models.spec import MODALITIES, Spec

SPEC = Spec(frame_size=32, labels=("fight", "fire"))
BATCH = 6


def recipe(mixup: float) -> Recipe:
    return tiny_recipe(video=VideoPlan(size=32, width=0.125, epochs=1, draws=BATCH, batch=BATCH, mixup=mixup))


def small_network(seed: int = 0) -> Network:
    """Not training: dropout and batch normalisation stand still."""
    torch.manual_seed(seed)
    sizes = Architecture(
        0.125, audio_hidden=8, bert={str(key): size for key, size in BERT.items()}, fusion_layers=1, fusion_heads=2
    )
    return Network(SPEC, sizes).eval()


def small_pool() -> Pool:
    pool = video_pool(torch.tensor([0, 1, 0, 2, 0, 1, 0, 2]))
    return Pool((pool.inputs[0][:, :, :32, :32],), pool.labels, pool.groups)


def only(pool: Pool) -> dict[str, Pool]:
    """Nothing to hear or read."""
    empty = pool.take(torch.zeros(len(pool), dtype=torch.bool))
    return dict.fromkeys(MODALITIES, empty) | {"video": pool}


def loss_of(network: Network, pool: Pool, mixup: float, seed: int) -> float:
    (stage,) = stages(network, only(pool), only(pool), recipe(mixup), {})
    with torch.inference_mode():
        return float(stage.loss(Generator().manual_seed(seed)))


def by_hand(anomaly: Tensor, classes: Tensor, labels: Tensor, other: Tensor, share: float) -> float:
    """The loss against blended truths, in numpy."""
    probability = 1 / (1 + np.exp(-anomaly.double().numpy()))
    wanted = [(truth > 0) * (1 - 2 * WRONG_LABELS) + WRONG_LABELS for truth in (labels.numpy(), other.numpy())]
    target = share * wanted[0] + (1 - share) * wanted[1]
    binary = -(target * np.log(probability) + (1 - target) * np.log(1 - probability)).mean()
    scores = np.exp(classes.double().numpy())
    likely = np.log(scores / scores.sum(axis=1, keepdims=True))
    kinds = [-np.mean([likely[i, k - 1] for i, k in enumerate(truth.tolist()) if k]) for truth in (labels, other)]
    return float(binary + 0.5 * (share * kinds[0] + (1 - share) * kinds[1]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mixup", [0.0, 1.0])
def test_windows_are_blended_two_by_two_and_their_truths_with_them(mixup: float, seed: int) -> None:
    network, pool, chance = small_network(), small_pool(), Generator().manual_seed(seed)
    chosen = torch.multinomial(draw_weights(pool), BATCH, replacement=True, generator=chance)
    (frames,) = augmented(network, "video", pool, chosen, chance, recipe(mixup).video.reverse)
    labels, share, other = pool.labels[chosen], 1.0, torch.arange(BATCH)
    torch.rand(1, generator=chance)  # whether to blend
    if mixup:
        share, other = float(torch.rand(1, generator=chance)), torch.randperm(BATCH, generator=chance)
    with torch.inference_mode():
        tokens = network.video(share * frames + (1 - share) * frames[other])
        anomaly, classes = network.fusion.heads[0](tokens)
    expected = by_hand(anomaly, classes, labels, labels[other], share)
    assert loss_of(network, pool, mixup, seed) == pytest.approx(expected, rel=1e-4)


def test_what_teachers_say_of_windows_is_imitated() -> None:
    network, pool, chance = small_network(), small_pool(), Generator().manual_seed(4)
    taught = VideoPlan(size=32, width=0.125, epochs=1, draws=BATCH, batch=BATCH, mixup=0, imitate=0.25)
    teachers = [small_network(seed) for seed in (1, 2)]
    (stage,) = stages(network, only(pool), only(pool), tiny_recipe(video=taught), {"video": teachers})
    chosen = torch.multinomial(draw_weights(pool), BATCH, replacement=True, generator=chance)
    (frames,) = augmented(network, "video", pool, chosen, chance, taught.reverse)
    with torch.inference_mode():
        own, *told = (one.fusion.heads[0](one.video(frames))[0].double().numpy() for one in (network, *teachers))
        found = float(stage.loss(Generator().manual_seed(4)))
    wanted, probability = (1 / (1 + np.exp(-logit)) for logit in (np.mean(told, axis=0), own))
    imitated = -(wanted * np.log(probability) + (1 - wanted) * np.log(1 - probability)).mean()
    assert found == pytest.approx(0.75 * loss_of(network, pool, 0.0, 4) + 0.25 * imitated, rel=1e-4)


def test_tokens_do_not_depend_on_the_batch() -> None:
    network, frames = small_network(), small_pool().inputs[0]
    many = frames.repeat(5, 1, 1, 1, 1)  # more than one batch of evaluation
    found = tokens_of(network, "video", (many,))
    assert found.shape == (40, network.spec.token_size)
    torch.testing.assert_close(found, tokens_of(network, "video", (frames,)).repeat(5, 1), rtol=1e-4, atol=1e-5)
