"""Decoding on hardware that this machine may not have."""

from pathlib import Path
from typing import get_args

import numpy as np

from models.spec import Spec
from pipeline.config import Decoder, LiveConfig
from pipeline.hardware import open_hardware
from pipeline.item import Frame
from pipeline.live import SourceState, sessions


def decoded(clip: Path, decoder: str) -> tuple[list[Frame], list[tuple[str, str]]]:
    """Every picture that a window takes, and each state with its reason."""
    states: list[SourceState] = []
    live = LiveConfig.model_validate({"decoder": decoder})
    frames = []
    for media in sessions(str(clip), Spec(), live, lambda _: False, states.append):
        frames += [item for item in media.items() if isinstance(item, Frame)]
    return frames, [(state.status, state.reason) for state in states]


def test_the_processor_is_no_hardware() -> None:
    assert open_hardware("cpu") is None


def test_hardware_that_is_missing_is_told_once_and_the_processor_decodes(clip: Path) -> None:
    missing = next(kind for kind in get_args(Decoder) if kind not in {"cpu", "auto"} and open_hardware(kind) is None)
    expected, quiet = decoded(clip, "cpu")
    found, states = decoded(clip, missing)
    assert [frame.pts_seconds for frame in found] == [frame.pts_seconds for frame in expected]
    np.testing.assert_array_equal([frame.image for frame in found], [frame.image for frame in expected])
    assert quiet == [("starting", ""), ("running", ""), ("ended", "")]
    told = ("running", f"source: {clip}: no {missing} for its pictures; decoded on the processor")
    assert states == [*quiet[:2], told, quiet[2]]


def test_whatever_hardware_there_is_sees_the_same_and_says_nothing(clip: Path) -> None:
    expected, quiet = decoded(clip, "cpu")
    found, states = decoded(clip, "auto")
    assert states == quiet
    assert [frame.pts_seconds for frame in found] == [frame.pts_seconds for frame in expected]
    np.testing.assert_allclose([frame.image for frame in found], [frame.image for frame in expected], atol=4)
