"""Composed sequences: their labels are true, and nothing is in them that the pools do not have."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from models.compose import Sequences, compose
from models.spec import MODALITIES, Spec

SPEC = Spec()
VIDEO = torch.tensor([0, 0, 0, 1, 1, 0])
AUDIO = torch.tensor([2, 0, 3, 0, 2, 2, 2, 0])
TEXT = torch.tensor([0, 7, 0, 7])
NONE = torch.zeros(0, dtype=torch.int64)
ORDINARY = torch.zeros(5, dtype=torch.int64)


def composed(seed: int = 0, pools: tuple[Tensor, ...] = (VIDEO, AUDIO, TEXT), drop: float = 0.3) -> Sequences:
    return compose(pools, SPEC, 200, drop, Generator().manual_seed(seed))


def shown(sequences: Sequences, pools: tuple[Tensor, ...] = (VIDEO, AUDIO, TEXT)) -> Tensor:
    """The label of every window that is present, (B, K, M); 0 where absent."""
    kinds = [
        pool[sequences.indices[..., m]] if len(pool) else torch.zeros_like(sequences.indices[..., m])
        for m, pool in enumerate(pools)
    ]
    return torch.stack(kinds, dim=-1) * sequences.present


seeds = settings(max_examples=25, deadline=None)(given(st.integers(0, 1_000_000)))


@seeds
def test_a_sequence_is_what_its_last_window_shows(seed: int) -> None:
    sequences = composed(seed)
    now = shown(sequences)[:, -1]
    assert torch.equal(sequences.labels > 0, (now > 0).any(dim=1))
    anomalous = sequences.labels > 0
    assert (now == sequences.labels[:, None]).any(dim=1)[anomalous].all()


@seeds
def test_something_is_present_now(seed: int) -> None:
    assert composed(seed, drop=0.9).present[:, -1].any(dim=1).all()


@seeds
def test_an_event_lasts_one_to_four_windows_without_a_break(seed: int) -> None:
    events = (shown(composed(seed)) > 0).any(dim=-1).int()
    assert (events.sum(dim=1) <= 4).all()
    begins = (torch.diff(events, dim=1, prepend=torch.zeros(len(events), 1, dtype=torch.int)) == 1).sum(dim=1)
    assert (begins <= 1).all()


@seeds
def test_a_sequence_has_one_kind_of_anomaly_in_a_modality(seed: int) -> None:
    kinds = shown(composed(seed))
    lowest = torch.where(kinds > 0, kinds, 99).amin(dim=1)
    assert ((lowest == kinds.amax(dim=1)) | (lowest == 99)).all()


@seeds
def test_a_modality_that_is_not_there_is_never_present(seed: int) -> None:
    pools = (NONE, AUDIO, TEXT)
    sequences = composed(seed, pools)
    video = MODALITIES.index("video")
    assert not sequences.present[..., video].any()
    assert torch.equal(sequences.labels > 0, (shown(sequences, pools)[:, -1] > 0).any(dim=1))
    assert not (sequences.labels == 1).any()


@seeds
def test_ordinary_windows_alone_show_no_anomaly(seed: int) -> None:
    sequences = composed(seed, (ORDINARY, AUDIO, ORDINARY))
    assert set(sequences.labels.unique().tolist()) <= {0, 2, 3}


@seeds
def test_anomalies_without_ordinary_windows_beside_them_are_left_out(seed: int) -> None:
    sequences = composed(seed, (VIDEO, torch.full((4,), 2), TEXT))
    assert not sequences.present[..., MODALITIES.index("audio")].any()
    assert not (sequences.labels == 2).any()


def test_half_are_anomalous_now_and_a_quarter_were() -> None:
    sequences = compose((VIDEO, AUDIO, TEXT), SPEC, 4000, 0.3, Generator().manual_seed(0))
    ever = (shown(sequences) > 0).flatten(1).any(dim=1)
    now = sequences.labels > 0
    assert 0.46 < float(now.float().mean()) < 0.54
    assert 0.21 < float((ever & ~now).float().mean()) < 0.29


def test_modalities_go_missing_as_often_as_told() -> None:
    always = compose((VIDEO, AUDIO, TEXT), SPEC, 2000, 0.0, Generator().manual_seed(0))
    often = compose((VIDEO, AUDIO, TEXT), SPEC, 2000, 0.6, Generator().manual_seed(0))
    assert always.present[..., :2].all()
    # Dropped in 0.6 of the sequences, unless it is the one of three that must remain.
    missing = ~often.present[..., 0].any(dim=1)
    assert 0.35 < float(missing.float().mean()) < 0.45


def test_speech_comes_and_goes() -> None:
    spoken = composed(drop=0.0).present[..., MODALITIES.index("text")].float().mean(dim=1)
    assert ((spoken > 0) & (spoken < 1)).float().mean() > 0.9


def test_the_same_seed_composes_the_same() -> None:
    one, again, other = composed(1), composed(1), composed(2)
    assert torch.equal(one.indices, again.indices)
    assert torch.equal(one.present, again.present)
    assert not torch.equal(one.indices, other.indices)
