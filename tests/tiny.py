"""Tiny windows, recipes and a bundle, made by the code that makes real ones."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Generator, Tensor

from export.parity import Arrays
from export.write import write_bundle
from models.plan import AudioPlan, BertKey, Data, FusionPlan, TextPlan, VideoPlan
from models.pool import Pool
from models.recipe import Recipe
from models.spec import Spec
from models.train import train

torch.set_num_threads(1)  # what is tiny waits longer for a second thread than it works

SPEC: Final = Spec()
WORDS: Final = ("good morning", "a nice day", "see you at noon", "give me the money or I shoot", "I will kill you")
BERT: Final[dict[BertKey, int]] = {
    "vocab_size": 30522,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
}


def tiny_recipe(**changes: Any) -> Recipe:
    """All stages, an epoch each, of the smallest networks."""
    plans: dict[str, Any] = {
        "name": "tiny",
        "precision": "fp32",
        "device": "cpu",
        "data": (Data(labels=Path("labels.csv"), name="noise and tones", licence="none"),),
        "video": VideoPlan(width=0.125, epochs=1, draws=4, batch=4),
        "audio": AudioPlan(hidden=16, epochs=1, draws=8, batch=4),
        "text": TextPlan(weights="random", bert=BERT, epochs=1, draws=8, batch=4),
        "fusion": FusionPlan(layers=1, heads=2, align_epochs=1, epochs=1, sequences=16, batch=8, rate=2e-2),
    }
    return Recipe(**plans | changes)


def video_pool(labels: Tensor) -> Pool:
    """Windows that stand still or flicker."""
    frames = torch.full((len(labels), SPEC.num_frames, SPEC.frame_size, SPEC.frame_size, 3), 90, dtype=torch.uint8)
    frames[labels > 0, ::2] = 160
    return Pool((frames,), labels, _groups(labels))


def audio_pool(labels: Tensor) -> Pool:
    """Tones of random pitch, or bursts of noise."""
    random = Generator().manual_seed(len(labels))
    time = torch.arange(SPEC.num_samples) / SPEC.sample_rate
    pitch = 200 + 600 * torch.rand(len(labels), 1, generator=random)
    tones = 0.3 * torch.sin(2 * torch.pi * pitch * time)
    bursts = 0.5 * torch.randn(len(labels), len(time), generator=random) * torch.exp(-4 * time)
    return Pool((torch.where(labels[:, None] > 0, bursts, tones),), labels, _groups(labels))


def text_pool(labels: Tensor) -> Pool:
    """Lines of word pieces from two halves of the vocabulary."""
    random = Generator().manual_seed(len(labels))
    pieces = torch.randint(2000, 9000, (len(labels), 8), generator=random) + 9000 * (labels[:, None] > 0)
    pieces[:, 0], pieces[:, -1] = 101, 102
    return Pool((pieces, torch.ones_like(pieces)), labels, _groups(labels))


def tiny_pools(*, count: int = 12, only: tuple[str, ...] = ("video", "audio", "text")) -> dict[str, Pool]:
    """Windows of each modality, every other one an anomaly; empty where not asked for."""
    makers = {"video": video_pool, "audio": audio_pool, "text": text_pool}
    kinds = {"video": 1, "audio": 2, "text": 7}
    return {name: make(torch.arange(count if name in only else 0) % 2 * kinds[name]) for name, make in makers.items()}


def probe(count: int, seed: int = 0) -> Arrays:
    """Windows of noise."""
    random = np.random.default_rng(seed)
    return {
        "frames": random.integers(0, 256, (count, SPEC.num_frames, SPEC.frame_size, SPEC.frame_size, 3), np.uint8),
        "samples": random.normal(0, 0.1, (count, SPEC.num_samples)).astype(np.float32),
        "texts": np.array([WORDS[i % len(WORDS)] for i in range(count)]),
    }


def write_tiny(folder: Path) -> None:
    """Trains a run and exports its bundle, side by side."""
    train(tiny_recipe(), tiny_pools(), folder / "run", lambda *_: None)
    write_bundle(folder / "run", folder / "bundle", probe(3), {})


def _groups(labels: Tensor) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Every window is a recording of its own."""
    return np.array([f"recording {i}" for i in range(len(labels))], dtype=np.str_)
