"""What may change in a window, and what may not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Generator, Tensor

from models.augment import augment_frames, augment_samples, drop_words

RATE, LENGTH = 16_000, 32_000


def chance(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def frames(batch: int = 6) -> Tensor:
    return torch.randint(0, 256, (batch, 4, 12, 10, 3), generator=chance(), dtype=torch.uint8)


def silence(batch: int) -> Tensor:
    return torch.zeros(batch, LENGTH)


def noise(batch: int, level: float = 0.1) -> Tensor:
    return level * torch.randn(batch, LENGTH, generator=chance(1))


def test_frames_keep_their_shape_and_range() -> None:
    changed = augment_frames(frames(), chance())
    assert changed.shape == frames().shape
    assert changed.dtype == torch.float32
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert not torch.equal(changed, frames().float())


def test_time_turned_round_is_the_only_difference_that_reverse_makes() -> None:
    forwards, backwards = (augment_frames(frames(), chance(), reverse) for reverse in (0.0, 1.0))
    assert torch.equal(backwards, forwards.flip(1))
    assert not torch.equal(backwards, forwards)


def test_as_many_windows_run_backwards_as_are_asked_for() -> None:
    forwards, half = (augment_frames(frames(200), chance(), reverse) for reverse in (0.0, 0.5))
    turned = (half == forwards.flip(1)).flatten(1).all(dim=1)
    assert ((half == forwards).flatten(1).all(dim=1) | turned).all()
    assert 70 < int(turned.sum()) < 130  # four deviations of a fair coin: 28


def test_a_picture_that_stands_still_stands_still() -> None:
    still = frames()[:, :1].expand(-1, 4, -1, -1, -1)
    changed = augment_frames(still, chance(), 0.5)
    assert torch.equal(changed, changed[:, :1].expand_as(changed))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from([1e-6, 0.1, 1.0]))
def test_sounds_keep_their_shape_and_range(seed: int, level: float) -> None:
    changed = augment_samples(noise(3, level).clamp(-1, 1), noise(3, 1.0).clamp(-1, 1), chance(seed))
    assert changed.shape == (3, LENGTH)
    assert changed.dtype == torch.float32
    assert changed.isfinite().all()
    assert changed.abs().max() <= 1


def test_silence_stays_silent_but_for_noise() -> None:
    changed = augment_samples(silence(64), silence(64), chance())
    level = changed.square().mean(dim=1).sqrt()
    noisy = level > 0
    assert 16 < int(noisy.sum()) < 48
    decibels = 20 * level[noisy].log10()
    assert decibels.max() < -40 + 0.1
    assert decibels.min() > -80 - 0.1


def test_an_ordinary_sound_lies_under_half_of_them_as_it_is() -> None:
    under = noise(64)
    changed = augment_samples(silence(64), under, chance())
    gain = (changed * under).sum(dim=1) / under.square().sum(dim=1)
    mixed = (changed - gain[:, None] * under).abs().amax(dim=1) < 1e-6
    assert 16 < int(mixed.sum()) < 48
    decibels = 20 * gain[mixed].log10()
    assert decibels.min() > -25 - 0.1
    assert decibels.max() < -6 + 0.1


def loudest_hertz(sounds: Tensor) -> NDArray[np.float64]:
    spectrum = np.abs(np.fft.rfft(sounds.double().numpy() * np.hanning(LENGTH)))
    hertz: NDArray[np.float64] = spectrum.argmax(axis=1) * (RATE / LENGTH)
    return hertz


def test_a_tone_gets_higher_or_lower_by_up_to_two_fifths_of_an_octave_and_a_quarter_stays() -> None:
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(LENGTH) / RATE)
    heard = loudest_hertz(augment_samples(tone.repeat(128, 1), silence(128), chance()))
    octaves = np.log2(heard / 1000)
    assert np.abs(octaves).max() <= 0.4 + 0.01
    assert octaves.min() < -0.3
    assert octaves.max() > 0.3
    stays = (np.abs(octaves) < 0.002).mean()
    assert stays == pytest.approx(0.25, abs=0.12)


def test_what_is_a_hundred_times_as_loud_stays_so_but_for_noise() -> None:
    loud, quiet = (augment_samples(noise(64, level), silence(64), chance()) for level in (1e-2, 1e-4))
    is_same = torch.isclose(loud, 100 * quiet, rtol=1e-3, atol=1e-5).all(dim=1)
    assert 16 < int(is_same.sum()) < 48  # half have noise laid over them


def test_word_pieces_are_misheard_but_never_the_first_and_never_padding() -> None:
    ids = torch.arange(1, 41).repeat(100, 1)
    mask = (ids <= 30).long()
    changed = drop_words(ids, mask, 999, 0.1, chance())
    hit = changed == 999
    assert torch.equal(changed[~hit], ids[~hit])
    assert not hit[:, 0].any()
    assert not hit[:, 30:].any()
    assert float(hit[:, 1:30].float().mean()) == pytest.approx(0.1, abs=0.02)
