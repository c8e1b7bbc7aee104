"""Writing a bundle, its card and its figures."""

from pathlib import Path
from typing import Any

import pytest
from tiny import probe

from export.bundle import identity, open_bundle
from export.card import model_card
from export.errors import ExportError
from export.write import write_bundle
from models.errors import RecipeError

FIGURES: dict[str, Any] = {
    "fights": {
        "clip": {"n": 71, "auc": 0.9125, "auc_ci95": [0.83, 0.971], "ap": 0.9, "accuracy": 0.845},
        "event": {"false_alarms_per_hour": 2.25},
    },
    "quiet": {
        "clip": {"n": 9, "auc": None, "auc_ci95": None, "ap": None, "accuracy": 1.0},
        "event": {"false_alarms_per_hour": 0.0},
    },
}


def test_a_folder_of_something_else_is_left_alone(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ann")
    with pytest.raises(ExportError, match="holds something that is not a bundle; name another folder"):
        write_bundle(tiny_run, tmp_path, probe(1), {})
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_file_is_left_alone(tiny_run: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ann")
    with pytest.raises(ExportError, match=r"letter\.txt: holds something that is not a bundle"):
        write_bundle(tiny_run, tmp_path / "letter.txt", probe(1), {})
    assert (tmp_path / "letter.txt").read_text() == "Dear Ann"


def test_a_run_that_is_not_finished_is_not_exported(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no finished run there; name the --out folder of `heed train`"):
        write_bundle(tmp_path / "run", tmp_path / "bundle", probe(1), {})
    assert not (tmp_path / "bundle").exists()


def test_the_card_says_what_it_learned_from_and_that_nothing_was_measured(tiny_bundle: Path) -> None:
    card = (tiny_bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    bundle = open_bundle(tiny_bundle)
    assert card.startswith(f"# Model card: tiny\n\nHash `{bundle.sha256[:16]}`")
    assert "| noise and tones | none |" in card
    assert "None were measured for this bundle." in card
    assert "train: video 4 normal and 4 anomalous" in card


def test_the_card_has_a_row_for_each_set_of_figures(tiny_bundle: Path) -> None:
    manifest = open_bundle(tiny_bundle).manifest
    measured = manifest.model_copy(update={"metrics": FIGURES})
    assert identity(measured) == identity(manifest)
    rows = model_card(measured).splitlines()
    assert "| fights | 71 | 0.912 (0.830–0.971) | 0.900 | 0.845 | 2.2 |" in rows
    assert "| quiet | 9 | – (–) | – | 1.000 | 0.0 |" in rows


@pytest.mark.parametrize(
    ("runs", "told"), [(["first"], "by a run that kept it"), (["a", "b"], "by 2 runs, together, that kept")]
)
def test_the_card_says_whose_validation_it_was(tiny_bundle: Path, runs: list[str], told: str) -> None:
    manifest = open_bundle(tiny_bundle).manifest
    assert told not in model_card(manifest)
    assert told in model_card(manifest.model_copy(update={"training": manifest.training | {"refit": runs}}))
