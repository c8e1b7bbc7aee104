"""Recipes, and what is said of a wrong one."""

from pathlib import Path

import pytest

from models.errors import RecipeError
from models.recipe import read_recipe
from models.spec import Spec

SHIPPED = Path(__file__).parent.parent / "models" / "recipe.toml"
DATA = '[[data]]\nlabels = "labels.csv"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_labels_files_are_beside_the_recipe(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, DATA)).data[0].labels == tmp_path / "labels.csv"


def test_labels_files_are_in_the_data_folder_when_it_is_named(tmp_path: Path) -> None:
    assert read_recipe(write(tmp_path, DATA), tmp_path / "data").data[0].labels == tmp_path / "data" / "labels.csv"


def test_the_recipe_that_ships_is_a_good_one() -> None:
    recipe = read_recipe(SHIPPED)
    assert {kind for entry in recipe.data for kind in entry.evidence} <= set(recipe.labels)
    assert {modality for entry in recipe.data for modality in entry.modalities} == {"video", "audio", "text"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("sed = 1\n" + DATA, "sed: no such key"),
        (DATA + "[video]\nwidht = 1.0", r"video\.widht: no such key"),
        (DATA + "[text.bert]\nhidden_sise = 32", r"text\.bert\.hidden_sise.*: Input should be"),
        (DATA + "[[data]]\nlabel = 'b.csv'", r"data\.1\.labels: Field required; data\.1\.label: no such key"),
        (DATA + "[audio]\nepochs = -1", r"audio\.epochs: Input should be greater than or equal to 0"),
        (DATA + "[fusion]\nheads = 3", r"fusion\.heads: .*must divide 256, the width of a token"),
        ('precision = "fp16"\n' + DATA, "precision: Input should be 'fp32' or 'bf16'"),
        ('[[data]]\nlabels = "a.csv"\nmodalities = ["smell"]', r"data\.0\.modalities\.0: Input should be 'video'"),
    ],
)
def test_a_wrong_key_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(RecipeError, match=rf"^recipe: .*recipe\.toml: {complaint}"):
        read_recipe(write(tmp_path, text))


def test_a_recipe_without_data_teaches_nothing(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"recipe\.toml: no \[\[data\]\]; name at least one labels file"):
        read_recipe(write(tmp_path, "seed = 1"))


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"recipe\.toml: not TOML: .*line 1.*; mend the file"):
        read_recipe(write(tmp_path, "seed: 1"))


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"recipe\.toml: not TOML"):
        read_recipe(tmp_path / "recipe.toml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"nowhere\.toml: No such file or directory; name an existing file"):
        read_recipe(tmp_path / "nowhere.toml")


def test_folders_and_lessons_lie_where_the_data_does(tmp_path: Path) -> None:
    runs = 'begin = "base"\nrefit = "first"\n'
    text = runs + DATA + '[video.flow]\nlabels = "a.csv"\n[audio.teacher]\nweights = "y.tflite"'
    recipe = read_recipe(write(tmp_path, text), tmp_path / "data")
    found = (recipe.begin, recipe.refit, recipe.video.flow.labels, recipe.audio.teacher.weights)
    assert found == tuple(tmp_path / "data" / name for name in ("base", "first", "a.csv", "y.tflite"))


def test_what_is_learned_from_has_the_footage_if_it_teaches(tmp_path: Path) -> None:
    path = write(tmp_path, DATA + '[video.flow]\nlabels = "a.csv"\nname = "people"')
    assert [material.name for material in read_recipe(path).materials] == ["", "people"]
    assert [material.name for material in read_recipe(path, changes=["video.flow.epochs=0"]).materials] == [""]


def test_sizes_of_windows_come_from_the_recipe(tmp_path: Path) -> None:
    text = 'labels = ["fight"]\n' + DATA + "[video]\nsize = 64\n[fusion]\ncontext = 3"
    assert read_recipe(write(tmp_path, text)).spec == Spec(frame_size=64, context=3, labels=("fight",))


def test_changes_replace_keys_as_the_file_would_have_them(tmp_path: Path) -> None:
    path = write(tmp_path, "seed = 1\n" + DATA + "[video]\nepochs = 3\nbatch = 4")
    changes = ["video.epochs=8", "fusion.kind=concatenation", 'name = "yard 2"', "video.flow.rate=1e-4"]
    changes += ["labels=['fight','fire']", "seed=2", "seed=3", "precision=fp32"]
    recipe = read_recipe(path, changes=changes)
    assert (recipe.video.epochs, recipe.video.batch, recipe.video.flow.rate) == (8, 4, 1e-4)
    assert (recipe.fusion.kind, recipe.name, recipe.labels) == ("concatenation", "yard 2", ("fight", "fire"))
    assert (recipe.seed, recipe.precision) == (3, "fp32")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("video.epochs", "recipe: --set video.epochs: not KEY=VALUE; write, for example, --set video.epochs=8"),
        ("=8", "recipe: --set =8: not KEY=VALUE; write"),
        ("video.=8", "recipe: --set video.=8: not KEY=VALUE; write"),
        ("data.weight=2", "recipe: --set data.weight=2: data is no table; name another key"),
        ("seed.first=2", "recipe: --set seed.first=2: seed is no table; name another key"),
        ("video.widht=1", r"recipe: .*recipe\.toml: video\.widht: no such key"),
        ("smell.epochs=1", r"recipe: .*recipe\.toml: smell: no such key"),
        ("video.epochs=many", r"recipe: .*recipe\.toml: video\.epochs: Input should be a valid integer"),
        ("fusion.kind=sum", r"recipe: .*recipe\.toml: fusion\.kind: Input should be 'attention' or 'concatenation'"),
        ("video.bag=4", r"recipe: .*recipe\.toml: video: mixup blends single windows; set it to 0 with bags"),
        ("folds=1", r"recipe: .*recipe\.toml: fold 0 of 1: there must be two folds or more, counted from 0"),
        ("fold=1", r"recipe: .*recipe\.toml: fold 1 of 0: there must be two folds or more, counted from 0"),
    ],
)
def test_a_wrong_change_is_named(tmp_path: Path, change: str, complaint: str) -> None:
    with pytest.raises(RecipeError, match=f"^{complaint}"):
        read_recipe(write(tmp_path, "seed = 1\n" + DATA), changes=[change])


def test_folds_are_counted_from_0(tmp_path: Path) -> None:
    path = write(tmp_path, DATA)
    assert read_recipe(path, changes=["folds=3", "fold=2"]).fold == 2
    with pytest.raises(RecipeError, match="fold 3 of 3: there must be two folds or more, counted from 0"):
        read_recipe(path, changes=["folds=3", "fold=3"])
