"""Training from windows to a run folder: encoders alone, alignment, joint fine-tuning, calibration, threshold."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models import encoders, joint, parallel
from models.calibration import calibration
from models.environment import environment, process
from models.errors import RecipeError, WeightsError
from models.fit import Progress, Run, Stage
from models.lessons import Lessons, flow_stage, follow, mix, sound_stage
from models.network import Architecture, Network, begin_from, begin_network, load_network, save_network
from models.pool import Pool
from models.recipe import Recipe
from models.spec import MODALITIES
from models.storage import write_whole
from models.teacher import NUM_SOUNDS, Teacher
from models.verdicts import Verdicts, load_verdicts, pooled, verdicts

FEW = 20
"""Windows of a side of validation under which its figures say little."""


_PATHS: Any = {
    "begin": True,
    "refit": True,
    "test": True,
    "data": {"__all__": {"labels"}},
    "video": {"flow": {"labels"}, "teachers": True},
    "audio": {"teacher": {"weights"}, "teachers": True},
    "text": {"teachers": True},
}
"""Keys of a recipe that say where files lie here."""
_PARTS = ("seed", "folds", "fold")
"""Keys in which the runs of a recipe differ that keep different parts aside."""


def train(
    recipe: Recipe,
    pools: dict[str, Pool],
    folder: Path,
    progress: Progress,
    begun: Callable[[str], None] = lambda _: None,
    footage: Pool | None = None,
) -> dict[str, Any]:
    """Trains, or goes on where a run in the same folder was cut off.

    Args:
        recipe: what to do.
        pools: windows of each modality; a pool may be empty.
        folder: of the run; gets `network.pt`, `run.json`, `history.csv`, `curves.png`.
        progress: told of every step.
        begun: told what is about to happen, in words.
        footage: windows for the video encoder's lesson, each with the number of its kind.

    Returns:
        What `run.json` holds.

    Raises:
        RecipeError: the windows teach nothing, too few recordings remain for validation, or `refit` is a run of another
            recipe.
        TrainingError: training went astray.
        StorageError: the folder cannot be written.
        WeightsError: weights to begin from, or what the runs of `refit` kept aside, are not to be had.
    """
    earlier = _earlier(recipe)
    split = {name: _split(pools[name], recipe) for name in MODALITIES}
    kept = {name: parts[1] for name, parts in split.items()}
    learned = pools if earlier else {name: parts[0] for name, parts in split.items()}
    _check(learned, kept, begun)
    network = _begun(recipe)
    run = _taught(network, learned, kept, footage, recipe, folder, progress, begun)
    said = pooled(list(earlier.values())) if earlier else verdicts(network, kept, recipe.seed)
    report = {
        "recipe": _described(recipe),
        "materials": [{"name": part.name or "not stated", "licence": part.licence} for part in recipe.materials],
        **calibration(said, recipe),
        **({"refit": list(earlier)} if earlier else {}),
        "windows": {"train": _counted(learned), "validation": _counted(kept)},
        "environment": environment(),
        "process": process(sum(epoch.seconds for epoch in run.history)),
    }
    if parallel.is_first():
        save_network(network, folder / "network.pt")
        said.save(folder / "verdicts.pt")
        write_whole(folder / "run.json", (json.dumps(report, indent=2) + "\n").encode())
    return report


def _begun(recipe: Recipe) -> Network:
    """The network before it has learned anything here."""
    torch.manual_seed(recipe.seed)
    network = begin_network(recipe.spec, _architecture(recipe), recipe.video.weights, recipe.text.weights)
    if recipe.begin is not None:
        begin_from(network, read_run(recipe.begin)[0])
    return network


def _taught(
    network: Network,
    learned: dict[str, Pool],
    kept: dict[str, Pool],
    footage: Pool | None,
    recipe: Recipe,
    folder: Path,
    progress: Progress,
    begun: Callable[[str], None],
) -> Run:
    """The run in which the network, on the CPU in the end, has gone through all stages."""
    parallel.share_norms(network)
    lessons = Lessons(network, NUM_SOUNDS)
    taught = nn.ModuleDict({"network": network, "lessons": lessons}).to(_device(recipe))
    run = Run(folder, taught, recipe.seed, progress)
    for stage in _lessons(network, lessons, learned, footage, run, recipe):
        begun(f"lesson: {stage.name}")
        run.fit(stage)
    begun("encoders, each alone")
    for stage in encoders.stages(network, learned, kept, recipe, _teachers(recipe)):
        run.fit(stage)
    # What follows works on features: little enough for the CPU, unless the backbones are to learn too.
    if not recipe.fusion.train_backbones:
        taught.cpu()
    begun("alignment and fusion")
    for stage in joint.stages(network, learned, kept, recipe):
        run.fit(stage)
    network.cpu().eval()
    return run


def _teachers(recipe: Recipe) -> dict[str, list[Network]]:
    """The networks that each modality's encoder is to imitate, on the device it learns on."""
    load = cache(lambda folder: read_run(folder)[0].to(_device(recipe)))  # one run mostly teaches all modalities
    teachers: dict[str, list[Network]] = {}
    for name, plan in recipe.encoders.items():
        for folder in (run for named in plan.teachers for run in _runs(named)):
            if load(folder).spec.to_json() != recipe.spec.to_json():
                complaint = f"train: {name}.teachers: {folder}: of other windows or labels"
                raise WeightsError(f"{complaint}; name a run with this recipe's")
            teachers.setdefault(name, []).append(load(folder))
    return teachers


