"""Splits of windows: never through a recording."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.pool import Pool, join, validation_mask

fractions, seeds = st.floats(0.05, 0.45), st.integers(0, 10_000)
recordings = st.lists(
    st.tuples(st.integers(1, 6), st.lists(st.integers(0, 3), min_size=1, max_size=3)), min_size=1, max_size=20
)
"""Of each: how often its labels come, and which."""


def windows(described: list[tuple[int, list[int]]]) -> Pool:
    labels = [label for times, kinds in described for label in kinds * times]
    groups = [f"r{i}" for i, (times, kinds) in enumerate(described) for _ in kinds * times]
    return Pool((torch.arange(len(labels)),), torch.tensor(labels, dtype=torch.int64), np.array(groups))


@given(recordings, fractions, seeds)
def test_no_recording_is_on_both_sides_and_no_window_is_lost(
    described: list[tuple[int, list[int]]], fraction: float, seed: int
) -> None:
    pool = windows(described)
    train, validation = pool.split(fraction, seed)
    assert not set(train.groups) & set(validation.groups)
    assert sorted([*train.inputs[0].tolist(), *validation.inputs[0].tolist()]) == list(range(len(pool)))
    for part in (train, validation):
        assert torch.equal(part.labels, pool.labels[part.inputs[0]])
        assert (part.groups == pool.groups[part.inputs[0].numpy()]).all()


@given(recordings, fractions, seeds)
def test_no_label_loses_more_than_half_of_its_windows(
    described: list[tuple[int, list[int]]], fraction: float, seed: int
) -> None:
    pool = windows(described)
    _, validation = pool.split(fraction, seed)
    for label in pool.labels.unique():
        assert 2 * int((validation.labels == label).sum()) <= int((pool.labels == label).sum())


@given(st.integers(2, 8), st.integers(2, 8), st.integers(1, 5), fractions, seeds)
def test_labels_of_two_recordings_or_more_are_on_both_sides(
    ordinary: int, anomalous: int, times: int, fraction: float, seed: int
) -> None:
    train, validation = windows([(times, [0])] * ordinary + [(times, [1])] * anomalous).split(fraction, seed)
    assert set(train.labels.tolist()) == {0, 1}
    assert set(validation.labels.tolist()) == {0, 1}


@given(st.integers(10, 40), fractions, seeds)
def test_about_the_fraction_is_kept_aside(count: int, fraction: float, seed: int) -> None:
    _, validation = windows([(1, [0])] * count + [(1, [1])] * count).split(fraction, seed)
    for label in (0, 1):
        assert abs(int((validation.labels == label).sum()) - fraction * count) <= 1


def test_the_seed_chooses_the_recordings() -> None:
    labels, groups = np.arange(40) % 2, np.array([f"r{i}" for i in range(40)])
    masks = [validation_mask(labels, groups, 0.2, seed) for seed in (1, 1, 2)]
    assert (masks[0] == masks[1]).all()
    assert (masks[0] != masks[2]).any()


def test_an_empty_pool_splits_into_two() -> None:
    pool = Pool((torch.zeros(0, 3),), torch.zeros(0, dtype=torch.int64), np.array([], dtype=np.str_))
    assert [len(part) for part in pool.split(0.2, 0)] == [0, 0]


def test_pools_are_joined_in_order() -> None:
    one, other = windows([(2, [0])]), windows([(1, [1, 2])])
    joined = join([one, other])
    assert joined.labels.tolist() == [0, 0, 1, 2]
    assert joined.inputs[0].tolist() == [0, 1, 0, 1]
    assert joined.groups.tolist() == ["r0", "r0", "r0", "r0"]
