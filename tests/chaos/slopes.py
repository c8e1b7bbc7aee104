"""Whether something grows: the Theil–Sen slope, which outliers do not bend, and how sure it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

_NUM_RESAMPLED: Final = 200
_MOST_POINTS: Final = 400
"""Of which all pairs are looked at; of more, every so many."""


@dataclass(frozen=True, slots=True)
class Slope:
    """Of values over time."""

    per_second: float
    """The median slope of all pairs of points."""
    lowest: float
    """Lower end of its 95 % interval, by bootstrap."""
    highest: float
    """Upper end."""

    @classmethod
    def of(cls, seconds: Sequence[float], values: Sequence[float]) -> Self:
        """The slope of these points; of fewer than three there is none, and it is 0."""
        step = max(1, len(seconds) // _MOST_POINTS)
        times, heights = np.asarray(seconds, float)[::step], np.asarray(values, float)[::step]
        if len(times) < 3:
            return cls(0.0, 0.0, 0.0)
        random = np.random.default_rng(0)
        drawn = [np.sort(random.integers(0, len(times), len(times))) for _ in range(_NUM_RESAMPLED)]
        slopes = [_median_slope(times[chosen], heights[chosen]) for chosen in drawn]
        lowest, highest = np.percentile(slopes, (2.5, 97.5))
        return cls(_median_slope(times, heights), float(lowest), float(highest))


def _median_slope(times: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    first, second = np.triu_indices(len(times), 1)
    apart = times[second] - times[first]
    slopes = (values[second] - values[first])[apart > 0] / apart[apart > 0]
    return float(np.median(slopes)) if len(slopes) else 0.0
