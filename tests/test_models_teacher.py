"""The teacher of sounds, as TensorFlow Lite runs it."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.errors import WeightsError
from models.teacher import NUM_SOUNDS, PATCH, Teacher


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes the first 521 samples of a patch for probabilities."""
    pytest.importorskip("ai_edge_litert")
    from tflite_file import write_tflite

    return write_tflite(tmp_path_factory.mktemp("teacher") / "first.tflite")


@pytest.mark.parametrize(
    ("length", "starts"),
    [
        pytest.param(PATCH, [0], id="one patch"),
        pytest.param(32_000, [0, 8200, 16_400], id="a window: three patches that cover it"),
        pytest.param(PATCH + 1, [0, 1], id="a sample more"),
    ],
)
def test_a_window_is_the_highest_of_patches_that_cover_it(file: Path, length: int, starts: list[int]) -> None:
    samples = torch.rand(2, length, generator=torch.Generator().manual_seed(0))
    expected = np.max([samples.numpy()[:, start : start + NUM_SOUNDS] for start in starts], axis=0)
    np.testing.assert_array_equal(Teacher(file)(samples).numpy(), expected)


def test_a_short_window_is_followed_by_silence(file: Path) -> None:
    samples = torch.rand(1, 100, generator=torch.Generator().manual_seed(0))
    probabilities = Teacher(file)(samples)
    assert probabilities.shape == (1, NUM_SOUNDS)
    assert torch.equal(probabilities[:, :100], samples)
    assert not probabilities[:, 100:].any()


def test_a_file_that_is_no_teacher_is_told(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    with pytest.raises(WeightsError, match=r"audio teacher: .*/none\.tflite: not a TensorFlow Lite file; name yamnet"):
        Teacher(tmp_path / "none.tflite")
    (tmp_path / "text.tflite").write_text("It is a text.")
    with pytest.raises(WeightsError, match=r"audio teacher: .*/text\.tflite: not a TensorFlow Lite file; name yamnet"):
        Teacher(tmp_path / "text.tflite")


@pytest.mark.parametrize("sizes", [(16_000, NUM_SOUNDS), (PATCH, 10)])
def test_another_network_is_no_teacher(tmp_path: Path, sizes: tuple[int, int]) -> None:
    pytest.importorskip("ai_edge_litert")
    from tflite_file import write_tflite

    other = write_tflite(tmp_path / "other.tflite", *sizes)
    with pytest.raises(WeightsError, match=r"other\.tflite: does not take 15600 samples; name yamnet\.tflite"):
        Teacher(other)


def test_without_tensorflow_lite_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)  # as if it were not installed
    with pytest.raises(WeightsError, match=r"audio teacher: ai-edge-litert: not installed; pip install 'heed\[train\]"):
        Teacher(tmp_path / "yamnet.tflite")
