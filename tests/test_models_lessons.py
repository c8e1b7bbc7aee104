"""Lessons: what encoders learn before their own stage, of which no head is left."""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import BERT, audio_pool, text_pool, tiny_recipe
from torch import Generator, Tensor, nn

from models.fit import Progress, Run
from models.lessons import Heard, Lessons, mix, sound_stage
from models.network import Architecture, Network, load_network
from models.plan import ActionsPlan, AudioPlan, FusionPlan, TeacherPlan, TextPlan, VideoPlan
from models.pool import Pool
from models.recipe import Recipe
from models.spec import Spec
from models.train import train

SPEC = Spec(frame_size=32)
ACTIONS = ActionsPlan(labels=Path("actions.csv"), epochs=2, draws=16, batch=8)


class CutOffError(Exception):
    """The power fails."""


def recipe(*, actions: ActionsPlan = ACTIONS, teacher: TeacherPlan | None = None) -> Recipe:
    """Lessons, and as little as can be after them."""
    return tiny_recipe(
        video=VideoPlan(size=32, width=0.125, epochs=0, actions=actions),
        audio=AudioPlan(hidden=16, epochs=1, draws=8, batch=4, teacher=teacher or TeacherPlan()),
        text=TextPlan(weights="random", bert=BERT, epochs=0),
        fusion=FusionPlan(layers=1, heads=2, align_epochs=0, epochs=0),
    )


def moving(count: int = 12) -> Pool:
    """What stands still, flickers, or gets brighter."""
    labels = torch.arange(count) % 3
    frames = torch.full((count, SPEC.num_frames, 32, 32, 3), 60, dtype=torch.uint8)
    frames[labels == 1, ::2] = 200
    frames[labels == 2] += (10 * torch.arange(SPEC.num_frames, dtype=torch.uint8))[:, None, None, None]
    return Pool((frames,), labels, np.array([f"recording {i}" for i in range(count)]))


def pools() -> dict[str, Pool]:
    """Sounds only."""
    nothing = Pool((torch.zeros(0, SPEC.num_frames, 32, 32, 3, dtype=torch.uint8),), *_no_labels())
    return {"video": nothing, "audio": audio_pool(torch.arange(12) % 2), "text": text_pool(torch.zeros(0).long())}


def _no_labels() -> tuple[Tensor, np.ndarray[tuple[int], np.dtype[np.str_]]]:
    return torch.zeros(0, dtype=torch.int64), np.array([], dtype=np.str_)


def silent(_: str, __: int, ___: int) -> None:
    """Nobody looks on."""


def cut_off(stage: str, step: int) -> Progress:
    """Stops after a step of a stage."""

    def progress(name: str, done: int, _: int) -> None:
        if (name, done) == (stage, step):
            raise CutOffError

    return progress


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return [row | {"seconds": ""} for row in csv.DictReader(file)]


