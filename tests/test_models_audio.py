"""The sound encoder's MFCC beside librosa's."""

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.audio import AudioEncoder, Mfcc
from models.spec import Spec

SPEC = Spec(token_size=16)
RATE = SPEC.sample_rate
TIME = np.arange(SPEC.num_samples) / RATE
MFCC = Mfcc(RATE)

Sound = NDArray[np.float32]


def noise(seed: int, level: float = 0.1) -> Sound:
    return np.random.default_rng(seed).normal(0, level, len(TIME)).astype(np.float32)


def tone(hertz: float, level: float = 0.5) -> Sound:
    return (level * np.sin(2 * np.pi * hertz * TIME)).astype(np.float32)


def clicks() -> Sound:
    sound = np.zeros(len(TIME), np.float32)
    sound[::4001] = 1
    return sound


SOUNDS = {
    "noise": noise(0),
    "quiet noise": noise(1, 1e-5),
    "low tone": tone(50),
    "tone": tone(440),
    "high tone": tone(7900),
    "full scale": np.sign(tone(330)),
    "silence": np.zeros(len(TIME), np.float32),
    "a constant": np.full(len(TIME), 0.5, np.float32),
    "clicks": clicks(),
    "a burst in silence": np.where(TIME < 0.1, noise(2, 0.5), 0).astype(np.float32),
    "a tone over quiet noise": tone(1000) + noise(3, 1e-3),
}


def by_librosa(sound: Sound) -> NDArray[np.floating]:
    mfcc: NDArray[np.floating] = librosa.feature.mfcc(y=sound, sr=RATE, n_mfcc=40, n_fft=512, hop_length=320, n_mels=64)
    return mfcc.T


def by_us(*sounds: Sound) -> NDArray[np.float32]:
    coefficients: NDArray[np.float32] = MFCC(torch.from_numpy(np.stack(sounds))).numpy()
    return coefficients


@pytest.mark.parametrize("name", SOUNDS)
def test_coefficients_equal_librosas(name: str) -> None:
    np.testing.assert_allclose(by_us(SOUNDS[name])[0], by_librosa(SOUNDS[name]), rtol=0, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    hertz=st.floats(20, 8000),
    loudness=st.floats(-100, 0),
    under=st.floats(-100, 0),
)
def test_any_tone_in_any_noise_has_librosas_coefficients(
    seed: int, hertz: float, loudness: float, under: float
) -> None:
    sound = tone(hertz, 10 ** (loudness / 20)) + noise(seed, 10 ** (under / 20))
    np.testing.assert_allclose(by_us(sound)[0], by_librosa(sound), rtol=0, atol=1e-3)


def test_each_sound_of_a_batch_has_its_own_peak() -> None:
    together = by_us(*SOUNDS.values())
    for row, sound in zip(together, SOUNDS.values(), strict=True):
        np.testing.assert_allclose(row, by_us(sound)[0], rtol=0, atol=1e-3)


def test_loudness_is_kept() -> None:
    # The first coefficient is the mean of 64 decibels times sqrt(64): 20 dB down is 160 down.
    change = np.subtract(by_us(noise(0, 0.1)), by_us(noise(0, 0.01)))
    np.testing.assert_allclose(change[..., 0], 160, atol=1e-2)
    np.testing.assert_allclose(change[..., 1:], 0, atol=1e-2)


def test_a_window_becomes_a_token_whatever_its_batch() -> None:
    torch.manual_seed(0)
    encoder = AudioEncoder(SPEC, hidden=8).eval()
    samples = torch.from_numpy(np.stack([noise(0), tone(440), clicks()]))
    with torch.inference_mode():
        tokens = encoder(samples)
        assert tokens.shape == (3, SPEC.token_size)
        torch.testing.assert_close(encoder(samples[1:2]), tokens[1:2], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(tokens[0], tokens[1], atol=1e-3)
