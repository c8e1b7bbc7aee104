"""Figures of merit against scikit-learn and cases worked by hand."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn
from sklearn.calibration import calibration_curve

from pipeline.metrics import (
    NUM_BINS,
    UndefinedError,
    accuracy,
    at_share,
    auc_interval,
    average_precision,
    brier,
    calibration_error,
    match_events,
    poisson_interval,
    pr_auc,
    reliability_bins,
    roc_auc,
)

RANDOM = np.random.default_rng(7)
SCORES = np.round(RANDOM.random(400), 2)  # two digits: many ties
POSITIVE = RANDOM.random(400) < SCORES * 0.7

rows = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=60)


@given(rows)
@settings(deadline=None)
def test_area_under_roc_is_scikit_learns_with_any_ties(rows: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([s for s, _ in rows]) / 9, np.array([p for _, p in rows])
    assume(0 < positive.sum() < len(positive))
    assert roc_auc(scores, positive) == pytest.approx(sklearn.roc_auc_score(positive, scores), abs=1e-12)


@given(rows)
@settings(deadline=None)
def test_both_areas_under_precision_recall_are_scikit_learns(rows: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([s for s, _ in rows]) / 9, np.array([p for _, p in rows])
    assume(0 < positive.sum() < len(positive))
    precision, recall, _ = sklearn.precision_recall_curve(positive, scores)
    step = sklearn.average_precision_score(positive, scores)
    assert average_precision(scores, positive) == pytest.approx(step, abs=1e-12)
    assert pr_auc(scores, positive) == pytest.approx(sklearn.auc(recall, precision), abs=1e-12)


@given(rows)
@settings(deadline=None)
def test_area_under_roc_turns_round_with_the_scores(rows: list[tuple[int, bool]]) -> None:
    scores, positive = np.array([s for s, _ in rows]) / 9, np.array([p for _, p in rows])
    assume(0 < positive.sum() < len(positive))
    assert roc_auc(scores, positive) + roc_auc(-scores, positive) == pytest.approx(1)


def test_area_under_roc_of_a_case_worked_by_hand() -> None:
    # anomalies 0.9 and 0.4 against normals 0.4 and 0.1: right, right, half, right
    assert roc_auc(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False])) == 3.5 / 4


def test_one_class_has_no_ranking_and_says_which() -> None:
    scores = np.array([0.2, 0.8])
    for figure in (roc_auc, average_precision, pr_auc):
        with pytest.raises(UndefinedError, match="one class only: anomaly"):
            figure(scores, np.array([True, True]))
        with pytest.raises(UndefinedError, match="one class only: normal"):
            figure(scores, np.array([False, False]))


def test_no_rows_have_no_figure() -> None:
    none, nothing = np.array([]), np.array([], dtype=bool)
    for figure in (roc_auc, average_precision, brier, calibration_error):
        with pytest.raises(UndefinedError, match="nothing scored"):
            figure(none, nothing)
    with pytest.raises(UndefinedError, match="nothing scored"):
        accuracy(none, nothing, 0.5)


def test_a_score_at_the_threshold_is_an_anomaly() -> None:
    assert accuracy(np.array([0.5, 0.49, 0.7]), np.array([True, False, False]), 0.5) == pytest.approx(2 / 3)


def test_brier_is_scikit_learns() -> None:
    assert brier(SCORES, POSITIVE) == pytest.approx(sklearn.brier_score_loss(POSITIVE, SCORES))


def test_calibration_error_weighs_the_gaps_of_scikit_learns_curve() -> None:
    probabilities = RANDOM.random(500)
    happened = RANDOM.random(500) < probabilities**2
    share, mean = calibration_curve(happened, probabilities, n_bins=NUM_BINS)
    counts = np.histogram(probabilities, NUM_BINS, (0, 1))[0]
    expected = np.sum(np.abs(share - mean) * counts[counts > 0]) / 500
    assert calibration_error(probabilities, happened) == pytest.approx(expected)


def test_probabilities_for_another_share_are_those_of_bayes() -> None:
    happened = np.arange(1000) < 400
    evidence = 2 * (RANDOM.normal(size=1000) + np.where(happened, 1, -1))  # log-likelihood ratio of N(1, 1) to N(-1, 1)
    at = {share: 1 / (1 + np.exp(-evidence) * (1 - share) / share) for share in (0.05, 0.4)}
    np.testing.assert_allclose(at_share(at[0.05], happened, 0.05), at[0.4])
    assert at_share(np.array([0.0, 1.0]), np.array([True, False]), 0.1).tolist() == [0, 1]
    with pytest.raises(UndefinedError):
        at_share(np.array([0.5]), np.array([True]), 0.1)


def test_reliability_bins_are_those_of_scikit_learns_curve() -> None:
    probabilities = RANDOM.random(60) ** 2
    happened = RANDOM.random(60) < probabilities
    bins = reliability_bins(probabilities, happened)
    share, mean = calibration_curve(happened, probabilities, n_bins=NUM_BINS)
    np.testing.assert_allclose([each.share_anomalous for each in bins], share)
    np.testing.assert_allclose([each.mean_probability for each in bins], mean)
    assert sum(each.n for each in bins) == 60
    assert all(each.lower <= each.mean_probability < each.upper for each in bins)


def test_certainty_is_in_the_last_bin() -> None:
    assert [each.upper for each in reliability_bins(np.array([1.0]), np.array([True]))] == [1]
    assert reliability_bins(np.array([]), np.array([], dtype=bool)) == []


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [
        (0, 0, 3.689),
        (1, 0.0253, 5.572),
        (2, 0.2422, 7.225),
        (5, 1.623, 11.668),
        (10, 4.795, 18.390),
        (100, 81.36, 121.63),
    ],
)
def test_the_interval_of_a_count_is_that_of_the_tables(count: int, low: float, high: float) -> None:
    assert list(poisson_interval(count)) == pytest.approx([low, high], rel=1e-3)


def test_the_interval_of_a_large_count_nears_the_normal_one() -> None:
    assert list(poisson_interval(10_000)) == pytest.approx([10_000 - 196, 10_000 + 196], abs=3)


def test_sure_and_right_is_calibrated_and_sure_and_wrong_is_not() -> None:
    sure = np.array([0.0, 1.0])
    assert calibration_error(sure, np.array([False, True])) == 0
    assert calibration_error(sure, np.array([True, False])) == 1


def test_the_interval_holds_the_area_and_is_the_same_every_time() -> None:
    groups = [str(i // 4) for i in range(400)]
    low, high = auc_interval(SCORES, POSITIVE, groups, seed=3)
    assert low < roc_auc(SCORES, POSITIVE) < high
    assert (low, high) == auc_interval(SCORES, POSITIVE, groups, seed=3)
    assert (low, high) != auc_interval(SCORES, POSITIVE, groups, seed=4)


def test_the_interval_is_as_wide_as_theory_says() -> None:
    # Hanley and McNeil 1982: the standard error of an area from n anomalies and m normals
    area, n = roc_auc(SCORES, POSITIVE), int(POSITIVE.sum())
    m = len(POSITIVE) - n
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    error = np.sqrt((area * (1 - area) + (n - 1) * (q1 - area**2) + (m - 1) * (q2 - area**2)) / (n * m))
    low, high = auc_interval(SCORES, POSITIVE, [None] * 400)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_copies_of_a_clip_in_one_group_do_not_narrow_the_interval() -> None:
    scores, positive = SCORES[:40], POSITIVE[:40]
    once = auc_interval(scores, positive, [None] * 40)
    groups = [str(i) for i in range(40)]
    assert auc_interval(np.tile(scores, 5), np.tile(positive, 5), groups * 5) == pytest.approx(once)
    low, high = auc_interval(np.tile(scores, 5), np.tile(positive, 5), [None] * 200)
    assert high - low < (once[1] - once[0]) / 1.5


def test_one_group_has_no_interval() -> None:
    with pytest.raises(UndefinedError, match="one group only"):
        auc_interval(SCORES, POSITIVE, ["a"] * 400)


def test_an_event_up_to_two_seconds_off_is_right() -> None:
    assert match_events([(13.9, 20)], [(10, 12)]).pairs == ((0, 0),)
    assert match_events([(14, 20)], [(10, 12)]).false == (0,)
    assert match_events([(5, 8)], [(10, 12)]).missed == (0,)


def test_a_second_event_on_one_truth_is_neither_right_nor_false() -> None:
    matching = match_events([(30, 31), (10, 11), (12, 13)], [(9, 14)])
    assert matching.pairs == ((1, 0),)
    assert matching.repeated == (2,)
    assert matching.false == (0,)


def test_one_event_over_two_truths_finds_the_first() -> None:
    matching = match_events([(0, 100)], [(60, 70), (10, 20)])
    assert matching.pairs == ((0, 1),)
    assert matching.missed == (0,)


def test_neighbouring_truths_take_one_event_each() -> None:
    assert match_events([(1, 2), (5, 6)], [(0, 2), (3, 6)]).pairs == ((0, 0), (1, 1))


intervals = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)).map(lambda s: (s[0], s[0] + s[1])), max_size=8)


@given(intervals, intervals)
@settings(deadline=None)
def test_every_event_and_every_truth_gets_one_verdict(
    events: list[tuple[float, float]], truths: list[tuple[float, float]]
) -> None:
    matching = match_events(events, truths)
    of_events = [event for event, _ in matching.pairs] + [*matching.repeated, *matching.false]
    of_truths = [truth for _, truth in matching.pairs] + [*matching.missed]
    assert sorted(of_events) == list(range(len(events)))
    assert sorted(of_truths) == list(range(len(truths)))
