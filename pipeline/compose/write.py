"""Composes a folder of files with its labels file and the list of what went where."""

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.spec import MODALITIES
from pipeline.compose.draw import plans
from pipeline.compose.material import read_material
from pipeline.compose.plan import FilePlan, Shares, label_rows
from pipeline.compose.render import render
from pipeline.errors import SourceError
from pipeline.evaluate import OutputError


@dataclass(frozen=True, slots=True)
class Composed:
    """What was made."""

    labels: Path
    """Its labels file."""
    plans: tuple[FilePlan, ...]
    """Its files."""
    skipped: tuple[str, ...]
    """Files and rows of the inputs that could not be used, and why."""


def compose(
    labels: dict[str, Path],
    shares: Shares,
    seed: int,
    out: Path,
    *,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    on_skip: Callable[[str], None] = lambda _line: None,
) -> Composed:
    """Writes composed files, `labels.csv` and `composition.json` to a folder.

    Args:
        labels: a labels file for each modality: what is seen, heard and read comes from its own.
        shares: how many files of what kind.
        seed: the same seed and inputs make the same labels and the same pictures, sound and lines.
        out: the folder; files of the same names in it are replaced.
        progress: told the files done and the files in all.
        on_skip: told of every file and row that cannot be used.

    Raises:
        LabelsError: a labels file is wrong, or has no usable ordinary row, or no usable other one.
        SourceError: a clip cannot be read any more.
        OutputError: the folder cannot be written.
    """
    skipped: list[str] = []

    def skip(line: str) -> None:
        skipped.append(line)
        on_skip(line)

    made = plans(read_material(labels, skip), shares, seed)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for done, plan in enumerate(made, start=1):
            render(plan, out / plan.name)
            progress(done, len(made))
        composition = _composition(made, labels, shares, seed, skipped)
        (out / "composition.json").write_text(json.dumps(composition, indent=1) + "\n", encoding="utf-8")
        (out / "labels.csv").write_text(_labels_csv(made), encoding="utf-8")
    except SourceError:
        raise
    except OSError as error:
        problem = f"{error.strerror or 'cannot be written'}; free some space or name another folder"
        raise OutputError(f"compose: {out}: {problem}") from None
    return Composed(out / "labels.csv", tuple(made), tuple(skipped))


def _labels_csv(made: Sequence[FilePlan]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "start_seconds", "end_seconds", "label", "group", "modality"))
    for plan in made:
        for start, end, label, modality in label_rows(plan):
            writer.writerow((plan.name, start, end, label, plan.group, modality))
    return text.getvalue()


def _composition(
    made: Sequence[FilePlan], labels: dict[str, Path], shares: Shares, seed: int, skipped: Sequence[str]
) -> dict[str, Any]:
    """Everything that is needed to tell what went where, and to make it again."""
    return {
        "tool": f"heed compose {version('heed')}",
        "seed": seed,
        "shares": asdict(shares),
        "labels": {name: str(labels[name]) for name in MODALITIES},
        "skipped": list(skipped),
        "files": [{"name": plan.name, "group": plan.group, **_contents(plan)} for plan in made],
    }


def _contents(plan: FilePlan) -> dict[str, Any]:
    return {
        "modality": "+".join(plan.carriers),
        "snr_db": plan.snr_db,
        "parts": [
            {
                "modality": part.modality,
                "role": part.role,
                "start_seconds": part.start_seconds,
                "end_seconds": part.end_seconds,
                "source": str(part.clip.path),
                "source_start_seconds": part.clip.start_seconds,
                "source_end_seconds": part.clip.end_seconds,
                "label": part.clip.label,
                "group": part.clip.group,
            }
            for part in plan.parts
        ],
    }
