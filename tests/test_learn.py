"""What `heed train` sees to before and after training."""

from pathlib import Path

import numpy as np
import pytest
from compose_files import tone, write_sound

from models.errors import RecipeError, StorageError
from models.recipe import Recipe
from pipeline.errors import LabelsError, SourceError
from pipeline.learn import learn, spread

RECIPE = '[text]\nweights = "random"\n[[data]]\nlabels = "labels.csv"\n'


@pytest.fixture
def unreadable(tmp_path: Path) -> Path:
    """A recipe whose one file cannot be read: what comes before the reading is seen to, and nothing is trained."""
    (tmp_path / "text.mp4").write_text("It is a text.")
    (tmp_path / "labels.csv").write_text("path,start_seconds,end_seconds,label\ntext.mp4,,,fight\n")
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


def begin(recipe: Path, out: Path, seed: int = 0, *, is_strict: bool = False) -> None:
    learn(recipe, None, {out: {"seed": seed}}, lambda *_: None, lambda _: None, is_strict=is_strict)


def test_a_run_goes_on_with_another_precision_but_with_no_other_recipe(unreadable: Path, tmp_path: Path) -> None:
    for text in (RECIPE, 'precision = "fp32"\ndevice = "cpu"\n' + RECIPE):
        unreadable.write_text(text)
        with pytest.raises(LabelsError, match="no file could be used"):
            begin(unreadable, tmp_path / "run")
    with pytest.raises(RecipeError, match="run: holds a run of another recipe; name another folder"):
        begin(unreadable, tmp_path / "run", seed=1)


def test_a_changed_key_makes_another_recipe(unreadable: Path, tmp_path: Path) -> None:
    def begin_changed(*changes: str) -> None:
        learn(unreadable, None, {tmp_path / "run": {}}, lambda *_: None, lambda _: None, changes=changes)

    for changes in (("video.epochs=3",), ("video.epochs=3", "precision=fp32")):
        with pytest.raises(LabelsError, match="no file could be used"):
            begin_changed(*changes)
    with pytest.raises(RecipeError, match="run: holds a run of another recipe; name another folder"):
        begin_changed("video.epochs=4")
    with pytest.raises(RecipeError, match="recipe: --set video: not KEY=VALUE"):
        begin_changed("video")


def test_a_folder_that_cannot_be_or_is_of_another_version_is_told(unreadable: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"train: .*recipe\.toml/run: Not a directory; name another folder"):
        begin(unreadable, unreadable / "run")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.json").write_text('{"old": 1}')
    with pytest.raises(RecipeError, match=r"run/recipe\.json: not a recipe of this version; name another folder"):
        begin(unreadable, tmp_path / "run")


def test_a_file_that_cannot_be_read_ends_a_strict_training(unreadable: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="train: 1 of 1 files cannot be read; mend or leave them out"):
        begin(unreadable, tmp_path / "run", is_strict=True)


def test_a_folder_of_clips_is_learned_from_without_a_recipe(tmp_path: Path) -> None:
    for name in ("fight/a.mp4", "normal/b.mp4"):
        path = tmp_path / "clips" / name
        path.parent.mkdir(parents=True)
        path.write_text("It is a text.")
    with pytest.raises(LabelsError, match="no file could be used"):
        begin(tmp_path / "clips", tmp_path / "run")
    recipe = Recipe.model_validate_json((tmp_path / "run" / "recipe.json").read_text())
    assert (recipe.name, recipe.labels) == ("clips", ("fight",))
    assert [data.labels for data in recipe.data] == [tmp_path / "clips"]


SOUNDS = """
[video]
epochs = 0
[audio]
hidden = 16
epochs = 1
draws = 16
batch = 8
[text]
weights = "random"
bert = { vocab_size = 30522, hidden_size = 32, num_hidden_layers = 1, num_attention_heads = 2, intermediate_size = 64 }
epochs = 0
[fusion]
align_epochs = 0
epochs = 0
[[data]]
labels = "labels.csv"
"""


def test_after_the_folds_one_run_learns_from_everything(tmp_path: Path) -> None:
    rows = [f"{kind}{number}.flac,,,{kind},{kind}{number}" for kind in ("normal", "siren") for number in range(6)]
    for number in range(6):
        write_sound(tmp_path / f"normal{number}.flac", tone(200 + 20 * number, 2, 0.3))
        write_sound(tmp_path / f"siren{number}.flac", tone(2000 + 200 * number, 2, 0.3))
    (tmp_path / "labels.csv").write_text("\n".join(["path,start_seconds,end_seconds,label,group", *rows]) + "\n")
    recipe, runs = tmp_path / "recipe.toml", tmp_path / "runs"
    recipe.write_text(SOUNDS)
    folds = {runs / f"fold-{fold}": {"seed": 3, "folds": 2, "fold": fold} for fold in (0, 1)}
    *apart, last = learn(recipe, None, folds, lambda *_: None, lambda _: None, last=runs / "all")
    kept = [report["windows"]["validation"]["audio"] for report in apart]
    assert kept == ["3 normal and 3 anomalous"] * 2
    assert last["refit"] == ["fold-0", "fold-1"]
    assert last["windows"]["train"]["audio"] == "6 normal and 6 anomalous"
    begun = Recipe.model_validate_json((runs / "all" / "recipe.json").read_text())
    assert (begun.seed, begun.folds, begun.audio.teachers) == (3, 0, (runs,))


def test_a_folder_of_normal_clips_alone_is_told(tmp_path: Path) -> None:
    (tmp_path / "clips" / "normal").mkdir(parents=True)
    (tmp_path / "clips" / "normal" / "a.mp4").write_text("It is a text.")
    with pytest.raises(LabelsError, match="everything is normal; add files of what is not"):
        begin(tmp_path / "clips", tmp_path / "run")


def test_the_spread_is_mean_and_deviation_over_the_runs() -> None:
    found = [{"audio": 0.9, "composed": 0.8}, {"audio": 0.95, "composed": 0.7}, {"audio": 0.94}]
    told = spread([{"validation_auc": auc} for auc in found])
    assert list(told) == ["audio"]
    audio = [auc["audio"] for auc in found]
    assert told["audio"] == pytest.approx({"mean": np.mean(audio), "deviation": np.std(audio, ddof=1)})
