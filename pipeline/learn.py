"""`heed train`, `heed export` and `heed verify`: from labelled files to a bundle that is known to be right."""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from pydantic import ValidationError

from export.parity import Arrays
from export.runtime import open_tokenizer
from export.write import reference, write_bundle
from models import parallel
from models.errors import RecipeError, StorageError
from models.fit import Progress
from models.plan import Data
from models.pool import Pool
from models.recipe import Recipe, make_recipe, read_recipe
from models.spec import MODALITIES, NORMAL, Spec
from models.storage import write_whole
from models.text import find_tokenizer
from models.train import read_run, train
from pipeline.annotations.read import read_annotations
from pipeline.dataset import check_sides, footage, pools
from pipeline.errors import LabelsError, SourceError
from pipeline.media import open_media
from pipeline.scene import demo_scene, render
from pipeline.window import windows

PROBE_WINDOWS = 6
"""Windows a bundle ships to prove itself with."""
PROBE_SECONDS = 12.0
"""Of the scene that is drawn for it."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def learn(
    path: Path,
    data: Path | None,
    runs: dict[Path, dict[str, int]],
    progress: Progress,
    say: Callable[[str], None],
    *,
    is_strict: bool = False,
    changes: Sequence[str] = (),
    last: Path | None = None,
) -> list[dict[str, Any]]:
    """Trains by a recipe, or goes on with the runs that the folders hold; torchrun may have started this.

    Args:
        path: of the recipe; or of labelled files, learned from by the defaults.
        data: what its labels files are relative to, if not to the recipe.
        runs: what each run has otherwise than the recipe, by its folder: `seed`, or `folds` and `fold`.
        progress: told of every file and every step.
        say: told of what is left out, and of what is about to happen.
        is_strict: whether a file that cannot be read is an error.
        changes: of the recipe, `key=value` each.
        last: folder of one run more that learns from everything, taught and calibrated by the runs beside it.

    Returns:
        What `run.json` of each run holds, that of `last` at the end.

    Raises:
        RecipeError, LabelsError, WeightsError, TrainingError, StorageError: see `models.train.train`.
        SourceError: `is_strict`, and a file cannot be read.
    """
    recipe = _recipe(path, data, changes)
    recipes = {folder: recipe.model_copy(update=part) for folder, part in runs.items()}
    if last is not None:
        recipes[last] = next(iter(recipes.values())).after(last.parent.resolve())
    with parallel.joined():
        for folder, own in recipes.items():
            _check_folder(folder, own)
        check_sides(recipe)
        spec = recipe.spec
        tokenizer = open_tokenizer(find_tokenizer(recipe.text.weights), spec)
        gathered = pools(recipe.data, spec, tokenizer, progress, say, is_strict=is_strict)
        moving = footage(recipe.video.flow, spec, progress, say, is_strict=is_strict)
        return [train(own, gathered, folder, progress, say, moving) for folder, own in recipes.items()]


def spread(reports: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean and standard deviation over runs of each validation AUC, by modality."""
    names = [name for name in reports[0]["validation_auc"] if all(name in r["validation_auc"] for r in reports)]
    values = {name: [report["validation_auc"][name] for report in reports] for name in names}
    return {name: {"mean": fmean(found), "deviation": stdev(found)} for name, found in values.items()}


def probe_windows(source: str, spec: Spec) -> Arrays:
    """The first windows of a source that has pictures, sound and text.

    Raises:
        SourceError: it has no window with all three.
    """
    with open_media(source, spec) as media:
        whole = (w for w in windows(media, "probe", spec, _EPOCH) if w.frames is not None and w.samples is not None)
        found = [window for window in islice(whole, 40) if window.text][:PROBE_WINDOWS]
    if not found:
        raise SourceError(f"probe: {source}: no window with pictures, sound and text; name another file")
    return {
        "frames": np.stack([window.frames for window in found if window.frames is not None]),
        "samples": np.stack([window.samples for window in found if window.samples is not None]),
        "texts": np.array([window.text for window in found]),
    }


