"""Curves, trade-off and scales of the report, without a page around them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve, roc_curve

from pipeline.config import EventConfig
from pipeline.labels import Row
from pipeline.report.chart import round_ticks
from pipeline.report.curves import Series, precision_recall_points, roc_points
from pipeline.report.distributions import trade_off
from pipeline.scored import FoundEvent, ScoredFile, ScoredWindow


def test_points_of_the_curves_are_those_of_scikit_learn() -> None:
    random = np.random.default_rng(4)
    positive = random.random(40) < 0.4
    series = Series("any", "any", np.round(random.random(40) + 0.2 * positive, 1).astype(np.float64), positive)
    false, found, _ = roc_curve(positive, series.scores, drop_intermediate=False)
    assert np.allclose(roc_points(series), np.column_stack([false, found]))
    precision, recall, _ = precision_recall_curve(positive, series.scores)
    assert np.allclose(precision_recall_points(series), np.column_stack([recall, precision])[::-1])


def test_moving_the_threshold_trades_false_alarms_for_anomalies() -> None:
    scores = [0.1, 0.1, 0.6, 0.6, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.1]
    windows = tuple(
        ScoredWindow(index, float(index), index + 2.0, score, 0.5, "fight" if index < 8 else "siren", {}, {})
        for index, score in enumerate(scores)
    )
    row = Row(Path("a.mp4"), 11, 14, "fight", None)
    file = ScoredFile(Path("a.mp4"), (row,), 15.0, windows, (FoundEvent((2, 5), 5),))
    figure = trade_off([file], EventConfig(), 0.5)
    assert figure is not None
    assert "threshold 0.90: 1.00 found, 0.0 an hour" in figure.svg
    assert "threshold 0.50: 1.00 found, 300.0 an hour" in figure.svg  # one in 12 s of normal time
    assert (
        trade_off([replace(file, rows=(replace(row, start_seconds=None, end_seconds=None),))], EventConfig(), 0.5)
        is None
    )


@pytest.mark.parametrize(("highest", "last"), [(0, 4), (1, 1), (3, 4), (17, 20), (45, 80), (0.02, 0.02), (1234, 2000)])
def test_ticks_are_round_and_reach_the_highest_value(highest: float, last: float) -> None:
    ticks = round_ticks(highest)
    assert ticks[0] == 0
    assert ticks[-1] == pytest.approx(last)
    assert len(ticks) == 5
