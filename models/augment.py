"""What may change in a window without changing what it is."""

import torch
from torch import Generator, Tensor
from torch.nn import functional


def augment_frames(frames: Tensor, generator: Generator, reverse: float = 0.0) -> Tensor:
    """Mirrors, crops, brightens, greys and turns time round.

    Args:
        frames: uint8 (B, T, H, W, 3).
        generator: of the random numbers.
        reverse: how often a window runs backwards.

    Returns:
        float32 of 0 to 255, the same shape.
    """
    batch, _, height, width, _ = frames.shape
    scale = 0.65 + 0.35 * torch.rand(batch, 2, generator=generator)
    shift = (1 - scale) * (2 * torch.rand(batch, 2, generator=generator) - 1)
    mirror = torch.where(torch.rand(batch, generator=generator) < 0.5, -1.0, 1.0)
    affine = torch.zeros(batch, 2, 3)
    affine[:, 0, 0], affine[:, 1, 1], affine[:, :, 2] = scale[:, 0] * mirror, scale[:, 1], shift
    grid = functional.affine_grid(affine, [batch, 1, height, width], align_corners=False)
    planes = frames.permute(0, 1, 4, 2, 3).flatten(1, 2).float()  # (B, T * 3, H, W)
    planes = functional.grid_sample(planes, grid, align_corners=False, padding_mode="border")
    gain = 0.6 + 0.8 * torch.rand(batch, 1, 1, 1, generator=generator)
    offset = 40 * (torch.rand(batch, 1, 1, 1, generator=generator) - 0.5)
    grey = torch.rand(batch, 1, 1, 1, 1, generator=generator) < 0.2
    colours = (planes * gain + offset).clamp(0, 255).unflatten(1, (-1, 3))  # (B, T, 3, H, W)
    colours = torch.where(grey, colours.mean(dim=2, keepdim=True).expand_as(colours), colours)
    changed = colours.permute(0, 1, 3, 4, 2)
    backwards = torch.rand(batch, 1, 1, 1, 1, generator=generator) < reverse
    return torch.where(backwards, changed.flip(1), changed)


def augment_samples(samples: Tensor, background: Tensor, generator: Generator) -> Tensor:
    """Another speed, another room, a hole; a little louder or quieter; an ordinary sound or noise under it.

    Args:
        samples: float32 (B, S).
        background: float32 (B, S), ordinary sounds.
        generator: of the random numbers.
    """
    batch = len(samples)
    samples = _silence(_colour(_respeed(samples, generator), generator), generator).clamp(-1, 1)
    # Loudness is evidence: it changes a little only.
    samples = samples * _decibels(batch, -9, 6, generator)
    is_mixed = torch.rand(batch, 1, generator=generator) < 0.5
    under = background * _decibels(batch, -25, -6, generator)
    noise = torch.randn(samples.shape, generator=generator) * _decibels(batch, -80, -40, generator)
    return torch.where(is_mixed, samples + under, samples + noise).clamp(-1, 1)


def _respeed(samples: Tensor, generator: Generator) -> Tensor:
    """Begins elsewhere and, three times of four, runs up to 1.3 times faster or slower, and so higher or lower."""
    batch, length = samples.shape
    speed = 2 ** (0.8 * torch.rand(batch, 1, generator=generator) - 0.4)
    speed = torch.where(torch.rand(batch, 1, generator=generator) < 0.25, torch.ones_like(speed), speed)
    begin = torch.randint(length, (batch, 1), generator=generator)
    place = (torch.arange(length) * speed + begin) % (length - 1)
    before = place.long()
    share = place - before
    return samples.gather(1, before) * (1 - share) + samples.gather(1, before + 1) * share


def _colour(samples: Tensor, generator: Generator) -> Tensor:
    """Another microphone, often: up to 16 dB less or 8 dB more in ten bands. Another room, sometimes: its echo."""
    batch, length = samples.shape
    spectrum = torch.fft.rfft(samples, n=2 * length)
    # Bands grow with frequency, about as the ear has them.
    place = torch.linspace(0, 1, spectrum.shape[1]) ** 0.35 * 9
    band = place.long().clamp(max=8)
    share = place - band
    gain = (24 * torch.rand(batch, 10, generator=generator) - 16) * (torch.rand(batch, 1, generator=generator) < 0.7)
    decibels = gain[:, band] * (1 - share) + gain[:, band + 1] * share
    time = torch.linspace(0, 0.5, length // 4)
    decay = 0.05 + 0.3 * torch.rand(batch, 1, generator=generator)
    loud = 0.05 * torch.rand(batch, 1, generator=generator) * (torch.rand(batch, 1, generator=generator) < 0.4)
    echo = torch.randn(batch, len(time), generator=generator) * torch.exp(-3 * time / decay) * loud
    echo[:, 0] = 1
    spectrum = spectrum * 10 ** (decibels / 20) * torch.fft.rfft(echo, n=2 * length)
    coloured: Tensor = torch.fft.irfft(spectrum, n=2 * length)
    return coloured[:, :length]


def _silence(samples: Tensor, generator: Generator) -> Tensor:
    """Up to a quarter of it, sometimes."""
    batch, length = samples.shape
    begin = torch.randint(length, (batch, 1), generator=generator)
    size = torch.randint(1, length // 4, (batch, 1), generator=generator)
    size = size * (torch.rand(batch, 1, generator=generator) < 0.4)
    time = torch.arange(length)
    return torch.where((time >= begin) & (time < begin + size), samples * 0.03, samples)


def _decibels(batch: int, low: float, high: float, generator: Generator) -> Tensor:
    """Random gains (B, 1) between two levels."""
    decibels = low + (high - low) * torch.rand(batch, 1, generator=generator)
    return torch.pow(10, decibels / 20)


def drop_words(token_ids: Tensor, mask: Tensor, unknown: int, share: float, generator: Generator) -> Tensor:
    """Word pieces misheard at random; the first of each line is its CLS and stays.

    Args:
        token_ids: int64 (B, L).
        mask: int64 (B, L).
        unknown: id of the piece that stands for any.
        share: of the pieces.
        generator: of the random numbers.
    """
    hit = (torch.rand(token_ids.shape, generator=generator) < share) & (mask > 0)
    hit[:, 0] = False
    return torch.where(hit, torch.full_like(token_ids, unknown), token_ids)
