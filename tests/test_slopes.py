"""Growth beneath noise."""

import numpy as np
import pytest
from chaos.slopes import Slope


@pytest.mark.parametrize("per_second", [-0.01, 0.0, 0.02])
def test_the_slope_is_found_under_noise_and_outliers_within_its_interval(per_second: float) -> None:
    random = np.random.default_rng(5)
    seconds = np.arange(300.0)
    values = 400 + per_second * seconds + random.normal(0, 1, 300)
    values[::25] += 50  # a connection that is just being made
    slope = Slope.of(seconds.tolist(), values.tolist())
    assert slope.per_second == pytest.approx(per_second, abs=0.003)
    assert slope.lowest < per_second < slope.highest
    assert slope.highest - slope.lowest < 0.01


def test_what_never_changes_has_no_slope() -> None:
    assert Slope.of([1.0, 2.0, 3.0, 4.0], [7, 7, 7, 7]) == Slope(0.0, 0.0, 0.0)
    assert Slope.of([], []) == Slope(0.0, 0.0, 0.0)
