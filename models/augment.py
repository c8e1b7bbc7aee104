"""What may change in a window without changing what it is."""

import torch
from torch import Generator, Tensor
from torch.nn import functional


def augment_frames(frames: Tensor, generator: Generator) -> Tensor:
    """Mirrors, crops, brightens and greys; the order of time is kept.

    Args:
        frames: uint8 (B, T, H, W, 3).
        generator: of the random numbers.

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
    return colours.permute(0, 1, 3, 4, 2)


def augment_samples(samples: Tensor, background: Tensor, generator: Generator) -> Tensor:
    """Shifts in time, changes the gain a little (loudness is evidence), lays an ordinary sound or noise under it.

    Args:
        samples: float32 (B, S).
        background: float32 (B, S), ordinary sounds.
        generator: of the random numbers.
    """
    batch, length = samples.shape
    shift = torch.randint(-length // 4, length // 4, (batch, 1), generator=generator)
    samples = samples.gather(1, (torch.arange(length) - shift) % length)
    samples = samples * _decibels(batch, -9, 6, generator)
    is_mixed = torch.rand(batch, 1, generator=generator) < 0.5
    under = background * _decibels(batch, -25, -6, generator)
    noise = torch.randn(samples.shape, generator=generator) * _decibels(batch, -80, -40, generator)
    return torch.where(is_mixed, samples + under, samples + noise).clamp(-1, 1)


def _decibels(batch: int, low: float, high: float, generator: Generator) -> Tensor:
    """Random gains (B, 1) between two levels."""
    return 10 ** ((low + (high - low) * torch.rand(batch, 1, generator=generator)) / 20)


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
