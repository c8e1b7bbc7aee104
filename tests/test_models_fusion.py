"""What fusion may look at, and what it may not."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from models.fusion import Concatenation, Fusion, Judgement
from models.spec import MODALITIES, Spec

SPEC = Spec(context=4, token_size=16)
torch.manual_seed(0)
FUSION = Fusion(SPEC, num_layers=2, num_heads=2).eval()
torch.nn.init.normal_(FUSION.head.weight)  # it corrects nothing before it has learned
CONCATENATION = Concatenation(SPEC).eval()


def tokens(seed: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, SPEC.context, len(MODALITIES), SPEC.token_size, generator=Generator().manual_seed(seed))


def everything(batch: int = 2) -> Tensor:
    return torch.ones(batch, SPEC.context, len(MODALITIES), dtype=torch.bool)


def judge(given_tokens: Tensor, present: Tensor, fusion: Fusion | Concatenation = FUSION) -> Judgement:
    with torch.inference_mode():
        judged: Judgement = fusion(given_tokens, present)
    return judged


def same(one: Judgement, other: Judgement) -> bool:
    return torch.equal(one.anomaly, other.anomaly) and torch.equal(one.classes, other.classes)


def test_a_judgement_has_a_logit_for_each_label_and_modality() -> None:
    judged = judge(tokens(0), everything())
    assert judged.anomaly.shape == (2,)
    assert judged.classes.shape == (2, len(SPEC.labels))
    assert judged.modalities.shape == (2, len(MODALITIES))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000))
def test_what_is_absent_may_hold_anything(seed: int) -> None:
    present = torch.rand(2, SPEC.context, len(MODALITIES), generator=Generator().manual_seed(seed)) < 0.5
    one = tokens(seed)
    other = torch.where(present[..., None], one, 100 * tokens(seed + 1))
    assert same(judge(one, present), judge(other, present))


@pytest.mark.parametrize("age", range(SPEC.context))
@pytest.mark.parametrize("modality", range(len(MODALITIES)))
def test_what_is_present_counts(age: int, modality: int) -> None:
    changed = tokens(0)
    changed[:, age, modality] = tokens(1)[:, age, modality]
    assert not same(judge(tokens(0), everything()), judge(changed, everything()))


def test_a_modality_missing_now_is_told_by_its_learned_token() -> None:
    present = everything()
    present[:, -1, 2] = False
    before = judge(tokens(0), present)
    with _changed(FUSION.missing[2]):
        assert not same(before, judge(tokens(0), present))


@pytest.mark.parametrize("modality", range(len(MODALITIES)))
def test_a_modality_alone_is_not_corrected(modality: int) -> None:
    alone = torch.zeros_like(everything())
    alone[:, -1, modality] = True
    present = [everything(), alone]
    before = [judge(tokens(0), each).anomaly for each in present]
    with _changed(FUSION.head.bias):
        changed, same_as_before = [judge(tokens(0), each).anomaly for each in present]
    assert not torch.equal(before[0], changed)
    assert torch.equal(before[1], same_as_before)


def test_a_modality_missing_earlier_is_not_told_at_all() -> None:
    present = everything()
    present[:, :-1, 2] = False
    before = judge(tokens(0), present)
    with _changed(FUSION.missing):
        assert same(before, judge(tokens(0), present))


def test_a_camera_just_opened_has_no_past() -> None:
    present = everything()
    present[:, :-1] = False
    before = judge(tokens(0), present)
    with _changed(FUSION.age[:-1]):
        assert same(before, judge(tokens(0), present))


def test_the_order_of_windows_counts() -> None:
    swapped = tokens(0)[:, [1, 0, 2, 3]]
    assert not same(judge(tokens(0), everything()), judge(swapped, everything()))


def test_a_modalitys_own_logit_looks_at_its_present_token_only() -> None:
    one, other = tokens(0), tokens(1)
    other[:, -1, 1] = one[:, -1, 1]
    own, others = judge(one, everything()).modalities, judge(other, everything()).modalities
    assert torch.equal(own[:, 1], others[:, 1])
    assert not torch.equal(own[:, 0], others[:, 0])


def test_nothing_present_is_judged_too() -> None:
    assert judge(tokens(0), ~everything()).anomaly.isfinite().all()


def test_cameras_in_a_batch_do_not_see_each_other() -> None:
    both = judge(tokens(0, batch=5), everything(5))
    alone = judge(tokens(0, batch=5)[3:4], everything(1))
    torch.testing.assert_close(alone.anomaly, both.anomaly[3:4], rtol=1e-4, atol=1e-6)


def test_concatenation_judges_the_present_window_only() -> None:
    one, other = tokens(0), tokens(1)
    other[:, -1] = one[:, -1]
    earlier = everything()
    earlier[:, :-1] = False
    judged = judge(one, everything(), CONCATENATION)
    assert judged.classes.shape == (2, len(SPEC.labels))
    assert same(judged, judge(other, earlier, CONCATENATION))
    assert torch.equal(judged.modalities, judge(other, earlier, CONCATENATION).modalities)


@pytest.mark.parametrize("modality", range(len(MODALITIES)))
def test_concatenation_is_told_what_is_missing_but_not_what_it_holds(modality: int) -> None:
    present, other = everything(), tokens(0)
    present[:, -1, modality] = False
    other[:, -1, modality] = 100 * tokens(1)[:, -1, modality]
    assert same(judge(tokens(0), present, CONCATENATION), judge(other, present, CONCATENATION))
    assert not same(judge(tokens(0), everything(), CONCATENATION), judge(other, everything(), CONCATENATION))
    # A token of a constant is nothing after its norm: only the sign that it is there is left.
    other[:, -1, modality] = 1.0
    assert not same(judge(other, present, CONCATENATION), judge(other, everything(), CONCATENATION))


def test_both_fusions_have_the_same_heads() -> None:
    shapes = [{key: value.shape for key, value in f.heads.state_dict().items()} for f in (FUSION, CONCATENATION)]
    assert shapes[0] == shapes[1]


@contextmanager
def _changed(part: Tensor) -> Iterator[None]:
    """A parameter that is another one for a while."""
    kept = part.data.clone()
    part.data.add_(1)
    try:
        yield
    finally:
        part.data.copy_(kept)