def state(folder: Path) -> dict[str, Tensor]:
    saved: dict[str, Tensor] = load_network(folder / "network.pt").state_dict()
    return saved


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a lesson of actions."""
    folder = tmp_path_factory.mktemp("taught")
    train(recipe(), pools(), folder, silent, actions=moving())
    return folder


def test_a_lesson_of_actions_teaches_the_backbone_and_leaves_no_head(taught: Path, tmp_path: Path) -> None:
    train(recipe(), pools(), tmp_path, silent)
    without, found = state(tmp_path), state(taught)
    changed = {key for key, value in found.items() if not torch.equal(value, without[key])}
    assert {key for key in found if key.startswith("video.backbone.") and "num_batches" not in key} <= changed
    assert not {key for key in changed if key.startswith(("video.projection.", "text."))}
    plain = Network(SPEC, load_network(taught / "network.pt").architecture)
    assert found.keys() == plain.state_dict().keys()
    assert [(row["stage"], row["epoch"]) for row in history(taught)] == [
        ("actions", "1"),
        ("actions", "2"),
        ("audio", "1"),
    ]


def test_a_lesson_is_not_given_twice(taught: Path) -> None:
    stages: set[str] = set()
    before = history(taught)
    train(recipe(), pools(), taught, lambda name, *_: stages.add(name), actions=moving())
    assert not stages
    assert history(taught) == before


def test_actions_and_the_way_of_time_are_learned(tmp_path: Path) -> None:
    actions = ACTIONS.model_copy(update={"epochs": 4, "draws": 24, "rate": 3e-3, "average": 0.0})
    train(recipe(actions=actions), pools(), tmp_path, silent, actions=moving())
    losses = [float(row["train_loss"]) for row in history(tmp_path) if row["stage"] == "actions"]
    # Guessing: ln 3 for the kinds, half of ln 2 for time.
    assert losses[0] > 0.9 * (np.log(3) + 0.5 * np.log(2))
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(("stage", "step"), [("actions", 3), ("sounds", 5)])
def test_a_run_cut_off_with_lessons_ends_as_if_it_had_not_been(
    tmp_path: Path, with_teacher: tuple[Recipe, Path], stage: str, step: int
) -> None:
    told, whole = with_teacher
    with pytest.raises(CutOffError):
        train(told, pools(), tmp_path, cut_off(stage, step), actions=moving())
    train(told, pools(), tmp_path, silent, actions=moving())
    expected = state(whole)
    assert all(torch.equal(value, expected[key]) for key, value in state(tmp_path).items())
    assert history(tmp_path) == history(whole)


@pytest.fixture(scope="module")
def with_teacher(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path]:
    """A recipe with both lessons, and a run by it that was not cut off."""
    pytest.importorskip("ai_edge_litert")
    from tflite_file import write_tflite

    folder = tmp_path_factory.mktemp("whole")
    plan = TeacherPlan(weights=write_tflite(folder / "first.tflite"), mixtures=16, epochs=2, batch=4)
    told = recipe(teacher=plan)
    train(told, pools(), folder, silent, actions=moving())
    assert [row["stage"] for row in history(folder)] == ["actions", "actions", "sounds", "sounds", "audio"]
    return told, folder


def test_without_sounds_no_teacher_is_asked(tmp_path: Path) -> None:
    told = recipe(teacher=TeacherPlan(weights=tmp_path / "none.tflite"))
    read_only = {"audio": audio_pool(torch.zeros(0).long()), "text": text_pool(torch.arange(12) % 2 * 7)}
    train(told, pools() | read_only, tmp_path / "run", silent)
    assert (tmp_path / "run" / "network.pt").exists()


def bands(samples: Tensor) -> Tensor:
    """A teacher: which share of the sound's power is in each of four bands (B, 4)."""
    power = torch.fft.rfft(samples).abs().square()
    edges = [0, 1000, 2000, 4000, 16_001]  # of half a hertz each
    shares = [power[:, low:high].sum(dim=1) for low, high in pairwise(edges)]
    return torch.stack(shares, dim=1).div(power.sum(dim=1, keepdim=True).clamp(min=1e-9))


def tones(count: int, seed: int) -> Tensor:
    """Windows of tones of any pitch, as many low ones as high ones to the ear."""
    octaves = 6 * torch.rand(count, 1, generator=Generator().manual_seed(seed))
    return 0.3 * torch.sin(2 * torch.pi * 100 * 2**octaves * torch.arange(SPEC.num_samples) / SPEC.sample_rate)


def test_mixtures_are_those_the_seed_chooses_and_are_heard_by_the_teacher() -> None:
    heard, again, other = (mix(tones(5, 0), bands, 70, seed) for seed in (0, 0, 1))
    assert heard.samples.shape == (70, SPEC.num_samples)
    assert heard.samples.dtype == torch.float16
    assert torch.equal(heard.samples, again.samples)
    assert not torch.equal(heard.samples, other.samples)
    torch.testing.assert_close(heard.probabilities, bands(heard.samples.float()))


def test_the_sound_encoder_comes_to_hear_what_its_teacher_hears(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Network(
        SPEC,
        Architecture(
            0.125, audio_hidden=16, bert={str(key): size for key, size in BERT.items()}, fusion_layers=1, fusion_heads=2
        ),
    )
    lessons = Lessons(network, num_actions=0, num_sounds=4)
    told = recipe(teacher=TeacherPlan(epochs=10, batch=16, average=0.8, rate=5e-3, head_rate=5e-3))
    unheard = mix(tones(60, 1), bands, 60, 1)
    before = likeness(network, lessons, unheard)
    taught = nn.ModuleDict({"network": network, "lessons": lessons})
    stage = sound_stage(network, lessons, mix(tones(60, 0), bands, 120, 0), told)
    Run(tmp_path, taught, 0, silent).fit(stage)
    after = likeness(network, lessons, unheard)
    assert after.min() > 0.6, (before, after)
    assert after.mean() > before.mean() + 0.3


def likeness(network: Network, lessons: Lessons, heard: Heard) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Of each class, the correlation of student and teacher."""
    network.eval()
    with torch.inference_mode():
        logits = lessons.sounds(network.audio(heard.samples.float()))
    columns = zip(logits.sigmoid().T.numpy(), heard.probabilities.T.numpy(), strict=True)
    return np.array([np.corrcoef(student, teacher)[0, 1] for student, teacher in columns])
