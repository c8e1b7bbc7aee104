"""MFCC and LSTM sound encoder: what Heed hears."""

import math

import torch
from torch import Tensor, nn

from models.spec import Spec

NUM_FFT = 512
"""Samples of a spectrum: 32 ms."""
HOP = 320
"""Samples between two spectra: 20 ms."""
NUM_MELS = 64
NUM_MFCC = 40
_CHANNELS = 64
_AMIN = 1e-10
_TOP_DB = 80.0


class Mfcc(nn.Module):
    """Mel-frequency cepstral coefficients as a convolution and two products, so that it exports to ONNX.

    Source: equal to `librosa.feature.mfcc(n_mfcc=40, n_fft=512, hop_length=320, n_mels=64)` within 1e-3; Slaney mel
    scale and norm, Hann window, centred with zeros, decibels over 1.0 with 80 dB under each clip's peak kept,
    orthonormal DCT-II.
    """

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        self.register_buffer("fourier", _fourier_basis(), persistent=False)
        self.register_buffer("mel", _mel_filters(sample_rate), persistent=False)
        self.register_buffer("cosine", _cosine_basis(), persistent=False)
        self.fourier: Tensor
        self.mel: Tensor
        self.cosine: Tensor

    def forward(self, samples: Tensor) -> Tensor:
        """Samples (B, S) to coefficients (B, S // 320 + 1, 40)."""
        padded = nn.functional.pad(samples, (NUM_FFT // 2, NUM_FFT // 2))
        spectrum = nn.functional.conv1d(padded[:, None], self.fourier, stride=HOP)  # (B, 2 * 257, frames)
        real, imaginary = spectrum.chunk(2, dim=1)
        mel = self.mel @ (real.square() + imaginary.square())  # (B, 64, frames)
        decibels = 10 * torch.log10(mel.clamp(min=_AMIN))
        floor = decibels.amax(dim=(1, 2), keepdim=True) - _TOP_DB
        return (self.cosine @ torch.maximum(decibels, floor)).transpose(1, 2)


class AudioEncoder(nn.Module):
    """Samples of a window to a token."""

    def __init__(self, spec: Spec, hidden: int = 96, layers: int = 2) -> None:
        super().__init__()
        self.mfcc = Mfcc(spec.sample_rate)
        self.norm = nn.BatchNorm1d(NUM_MFCC)
        self.convolutions = nn.Sequential(*_convolution(NUM_MFCC, 1), *_convolution(_CHANNELS, 2))
        # A window is whole when it is heard: looking back over it is no look into the future.
        self.lstm = nn.LSTM(_CHANNELS, hidden, layers, batch_first=True, dropout=0.2, bidirectional=True)
        self.num_features = 4 * hidden
        self.projection = nn.Linear(self.num_features, spec.token_size)

    def features(self, samples: Tensor) -> Tensor:
        """Samples float32 (B, S) to features (B, F): the mean and the peak of the LSTM's states over time."""
        patterns = self.convolutions(self.norm(self.mfcc(samples).transpose(1, 2)))  # (B, channels, frames / 2)
        states, _ = self.lstm(patterns.transpose(1, 2))  # (B, frames / 2, 2 * hidden)
        return torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1)

    def forward(self, samples: Tensor) -> Tensor:
        """Samples float32 (B, S) to tokens (B, D)."""
        return self.projection(self.features(samples))  # type: ignore[no-any-return]


def _convolution(in_channels: int, stride: int) -> tuple[nn.Module, ...]:
    """Short patterns, 100 ms at stride 1, before the LSTM looks for long ones."""
    conv = nn.Conv1d(in_channels, _CHANNELS, kernel_size=5, stride=stride, padding=2, bias=False)
    return conv, nn.BatchNorm1d(_CHANNELS), nn.ReLU()


def _fourier_basis() -> Tensor:
    """Windowed cosines, then sines, (2 * 257, 1, 512)."""
    time = torch.arange(NUM_FFT, dtype=torch.float64)
    hann = 0.5 - 0.5 * torch.cos(2 * math.pi * time / NUM_FFT)
    angle = 2 * math.pi * torch.arange(NUM_FFT // 2 + 1, dtype=torch.float64)[:, None] * time / NUM_FFT
    return torch.cat([hann * angle.cos(), -hann * angle.sin()])[:, None].float()


def _mel_filters(sample_rate: int) -> Tensor:
    """Triangles of Slaney's mel scale, each of unit area, (64, 257)."""
    # Linear up to 1 kHz (200/3 Hz a mel), logarithmic above (27 mels a factor of 6.4).
    knee, step = 15.0, math.log(6.4) / 27
    top = knee + math.log(sample_rate / 2 / 1000) / step
    mels = torch.linspace(0, top, NUM_MELS + 2, dtype=torch.float64)
    edges = torch.where(mels < knee, mels * 200 / 3, 1000 * torch.exp(step * (mels - knee)))
    bins = torch.linspace(0, sample_rate / 2, NUM_FFT // 2 + 1, dtype=torch.float64)
    width = edges.diff()
    ramps = edges[:, None] - bins
    triangles = torch.minimum(-ramps[:-2] / width[:-1, None], ramps[2:] / width[1:, None]).clamp(min=0)
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).float()


def _cosine_basis() -> Tensor:
    """The orthonormal DCT-II's first rows, (40, 64)."""
    rows = torch.arange(NUM_MFCC, dtype=torch.float64)[:, None]
    basis = torch.cos(math.pi / NUM_MELS * (torch.arange(NUM_MELS, dtype=torch.float64) + 0.5) * rows)
    basis *= math.sqrt(2 / NUM_MELS)
    basis[0] *= math.sqrt(0.5)
    return basis.float()
