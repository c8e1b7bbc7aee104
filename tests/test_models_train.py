"""Training: it learns what can be learned, goes on where it was cut off, and says what is wrong."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tiny import tiny_pools, tiny_recipe

from models.errors import RecipeError, TrainingError, WeightsError
from models.fit import Progress
from models.fusion import Concatenation
from models.network import Network, load_network
from models.plan import AudioPlan, FusionPlan, VideoPlan
from models.statistics import platt
from models.train import read_run, train
from models.verdicts import load_verdicts

SHORT = FusionPlan(layers=1, heads=2, align_epochs=1, epochs=2, sequences=32, batch=16)
RECIPE = tiny_recipe(audio=AudioPlan(hidden=16, epochs=3, draws=48, batch=8, rate=1e-2), fusion=SHORT)


class CutOffError(Exception):
    """The power fails."""


def silent(_: str, __: int, ___: int) -> None:
    """Nobody looks on."""


def cut_off(stage: str, step: int) -> Progress:
    """Stops after a step of a stage."""

    def progress(name: str, done: int, _: int) -> None:
        if (name, done) == (stage, step):
            raise CutOffError

    return progress


def learn(folder: Path, progress: Progress = silent) -> dict[str, Any]:
    """Bursts of noise among tones."""
    return train(RECIPE, tiny_pools(count=24, only=("audio",)), folder, progress)


def state(folder: Path) -> dict[str, torch.Tensor]:
    saved: dict[str, torch.Tensor] = load_network(folder / "network.pt").state_dict()
    return saved


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    learn(folder)
    return folder


def test_noise_is_told_from_tones(run: Path) -> None:
    report = json.loads((run / "run.json").read_text())
    assert report["validation_auc"]["audio"] == 1.0
    assert "video" not in report["validation_auc"]
    assert report["windows"]["train"]["video"] == "0 normal and 0 anomalous"


def test_a_finished_run_can_be_read(run: Path) -> None:
    network, report = read_run(run)
    assert not network.training
    assert 0 < report["calibration"]["threshold"] < 1
    assert report["recipe"]["name"] == RECIPE.name


def test_the_run_says_what_it_was_made_with(run: Path) -> None:
    report = json.loads((run / "run.json").read_text())
    assert torch.__version__.startswith(report["environment"]["torch"].partition("+")[0])
    assert report["environment"]["threads"] == torch.get_num_threads()
    assert report["process"]["seconds"] > 0
    assert re.fullmatch("[0-9a-f]{40}", report["process"]["revision"] or "0" * 40)
    picture = cv2.imread(str(run / "curves.png"))
    assert picture is not None
    assert picture.std() > 1


def test_few_windows_of_validation_are_told(run: Path) -> None:
    said: list[str] = []
    train(RECIPE, tiny_pools(count=24, only=("audio",)), run, silent, said.append)
    assert said[0].startswith("train: audio: validates on 3 normal and 3 anomalous windows only")


def test_the_history_has_a_row_for_each_epoch(run: Path) -> None:
    with (run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["stage"], row["epoch"]) for row in rows] == [
        ("audio", "1"),
        ("audio", "2"),
        ("audio", "3"),
        ("joint", "1"),  # one modality has nothing to be aligned with
        ("joint", "2"),
    ]


def test_a_run_that_was_cut_off_ends_as_if_it_had_not_been(run: Path, tmp_path: Path) -> None:
    with pytest.raises(CutOffError):
        learn(tmp_path, cut_off("joint", 3))
    with pytest.raises(RecipeError, match="no finished run there"):
        read_run(tmp_path)
    learn(tmp_path)
    expected = state(run)
    assert all(torch.equal(value, expected[key]) for key, value in state(tmp_path).items())
    report, other = (json.loads((folder / "run.json").read_text()) for folder in (tmp_path, run))
    assert report | {"process": ""} == other | {"process": ""}


def test_a_finished_run_is_not_trained_again(run: Path) -> None:
    before = state(run)
    learn(run, cut_off("audio", 1))
    assert all(torch.equal(value, before[key]) for key, value in state(run).items())


@pytest.mark.parametrize("train_backbones", [False, True])
def test_the_joint_stage_teaches_the_backbones_when_told_to(tmp_path: Path, *, train_backbones: bool) -> None:
    plan = FusionPlan(layers=1, heads=2, epochs=1, sequences=4, batch=2, train_backbones=train_backbones)
    recipe = tiny_recipe(audio=AudioPlan(hidden=16, epochs=0), fusion=plan)
    train(recipe, tiny_pools(only=("audio",)), tmp_path, silent)
    network, _ = read_run(tmp_path)
    torch.manual_seed(recipe.seed)
    learned, begun = network.state_dict(), Network(network.spec, network.architecture).state_dict()
    assert not torch.equal(learned["fusion.heads.1.anomaly.weight"], begun["fusion.heads.1.anomaly.weight"])
    for key in ("audio.lstm.weight_hh_l0", "audio.projection.weight"):
        assert torch.equal(learned[key], begun[key]) is not train_backbones


def test_fusion_leaves_what_each_modality_says_by_itself(tmp_path: Path) -> None:
    told = tiny_recipe(audio=RECIPE.audio, fusion=SHORT)
    pools = tiny_pools(count=24, only=("video", "audio"))
    for part, recipe in (("fused", told), ("alone", told.model_copy(update={"fusion": NOTHING}))):
        train(recipe, pools, tmp_path / part, silent)
    fused, alone = state(tmp_path / "fused"), state(tmp_path / "alone")
    changed = {key for key in fused if not torch.equal(fused[key], alone[key])}
    own = ("video.", "audio.", "fusion.heads.0.", "fusion.heads.1.")
    assert not {key for key in changed if key.startswith(own)}
    assert {"fusion.entries.0.0.weight", "fusion.blocks.0.qkv.weight", "fusion.heads.2.anomaly.weight"} <= changed


NOTHING = FusionPlan(layers=1, heads=2, align_epochs=0, epochs=0)
BRIEF = tiny_recipe(audio=AudioPlan(hidden=16, epochs=0), fusion=NOTHING)
"""A recipe that trains nothing: what is around training is all there is."""


def test_a_run_can_begin_with_the_networks_of_another(run: Path, tmp_path: Path) -> None:
    begun = BRIEF.model_copy(update={"begin": run, "seed": 5})
    report = train(begun, tiny_pools(count=24, only=("audio",)), tmp_path, silent)
    expected = state(run)
    assert all(torch.equal(value, expected[key]) for key, value in state(tmp_path).items())
    assert "begin" not in report["recipe"]


def test_a_run_of_other_sizes_is_no_beginning(run: Path, tmp_path: Path) -> None:
    wider = BRIEF.model_copy(update={"begin": run, "audio": AudioPlan(hidden=24, epochs=0)})
    with pytest.raises(WeightsError, match="train: begin: the run's networks are of other sizes"):
        train(wider, tiny_pools(count=24, only=("audio",)), tmp_path, silent)
    missing = BRIEF.model_copy(update={"begin": tmp_path / "none"})
    with pytest.raises(RecipeError, match=r"run: .*/none: no finished run there"):
        train(missing, tiny_pools(count=24, only=("audio",)), tmp_path, silent)


def test_a_network_may_imitate_a_wider_one(tmp_path: Path) -> None:
    wide, narrow = (VideoPlan(width=width, epochs=1, draws=4, batch=4, mixup=0) for width in (0.25, 0.125))
    pools = tiny_pools(count=12, only=("video",))
    train(tiny_recipe(video=wide, fusion=NOTHING), pools, tmp_path / "wide", silent)
    told = narrow.model_copy(update={"teachers": (tmp_path / "wide",), "imitate": 1.0})
    for part, plan in (("told", told), ("untold", narrow)):
        report = train(tiny_recipe(video=plan, fusion=NOTHING), pools, tmp_path / part, silent)
    assert not torch.equal(*(state(tmp_path / part)["video.projection.weight"] for part in ("told", "untold")))
    assert "teachers" not in report["recipe"]["video"]
    other = tiny_recipe(video=told, labels=("fight",), fusion=NOTHING)
    with pytest.raises(WeightsError, match=r"teachers: .*/wide: of other windows or labels; name a run with"):
        train(other, pools, tmp_path / "other", silent)


def test_a_folder_of_seeds_teaches_as_its_runs_do(tmp_path: Path) -> None:
    pools, seeds = tiny_pools(count=24, only=("audio",)), [tmp_path / f"runs/seed-{seed}" for seed in (1, 2)]
    for seed, folder in enumerate(seeds, 1):
        train(RECIPE.model_copy(update={"seed": seed}), pools, folder, silent)
    for part, teachers in (("all", (tmp_path / "runs",)), ("each", tuple(seeds)), ("one", (seeds[0],)), ("none", ())):
        audio = RECIPE.audio.model_copy(update={"teachers": teachers})
        train(RECIPE.model_copy(update={"audio": audio}), pools, tmp_path / part, silent)
    learned = {part: state(tmp_path / part)["audio.projection.weight"] for part in ("all", "each", "one", "none")}
    assert torch.equal(learned["all"], learned["each"])
    assert not any(torch.equal(learned["all"], learned[part]) for part in ("one", "none"))


def test_a_refit_learns_from_everything_and_keeps_the_calibration(run: Path, tmp_path: Path) -> None:
    pools, refit = tiny_pools(count=24, only=("audio",)), RECIPE.model_copy(update={"refit": run})
    report, first = train(refit, pools, tmp_path, silent), read_run(run)[1]
    assert report["refit"] == [run.name]
    assert "refit" not in first
    assert json.loads(json.dumps(report["calibration"])) == first["calibration"]
    assert report["validation_auc"] == first["validation_auc"]
    normal = int((pools["audio"].labels == 0).sum())
    assert report["windows"]["train"]["audio"] == f"{normal} normal and {len(pools['audio']) - normal} anomalous"
    assert not all(torch.equal(value, state(run)[key]) for key, value in state(tmp_path).items())


def test_a_refit_after_folds_is_calibrated_by_every_recording(tmp_path: Path) -> None:
    pools, logits, truths, composed = tiny_pools(count=24, only=("audio",)), [], [], []
    for fold in (0, 1):
        told = BRIEF.model_copy(update={"folds": 2, "fold": fold, "fusion": QUICK})
        folder = tmp_path / f"runs/fold-{fold}"
        train(told, pools, folder, silent)
        kept = pools["audio"].split_fold(2, fold)[1]
        network = load_network(folder / "network.pt")
        with torch.inference_mode():
            logits += network.fusion.heads[1](network.audio(kept.inputs[0]))[0].tolist()
        truths += (kept.labels > 0).tolist()
        composed += load_verdicts(folder / "verdicts.pt").truth.tolist()
    refit = BRIEF.model_copy(update={"refit": tmp_path / "runs", "fusion": QUICK})
    report = train(refit, pools, tmp_path / "all", silent)
    assert report["refit"] == ["fold-0", "fold-1"]
    assert len(logits) == len(pools["audio"])
    assert report["validation_auc"]["audio"] == pytest.approx(roc_auc_score(truths, logits), abs=1e-4)
    scale, bias = platt(torch.tensor(logits), torch.tensor(truths))
    moved = np.log(refit.prior / (1 - refit.prior) * composed.count(False) / composed.count(True))
    assert report["calibration"]["modalities"]["audio"] == pytest.approx((scale, bias + moved), rel=1e-3)


def test_a_run_without_its_verdicts_cannot_calibrate_another(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "first", ignore=shutil.ignore_patterns("verdicts.pt"))
    refit = RECIPE.model_copy(update={"refit": tmp_path / "first"})
    with pytest.raises(WeightsError, match=r"run: .*/verdicts\.pt: not there; the run is of an earlier version; give"):
        train(refit, tiny_pools(count=24, only=("audio",)), tmp_path / "all", silent)


def test_only_a_run_of_the_same_recipe_is_fitted_anew(run: Path, tmp_path: Path) -> None:
    other = RECIPE.model_copy(update={"refit": run, "validation": 0.3})
    with pytest.raises(
        RecipeError, match=r"train: refit: .*: a run of another recipe; name one of this, or a folder of"
    ):
        train(other, tiny_pools(count=24, only=("audio",)), tmp_path, silent)


QUICK = NOTHING.model_copy(update={"kind": "concatenation"})


def test_each_fold_validates_on_its_own_part(tmp_path: Path) -> None:
    for fold in range(3):
        told = BRIEF.model_copy(update={"folds": 3, "fold": fold, "fusion": QUICK})
        report = train(told, tiny_pools(count=24, only=("audio",)), tmp_path / str(fold), silent)
        assert report["windows"]["validation"]["audio"] == "4 normal and 4 anomalous"
        assert report["windows"]["train"]["audio"] == "8 normal and 8 anomalous"


def test_fusion_can_be_a_concatenation(tmp_path: Path) -> None:
    told = tiny_recipe(
        audio=AudioPlan(hidden=16, epochs=0), fusion=SHORT.model_copy(update={"kind": "concatenation", "epochs": 1})
    )
    train(told, tiny_pools(only=("audio",)), tmp_path, silent)
    assert isinstance(read_run(tmp_path)[0].fusion, Concatenation)


def test_a_checkpoint_of_other_networks_is_told(run: Path) -> None:
    wider = tiny_recipe(audio=AudioPlan(hidden=24, epochs=1), fusion=SHORT)
    with pytest.raises(TrainingError, match=r"train: .*checkpoint\.pt: of other networks: .*; name another folder"):
        train(wider, tiny_pools(count=24, only=("audio",)), run, silent)


def _all_normal() -> dict[str, Any]:
    pools = tiny_pools()
    return {name: pool.take(pool.labels == 0) for name, pool in pools.items()}


def _one_of_each() -> dict[str, Any]:
    pools = tiny_pools(only=("video", "audio"))
    video, audio = pools["video"], pools["audio"]
    return pools | {"video": video.take(video.labels == 0), "audio": audio.take(audio.labels > 0)}


def _two_recordings() -> dict[str, Any]:
    return tiny_pools(count=2, only=("text",))


def _no_windows() -> dict[str, Any]:
    return tiny_pools(only=())


@pytest.mark.parametrize(
    ("pools", "complaint"),
    [
        (
            _all_normal,
            r"both normal and anomalous ones \(video: 4 normal and 0 anomalous, .*add files labelled with an an",
        ),
        (
            _one_of_each,
            r"both normal .* \(video: 4 normal and 0 anomalous, audio: 0 normal .*; add both of one modality",
        ),
        (_no_windows, "no modality has both normal and anomalous ones .*; add files labelled `normal`"),
        (_two_recordings, "train: text: too few recordings to keep both .* add recordings, each with its own `group`"),
    ],
)
def test_windows_that_teach_nothing_are_refused(
    tmp_path: Path, pools: Callable[[], dict[str, Any]], complaint: str
) -> None:
    with pytest.raises(RecipeError, match=complaint):
        train(tiny_recipe(), pools(), tmp_path, silent)


def test_gradients_that_are_no_numbers_stop_it(tmp_path: Path) -> None:
    pools = tiny_pools(only=("audio",))
    pools["audio"].inputs[0][:] = torch.nan
    with pytest.raises(TrainingError, match="train: audio: the loss is nan in epoch 1; train with"):
        train(RECIPE, pools, tmp_path, silent)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="device cuda: this machine has no usable NVIDIA GPU; say device = 'cpu'"):
        train(tiny_recipe(device="cuda"), tiny_pools(), tmp_path, silent)
