"""Splits of windows: never through a recording. And how often windows are drawn."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.pool import Pool, draw_weights, fold_numbers, validation_mask

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


@given(recordings, st.integers(2, 6))
def test_each_window_is_kept_aside_in_one_fold_and_no_recording_is_cut(
    described: list[tuple[int, list[int]]], folds: int
) -> None:
    pool, kept = windows(described), []
    for fold in range(folds):
        train, validation = pool.split_fold(folds, fold)
        assert not set(train.groups) & set(validation.groups)
        assert len(train) + len(validation) == len(pool)
        assert torch.equal(validation.labels, pool.labels[validation.inputs[0]])
        kept += validation.inputs[0].tolist()
    assert sorted(kept) == list(range(len(pool)))


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2)), min_size=1, max_size=30), st.integers(2, 6))
def test_folds_differ_by_no_more_than_the_largest_recording_of_a_label(
    described: list[tuple[int, int]], folds: int
) -> None:
    pool = windows([(times, [label]) for times, label in described])
    numbers = fold_numbers(pool.labels.numpy(), pool.groups, folds)
    for label in {label for _, label in described}:
        held = np.bincount(numbers[(pool.labels == label).numpy()], minlength=folds)
        assert held.max() - held.min() <= max(times for times, kind in described if kind == label)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(2, 6))
def test_recordings_of_one_size_are_shared_out_evenly(normal: int, anomalous: int, folds: int) -> None:
    pool = windows([(3, [0])] * normal * folds + [(3, [1])] * anomalous * folds)
    for fold in range(folds):
        assert torch.bincount(pool.split_fold(folds, fold)[1].labels).tolist() == [3 * normal, 3 * anomalous]


def rows(*described: tuple[str, int, int, float]) -> Pool:
    """Of each row: its recording, its label, how many windows it has, and their weight."""
    spread = [(number, *row) for number, row in enumerate(described) for _ in range(row[2])]
    bags, groups, labels, _, weights = zip(*spread, strict=True)
    return Pool((), torch.tensor(labels), np.array(groups), torch.tensor(bags), torch.tensor(weights))


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        pytest.param([("a", 0, 9, 1.0), ("b", 0, 1, 1.0)], [0.5, 0.5], id="a row counts as one, however long"),
        pytest.param(
            [*[("a", 0, 1, 1.0)] * 4, ("b", 0, 1, 1.0)],
            [1 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 3],
            id="four rows of a recording come twice as often as one",
        ),
        pytest.param([("a", 0, 3, 2.0), ("b", 0, 2, 1.0)], [2 / 3, 1 / 3], id="a weight of two doubles"),
        pytest.param(
            [("a", 1, 2, 1.0), ("b", 1, 2, 1.0), ("c", 2, 1, 1.0)],
            [1 / 3, 1 / 3, 1 / 3],
            id="a label of four windows comes twice as often as one of one",
        ),
        pytest.param([("a", 1, 2, 1.0), ("a", 2, 2, 1.0)], [0.5, 0.5], id="a recording's labels each have their root"),
    ],
)
def test_rows_are_drawn_by_recording_label_and_weight(
    described: list[tuple[str, int, int, float]], expected: list[float]
) -> None:
    other_side = 0 if described[0][1] else 1
    pool = rows(*described, ("other side", other_side, 1, 1.0))
    drawn = torch.bincount(pool.rows, draw_weights(pool))
    assert drawn.tolist() == pytest.approx([*expected, 1.0])


@given(recordings.filter(lambda described: len({bool(kind) for _, kinds in described for kind in kinds}) == 2))
def test_half_of_the_draws_are_normal(described: list[tuple[int, list[int]]]) -> None:
    pool = windows(described)
    weight = draw_weights(pool)
    assert (weight > 0).all()
    assert weight[pool.labels == 0].sum() == pytest.approx(1, abs=1e-5)
    assert weight[pool.labels > 0].sum() == pytest.approx(1, abs=1e-5)


def test_what_may_not_validate_is_never_kept_aside() -> None:
    names = np.repeat([f"real{i}" for i in range(8)] + [f"drawn{i}" for i in range(8)] + ["both"], 2)
    validates = torch.tensor([name.startswith("real") for name in names])
    validates[-1] = True  # of a recording that is drawn in part
    pool = Pool((), torch.tensor([0, 1] * 17), names, validates=validates)
    parts = [pool.split(0.25, seed) for seed in range(4)]
    assert all(len(kept) >= 4 for _, kept in parts)
    parts += [pool.split_fold(4, fold) for fold in range(4)]
    for learned, kept in parts:
        assert all(name.startswith("real") for name in kept.groups)
        assert len(learned) + len(kept) == len(pool)
    assert sorted(np.concatenate([kept.groups for _, kept in parts[4:]])) == sorted(names[:16])


def test_windows_keep_their_row_and_weight_when_some_are_taken() -> None:
    part = rows(("a", 0, 2, 1.0), ("b", 1, 2, 3.0)).take(torch.tensor([1, 2]))
    assert part.rows.tolist() == [0, 1]
    assert part.weights is not None
    assert part.weights.tolist() == [1, 3]
