"""Recipes, and what is said of a wrong one."""

from pathlib import Path

import pytest

from models.errors import RecipeError
from models.recipe import read_recipe

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