def _runs(folder: Path) -> list[Path]:
    """The runs in a folder of several seeds or folds, or the one it is."""
    return sorted([*folder.glob("seed-*"), *folder.glob("fold-*")]) or [folder]


def _described(recipe: Recipe) -> dict[str, Any]:
    return recipe.model_dump(mode="json", exclude=_PATHS)


def _earlier(recipe: Recipe) -> dict[str, Verdicts]:
    """By name, the runs that this one is fitted anew after, and what they said of what they kept aside.

    Their calibration stands: more of the same material moves the networks' judgement little, and none is left to
    measure it on.
    """
    folders = [] if recipe.refit is None else _runs(recipe.refit)
    ours = {key: value for key, value in _described(recipe).items() if key not in _PARTS}
    for folder in folders:
        theirs = read_run(folder)[1]["recipe"]
        if any(theirs.get(key) != value for key, value in ours.items()):
            raise RecipeError(
                f"train: refit: {folder}: a run of another recipe; name one of this, or a folder of seeds or folds"
            )
    return {folder.name: load_verdicts(folder / "verdicts.pt") for folder in folders}


def _split(pool: Pool, recipe: Recipe) -> tuple[Pool, Pool]:
    if recipe.folds:
        return pool.split_fold(recipe.folds, recipe.fold)
    return pool.split(recipe.validation, recipe.seed)


def _lessons(
    network: Network, lessons: Lessons, learned: dict[str, Pool], footage: Pool | None, run: Run, recipe: Recipe
) -> Iterator[Stage]:
    """What the recipe would have learned before all else, and no earlier process has."""
    if footage is not None and not run.is_done("flow"):
        yield flow_stage(network, lessons, follow(learned["video"], footage), recipe)
    plan = recipe.audio.teacher
    if plan.weights is not None and plan.epochs and len(learned["audio"]) and not run.is_done("sounds"):
        heard = mix(learned["audio"].inputs[0], Teacher(plan.weights), plan.mixtures, recipe.seed)
        yield sound_stage(network, lessons, heard, recipe)


def read_run(folder: Path) -> tuple[Network, dict[str, Any]]:
    """The network and the report of a finished run.

    Raises:
        RecipeError: the folder holds no finished run.
        WeightsError: its networks are those of another version.
    """
    try:
        return load_network(folder / "network.pt"), json.loads((folder / "run.json").read_text())
    except WeightsError:  # a FileNotFoundError too
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise RecipeError(f"run: {folder}: no finished run there; name the --out folder of `heed train`") from None


def _architecture(recipe: Recipe) -> Architecture:
    return Architecture(
        video_width=recipe.video.width,
        video_input=recipe.video.sees,
        audio_hidden=recipe.audio.hidden,
        bert=recipe.text.model_dump()["bert"],
        fusion_layers=recipe.fusion.layers,
        fusion_heads=recipe.fusion.heads,
        fusion_kind=recipe.fusion.kind,
    )


def _device(recipe: Recipe) -> torch.device:
    has_gpu = torch.cuda.is_available()
    if recipe.device == "cuda" and not has_gpu:
        raise RecipeError("train: device cuda: this machine has no usable NVIDIA GPU; say device = 'cpu'")
    return torch.device("cuda" if has_gpu and recipe.device != "cpu" else "cpu")


def _check(learned: dict[str, Pool], kept: dict[str, Pool], say: Callable[[str], None]) -> None:
    if not any(map(encoders.is_learnable, learned.values())):
        counts = ", ".join(f"{name}: {_counts(pool)}" for name, pool in learned.items())
        has_normal, has_anomalous = (any(_num(pool)[i] for pool in learned.values()) for i in (0, 1))
        lacking = "add files labelled `normal`" if not has_normal else "add files labelled with an anomaly"
        remedy = "add both of one modality" if has_normal and has_anomalous else lacking
        raise RecipeError(f"train: windows: no modality has both normal and anomalous ones ({counts}); {remedy}")
    for name in filter(lambda name: encoders.is_learnable(learned[name]), MODALITIES):
        if not encoders.is_learnable(kept[name]):
            raise RecipeError(
                f"train: {name}: too few recordings to keep both normal and anomalous ones for validation;"
                " add recordings, each with its own `group`"
            )
        if min(_num(kept[name])) < FEW:
            say(f"train: {name}: validates on {_counts(kept[name])} windows only; its figures will mean little")


def _num(pool: Pool) -> tuple[int, int]:
    """Normal and anomalous windows."""
    return int((pool.labels == 0).sum()), int((pool.labels > 0).sum())


def _counted(pools: dict[str, Pool]) -> dict[str, str]:
    return {name: _counts(pool) for name, pool in pools.items()}


def _counts(pool: Pool) -> str:
    return "{} normal and {} anomalous".format(*_num(pool))
