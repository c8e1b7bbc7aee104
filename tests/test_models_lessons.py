"""Lessons: what encoders learn before their own stage, of which no head is left."""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import BERT, audio_pool, text_pool, tiny_recipe
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.fit import Progress, Run
from models.flow import GRID
from models.lessons import Heard, Lessons, Moving, flow_stage, follow, mix, sound_stage
from models.network import Architecture, Network, load_network
from models.plan import AudioPlan, FlowPlan, FusionPlan, TeacherPlan, TextPlan, VideoPlan
from models.pool import Pool
from models.recipe import Recipe
from models.spec import Spec
from models.train import train

SPEC = Spec(frame_size=32)
FLOW = FlowPlan(labels=Path("footage.csv"), epochs=2, draws=16, batch=8)

ARCHITECTURE = Architecture(
    0.125, audio_hidden=16, bert={str(key): size for key, size in BERT.items()}, fusion_layers=1, fusion_heads=2
)


class CutOffError(Exception):
    """The power fails."""


def recipe(*, flow: FlowPlan = FLOW, teacher: TeacherPlan | None = None) -> Recipe:
    """Lessons, and as little as can be after them."""
    return tiny_recipe(
        video=VideoPlan(size=32, width=0.125, epochs=0, flow=flow),
        audio=AudioPlan(hidden=16, epochs=1, draws=8, batch=4, teacher=teacher or TeacherPlan()),
        text=TextPlan(weights="random", bert=BERT, epochs=0),
        fusion=FusionPlan(layers=1, heads=2, align_epochs=0, epochs=0),
    )


def moving(count: int = 12, seed: int = 0) -> Pool:
    """A texture that stands still, or drifts slowly or fast, in one half of the picture or the other."""
    chance = np.random.default_rng(seed)
    labels = torch.arange(count) % 3
    noise = chance.integers(0, 256, (count, 1, 16, 16, 3), dtype=np.uint8)
    frames = noise.repeat(2, axis=2).repeat(2, axis=3).repeat(SPEC.num_frames, axis=1)
    for window, speed, top in zip(frames, labels.tolist(), chance.random(count) < 0.5, strict=True):
        half = slice(0, 16) if top else slice(16, 32)
        for number, picture in enumerate(window):
            picture[half] = np.roll(picture[half], speed * number, axis=1)
    return Pool((torch.from_numpy(frames),), labels, np.array([f"recording {i}" for i in range(count)]))


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
    """A run with a lesson of flow."""
    folder = tmp_path_factory.mktemp("taught")
    train(recipe(), pools(), folder, silent, footage=moving())
    return folder


def test_a_lesson_of_flow_teaches_the_backbone_and_leaves_no_head(taught: Path, tmp_path: Path) -> None:
    train(recipe(), pools(), tmp_path, silent)
    without, found = state(tmp_path), state(taught)
    changed = {key for key, value in found.items() if not torch.equal(value, without[key])}
    assert {key for key in found if key.startswith("video.backbone.") and "num_batches" not in key} <= changed
    assert not {key for key in changed if key.startswith(("video.projection.", "text."))}
    plain = Network(SPEC, load_network(taught / "network.pt").architecture)
    assert found.keys() == plain.state_dict().keys()
    assert [(row["stage"], row["epoch"]) for row in history(taught)] == [
        ("flow", "1"),
        ("flow", "2"),
        ("audio", "1"),
    ]


def test_a_lesson_is_not_given_twice(taught: Path) -> None:
    stages: set[str] = set()
    before = history(taught)
    train(recipe(), pools(), taught, lambda name, *_: stages.add(name), footage=moving())
    assert not stages
    assert history(taught) == before


def test_the_video_encoder_comes_to_see_what_moves_where(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Network(SPEC, ARCHITECTURE)
    lessons = Lessons(network, num_sounds=4)
    told = recipe(flow=FLOW.model_copy(update={"epochs": 6, "draws": 64, "average": 0.8}))
    taught = nn.ModuleDict({"network": network, "lessons": lessons})
    unseen = follow(moving(18, seed=1), moving(0))
    before = seen_speed(network, lessons, unseen)
    Run(tmp_path, taught, 0, silent).fit(flow_stage(network, lessons, follow(moving(60), moving(3, seed=2)), told))
    after = seen_speed(network, lessons, unseen)
    assert after > 0.7, (before, after)
    assert abs(before) < 0.4


def seen_speed(network: Network, lessons: Lessons, windows: Moving) -> float:
    """Correlation of the speed that the encoder sees in each cell with what it is."""
    network.eval()
    with torch.inference_mode():
        found = functional.adaptive_avg_pool3d(lessons.flow(network.video.maps(windows.frames)), GRID)
    return float(torch.corrcoef(torch.stack([found[:, 0].flatten(), windows.measures[:, 0].flatten()]))[0, 1])


def test_a_third_of_what_teaches_flow_is_other_footage() -> None:
    mixed = follow(moving(6), moving(3))
    assert mixed.frames.shape[0] == len(mixed.weights) == 9
    assert float(mixed.weights[:6].sum()) == pytest.approx(2 / 3)
    assert float(mixed.weights.sum()) == pytest.approx(1)
    torch.testing.assert_close(mixed.measures.mean(dim=(0, 2, 3, 4)), torch.zeros(6), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("stage", "step"), [("flow", 3), ("sounds", 5)])
def test_a_run_cut_off_with_lessons_ends_as_if_it_had_not_been(
    tmp_path: Path, with_teacher: tuple[Recipe, Path], stage: str, step: int
) -> None:
    told, whole = with_teacher
    with pytest.raises(CutOffError):
        train(told, pools(), tmp_path, cut_off(stage, step), footage=moving())
    train(told, pools(), tmp_path, silent, footage=moving())
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
    train(told, pools(), folder, silent, footage=moving())
    assert [row["stage"] for row in history(folder)] == ["flow", "flow", "sounds", "sounds", "audio"]
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
    network = Network(SPEC, ARCHITECTURE)
    lessons = Lessons(network, num_sounds=4)
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
