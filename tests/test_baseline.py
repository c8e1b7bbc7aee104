"""The baselines against OpenCV's grey, sines of known level and cases worked by hand."""

import cv2
import numpy as np
import pytest

from pipeline.baseline import frame_difference, late_fusion_max, late_fusion_mean, loudness


def test_frame_difference_is_that_of_opencvs_grey_pictures() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (5, 12, 10, 3), dtype=np.uint8)
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]).astype(float)
    assert frame_difference(frames) == pytest.approx(np.abs(np.diff(grey, axis=0)).mean(), abs=0.5)


def test_a_still_picture_has_no_difference() -> None:
    assert frame_difference(np.full((4, 6, 6, 3), 200, np.uint8)) == 0
    assert frame_difference(np.full((1, 6, 6, 3), 200, np.uint8)) == 0


def test_black_to_white_is_the_whole_range() -> None:
    frames = np.stack([np.zeros((6, 6, 3), np.uint8), np.full((6, 6, 3), 255, np.uint8)])
    assert frame_difference(frames) == pytest.approx(255)


def test_a_full_sine_is_3_db_below_full_scale_and_silence_100() -> None:
    sine = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype(np.float32)
    assert loudness(sine) == pytest.approx(-3.0103, abs=1e-3)
    assert loudness(sine * np.float32(0.1)) == pytest.approx(-23.0103, abs=1e-3)
    assert loudness(np.zeros(16_000, np.float32)) == pytest.approx(-100)


def test_late_fusion_takes_the_loudest_sense_or_the_mean_of_those_there() -> None:
    assert late_fusion_max([0.2, 0.9, 0.1]) == 0.9
    assert late_fusion_mean([0.2, 0.9, 0.1]) == pytest.approx(0.4)
    assert late_fusion_max([0.3]) == late_fusion_mean([0.3]) == 0.3
    assert late_fusion_max([]) is None
    assert late_fusion_mean([]) is None
