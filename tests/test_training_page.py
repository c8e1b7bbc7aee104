"""`docs/training.md` tells every key of a recipe, and its example is right."""

import json
import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from models.plan import AudioPlan, Data, FlowPlan, FusionPlan, Section, TeacherPlan, TextPlan, VideoPlan
from models.recipe import Recipe, read_recipe

PAGE = (Path(__file__).parent.parent / "docs" / "training.md").read_text(encoding="utf-8")
SECTIONS: dict[str, type[Section]] = {
    "The recipe": Recipe,
    "`[[data]]`": Data,
    "`[video]`": VideoPlan,
    "`[video.flow]`": FlowPlan,
    "`[audio]`": AudioPlan,
    "`[audio.teacher]`": TeacherPlan,
    "`[text]`": TextPlan,
    "`[fusion]`": FusionPlan,
}


def documented_default(name: str, field: FieldInfo) -> str:
    """A default as the page writes it."""
    if isinstance(field.default, Section):
        return "a table"
    if name == "evidence":
        return "all"
    if field.is_required() or name == "data":
        return "needed"
    if field.default is None:
        return "none"
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
    path = tmp_path / "recipe.toml"
    path.write_text(block, encoding="utf-8")
    recipe = read_recipe(path)
    assert recipe.labels == ("fight", "glass_break")
    assert recipe.data[0].labels == tmp_path / "clips" / "labels.csv"
    assert recipe.data[0].evidence == {"fight": ("video",), "glass_break": ("audio",)}
    assert recipe.video == VideoPlan()
