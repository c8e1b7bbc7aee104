"""What can be measured."""

from enum import StrEnum
from typing import Final


class Part(StrEnum):
    """A part of the benchmark, in the order of the report."""

    START = "start"
    ENCODERS = "encoders"
    LINE = "line"
    NAIVE = "naive"
    CAMERAS = "cameras"
    ALERTS = "alerts"


HEADLINES: Final[dict[Part, tuple[str, ...]]] = {
    Part.START: ("first_score_s",),
    Part.ENCODERS: ("int8_over_fp32", "openvino_over_fp32"),
    Part.LINE: ("efficiency",),
    Part.NAIVE: ("speedup", "own_speedup", "ordinary_speedup"),
    Part.CAMERAS: ("most_live", "most_live_busy", "mib_each"),
    Part.ALERTS: ("p99_ms",),
}
"""Figures that are in every report, None where they could not be measured."""
NOT_ASKED: Final = "not asked for"
"""Why the figures of a part are None that was left out."""
