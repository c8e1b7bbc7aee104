"""Optical flow of textures whose movement is known."""

import cv2
import numpy as np
import pytest
import torch
from cv2.typing import MatLike

from models.flow import GRID, MEASURES, flow_measures

SIZE = 80


def texture() -> MatLike:
    noise = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return cv2.normalize(smooth, smooth, 0, 255, cv2.NORM_MINMAX)


def measures(each: MatLike) -> dict[str, torch.Tensor]:
    """Of a texture that moves alike, by a matrix of 2x3, from each picture to the next: each (T, Y, X)."""
    pictures = [texture()]
    for _ in range(15):
        pictures.append(cv2.warpAffine(pictures[-1], each, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT))
    found = flow_measures(torch.from_numpy(np.stack(pictures))[None])
    assert found.shape == (1, MEASURES, *GRID)
    names = ("speed", "beside", "varies", "divergence", "curl", "acceleration")
    return dict(zip(names, found[0].expm1(), strict=True))


def test_a_camera_that_pans_moves_everything_alike() -> None:
    found = measures(np.array([[1, 0, 1.5], [0, 1, 0]]))
    assert found["speed"][:, 1:4, 1:4].numpy() == pytest.approx(1.5, abs=0.2)
    for name in ("beside", "varies", "divergence", "curl"):
        assert found[name][:, 1:4, 1:4].max() < 0.2, name


@pytest.mark.parametrize(
    ("angle", "zoom", "most", "least"), [(0, 1.03, "divergence", "curl"), (2, 1, "curl", "divergence")]
)
def test_what_grows_diverges_and_what_turns_curls(angle: float, zoom: float, most: str, least: str) -> None:
    found = measures(cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), angle, zoom))
    expected = 2 * (zoom - 1) + 2 * np.deg2rad(angle)
    assert found[most][:, 1:4, 1:4].mean().item() == pytest.approx(expected, rel=0.35)
    assert found[least][:, 1:4, 1:4].mean() < 0.6 * found[most][:, 1:4, 1:4].mean()


def test_what_stands_still_has_no_measure_at_all() -> None:
    assert flow_measures(torch.full((2, 16, 32, 32, 3), 90, dtype=torch.uint8)).abs().max() < 1e-3


def test_movement_is_found_where_and_when_it_is() -> None:
    window = np.repeat(texture()[None], 16, axis=0)
    for number in range(8, 16):  # in the second half, below on the left
        window[number, 48:, :32] = np.roll(window[number, 48:, :32], number % 2 * 2, axis=1)
    speed = flow_measures(torch.from_numpy(window)[None])[0, 0]
    assert speed[1, 4, 0] > 0.3
    assert speed[0].max() < 0.1
    assert speed[1, :2].max() < 0.1
    assert speed[1, :, 3:].max() < 0.1