@contextmanager
def probe_source(named: str | None) -> Iterator[str]:
    """The file named, or a drawn scene that is there for as long as it is needed."""
    if named is not None:
        yield named
        return
    with tempfile.TemporaryDirectory(prefix="heed-probe-") as folder:
        path = Path(folder) / "scene.mkv"
        render(replace(demo_scene(), duration_seconds=PROBE_SECONDS), path)
        yield str(path)


def export_run(
    run: Path,
    out: Path,
    source: str,
    metrics: dict[str, Path],
    notes: Path | None = None,
    *,
    precisions: Sequence[str] = (),
    materials: Sequence[Data] = (),
    progress: Progress = lambda *_: None,
    say: Callable[[str], None] = lambda _: None,
) -> str:
    """Writes a bundle of a run; gives its name.

    Args:
        run: folder of `heed train`.
        out: folder of the bundle.
        source: file whose windows the bundle ships to prove itself with.
        metrics: `metrics.json` files for the card, by the name of what was evaluated.
        notes: Markdown file for the card.
        precisions: of further graphs, `int8` or `fp16`.
        materials: labelled files to calibrate and measure these with.
        progress: told of every one of these files.
        say: told of what is left out.
    """
    network, report = read_run(run)
    figures = {name: _figures(path) for name, path in metrics.items()}
    told = notes.read_text(encoding="utf-8") if notes else ""
    probe = probe_windows(source, network.spec)
    found: dict[str, Pool] = {}
    if precisions:
        tokenizer = open_tokenizer(find_tokenizer(report["recipe"]["text"]["weights"]), network.spec)
        found = pools(materials, network.spec, tokenizer, progress, say)
    return write_bundle(run, out, probe, figures, told, precisions=precisions, pools=found, say=say).name


def material(named: str) -> Data:
    """A labels file to calibrate with, as `LABELS`, or as `MODALITY=LABELS` when only that part of its files counts."""
    modality, mark, path = named.partition("=")
    if mark and modality in MODALITIES:
        return Data.model_validate({"labels": path, "modalities": (modality,)})
    return Data(labels=Path(named))


def _figures(path: Path) -> dict[str, Any]:
    """What a `metrics.json` measured, without where and by which command: a bundle goes to other people."""
    measured: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return {key: value for key, value in measured.items() if key not in ("run", "labels", "failed")}


def torch_reference(run: Path, bundle: Path, source: str) -> Arrays:
    """Windows of a source and what a run's torch networks make of them."""
    network, _ = read_run(run)
    found = probe_windows(source, network.spec)
    return {**found, **reference(network, found, bundle / "tokenizer.json")}


def _recipe(path: Path, data: Path | None, changes: Sequence[str]) -> Recipe:
    """A recipe's file; or all defaults, for whatever labelled files those are, with the labels they have."""
    if path.suffix == ".toml" or not path.exists():
        return read_recipe(path, data, changes)
    labels = sorted({row.label for row in read_annotations(path)} - {NORMAL})
    if not labels:
        raise LabelsError(f"labels: {path}: everything is normal; add files of what is not")
    whole = path.resolve()
    written = {"name": whole.stem, "labels": labels, "data": [{"labels": str(whole), "name": whole.name}]}
    return make_recipe(written, path, Path.cwd(), changes)


def _check_folder(out: Path, recipe: Recipe) -> None:
    """A run goes on only with the recipe it began with; what it is computed with may change."""
    kept = out / "recipe.json"
    try:
        if kept.exists() and _lasting(Recipe.model_validate_json(kept.read_bytes())) != _lasting(recipe):
            raise RecipeError(f"train: {out}: holds a run of another recipe; name another folder")
        out.mkdir(parents=True, exist_ok=True)
    except ValidationError:
        raise RecipeError(f"train: {kept}: not a recipe of this version; name another folder") from None
    except OSError as error:
        raise StorageError(f"train: {out}: {error.strerror}; name another folder") from None
    if parallel.is_first():
        write_whole(kept, recipe.model_dump_json().encode())


def _lasting(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"precision": "fp32", "device": "auto"})
