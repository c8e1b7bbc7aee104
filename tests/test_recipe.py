"""A recipe: what it takes, what it refuses and how it says so; and the page that documents it."""

import json
import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from models.errors import RecipeError
from models.recipe import AudioPlan, Data, FusionPlan, Recipe, Section, TextPlan, VideoPlan, read_recipe

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
SECTIONS: dict[str, type[Section]] = {
    "The recipe": Recipe,
    "`[[data]]`": Data,
    "`[video]`": VideoPlan,
    "`[audio]`": AudioPlan,
    "`[text]`": TextPlan,
    "`[fusion]`": FusionPlan,
}
DATA = '[[data]]\nlabels = "labels.csv"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def documented_default(name: str, field: FieldInfo) -> str:
    """A default as the page writes it."""
    if isinstance(field.default, Section):
        return "a table"
    if name == "evidence":
        return "all"
    if field.is_required() or name == "data":
        return "needed"
    default = field.get_default(call_default_factory=True)
    return f"`{json.dumps(default)}`"


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_page_tells_every_key_with_its_default(heading: str) -> None:
    table = PAGE.partition(f"\n### {heading}\n")[2].partition("\n### ")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", table, re.MULTILINE))
    fields = SECTIONS[heading].model_fields
    assert told == {name: documented_default(name, field) for name, field in fields.items()}


def test_the_documented_recipe_is_right(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    recipe = read_recipe(written(tmp_path, block))
    assert recipe.labels == ("fight", "glass_break")
    assert recipe.data[0].labels == tmp_path / "clips" / "labels.csv"
    assert recipe.data[0].evidence == {"fight": ("video",), "glass_break": ("audio",)}
    assert recipe.video == VideoPlan()


def test_the_shipped_recipe_is_right_and_finds_its_files_under_data() -> None:
    recipe = read_recipe(ROOT / "models" / "recipe.toml", Path("/material"))
    assert all(data.labels.is_relative_to("/material") for data in recipe.data)
    assert all(data.name and data.licence for data in recipe.data)
    assert {label for data in recipe.data for label in data.evidence} <= set(recipe.labels)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DATA + "[video]\nepoch = 3\n", "video.epoch: no such key"),
        (DATA + '[video]\nsees = "flow"\n', "video.sees: Input should be 'rgb', 'difference' or 'both'"),
        (DATA + 'modalities = ["smell"]\n', "data.0.modalities.0: Input should be 'video', 'audio' or 'text'"),
        ("validation = 0.6\n" + DATA, "validation: Input should be less than 0.5"),
        ("[[data]]\n", "data.0.labels: Field required"),
        ("seed = 1\n", "no [[data]]; name at least one labels file"),
        ("seed =\n", "not TOML: "),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    assert str(caught.value).startswith(f"recipe: {path}: {message}")


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"recipe\.toml: No such file or directory; name an existing file$"):
        read_recipe(tmp_path / "recipe.toml")
