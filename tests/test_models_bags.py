"""Weak labels: windows of a row, judged together."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import BERT, tiny_pools, tiny_recipe
from torch import Generator, nn

from models import encoders
from models.bags import draw_bags, top_mean
from models.network import Architecture, Network
from models.plan import TextPlan
from models.pool import Pool
from models.spec import Spec


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 12), st.integers(0, 99))
def test_a_bag_has_windows_from_all_over_one_row(sizes: list[int], size: int, seed: int) -> None:
    generator = Generator().manual_seed(seed)
    bags = torch.tensor([row for row, count in enumerate(sizes) for _ in range(count)])
    bags = bags[torch.randperm(len(bags), generator=generator)]
    rows, chosen = bags.tolist(), torch.arange(len(bags))
    drawn = draw_bags(bags, chosen, size, generator)
    assert drawn.shape == (len(rows), size)
    assert torch.equal(bags[drawn], bags[chosen][:, None].expand(-1, size))
    for windows, row in zip(drawn.tolist(), rows, strict=True):
        inside, count = [index for index, other in enumerate(rows) if other == row], sizes[row]
        for stretch, window in enumerate(windows):
            assert stretch * count // size <= inside.index(window) <= ((stretch + 1) * count - 1) // size


def test_a_bag_is_judged_by_its_highest_windows() -> None:
    logits = torch.tensor([[1.0, 5.0, 3.0, -2.0], [0.0, -1.0, -4.0, -3.0]])
    classes = torch.arange(8.0).view(2, 4, 1)
    anomaly, kinds = top_mean(logits, classes, 2)
    assert anomaly.tolist() == [4.0, -0.5]
    assert kinds.tolist() == [[1.5], [4.5]]


def test_only_the_windows_that_show_most_learn() -> None:
    pool = tiny_pools(count=8, only=("text",))["text"]
    order = pool.labels.argsort(stable=True)
    row = pool.take(order)
    bagged = Pool(row.inputs, row.labels, row.groups, torch.arange(8) // 4)
    plan = TextPlan(weights="random", bert=BERT, epochs=1, draws=8, batch=8, bag=4, top_k=1)
    network = Network(
        Spec(), Architecture(video_width=0.125, audio_hidden=16, bert={str(key): value for key, value in BERT.items()})
    ).eval()
    pools = tiny_pools(only=()) | {"text": bagged}
    (stage,) = encoders.stages(network, pools, pools, tiny_recipe(text=plan), {})
    seen: list[torch.Tensor] = []

    def keep(_: nn.Module, __: object, out: tuple[torch.Tensor, torch.Tensor]) -> None:
        out[0].retain_grad()
        seen.append(out[0])

    network.fusion.heads[2].register_forward_hook(keep)
    stage.loss(Generator().manual_seed(0)).backward()
    (logits,) = seen
    gradient = logits.grad
    assert gradient is not None
    for values, slope in zip(logits.view(2, 4), gradient.view(2, 4), strict=True):
        assert slope.nonzero()[:, 0].tolist() == [int(values.argmax())]


@pytest.mark.parametrize(
    ("keys", "said"),
    [({"bag": 64}, "bag 64 is more than batch 32"), ({"bag": 2, "top_k": 3}, "top_k 3 is more than bag 2")],
)
def test_a_bag_that_does_not_fit_is_refused(keys: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TextPlan(**keys)  # type: ignore[arg-type]
