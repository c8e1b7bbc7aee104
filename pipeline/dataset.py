"""Windows to learn from, cut from labelled files by the code that cuts them live."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from export.runtime import tokenize
from models.plan import Data, FlowPlan
from models.pool import Pool
from models.recipe import Recipe
from models.spec import MODALITIES, NORMAL, Spec
from pipeline.annotations.read import read_annotations
from pipeline.errors import LabelsError, SourceError
from pipeline.labels import Row, rows_by_path
from pipeline.media import open_media
from pipeline.scored import row_windows
from pipeline.window import Window, windows

QUIET = 0.1
"""Share of a weakly labelled row's loudest window under which another of its windows is no evidence (20 dB)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Gathered:
    """Windows of one modality on their way into a pool."""

    inputs: list[Any] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    bags: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    validates: list[bool] = field(default_factory=list)


def pools(
    materials: Sequence[Data],
    spec: Spec,
    tokenizer: Tokenizer,
    progress: Callable[[str, int, int], None],
    on_skip: Callable[[str], None],
    *,
    is_strict: bool = False,
) -> dict[str, Pool]:
    """The windows of every modality.

    Args:
        materials: the labels files and what in them is evidence.
        spec: sizes and labels.
        tokenizer: of the text encoder.
        progress: told of every file.
        on_skip: told of files that cannot be read, in the end how many, and of labels that the spec does not know.
        is_strict: whether a file that cannot be read is an error, once all are named.

    Raises:
        LabelsError: a labels file is wrong.
        SourceError: `is_strict`, and files are missing or cannot be read.
    """
    gathered = {name: _Gathered() for name in MODALITIES}
    num_files = num_skipped = 0
    for data in materials:
        files = rows_by_path(read_annotations(data.labels, strict=is_strict, warn=on_skip))
        num_files += len(files)
        num_skipped += _gather_files(files, data, spec, gathered, progress, on_skip)
    _tell_skipped(num_skipped, num_files, on_skip, is_strict=is_strict)
    if not any(part.labels for part in gathered.values()):
        raise LabelsError("labels: no file could be used; mend the messages above")
    return {
        "video": _pool(gathered["video"], (_stack(gathered["video"], _frames_shape(spec), np.uint8),)),
        "audio": _pool(gathered["audio"], (_stack(gathered["audio"], (spec.num_samples,), np.float32),)),
        "text": _pool(gathered["text"], encode(gathered["text"].inputs, tokenizer, spec)),
    }


def footage(
    plan: FlowPlan,
    spec: Spec,
    progress: Callable[[str, int, int], None],
    on_skip: Callable[[str], None],
    *,
    is_strict: bool = False,
) -> Pool | None:
    """The windows of the video encoder's lesson, each with the number of its row's label; none if it is left out.

    Raises:
        LabelsError: the labels file is wrong, or none of its files has pictures.
        SourceError: `is_strict`, and files are missing or cannot be read.
    """
    if plan.labels is None or not plan.epochs:
        return None
    rows = read_annotations(plan.labels, strict=is_strict, warn=on_skip)
    names = tuple(sorted({row.label for row in rows}))
    files = rows_by_path([replace(row, label=f"{names.index(row.label)}") for row in rows])
    gathered = {name: _Gathered() for name in MODALITIES}
    data = Data(labels=plan.labels, modalities=("video",))
    known = replace(spec, labels=tuple(map(str, range(len(names)))))
    num_skipped = _gather_files(files, data, known, gathered, progress, on_skip)
    _tell_skipped(num_skipped, len(files), on_skip, is_strict=is_strict)
    if not gathered["video"].labels:
        raise LabelsError(f"labels: {plan.labels}: no file has pictures; name another file as video.flow.labels")
    return _pool(gathered["video"], (_stack(gathered["video"], _frames_shape(spec), np.uint8),))


def check_sides(recipe: Recipe) -> None:
    """Sees to it that no file and no group is both learned from and in one of the recipe's `test` files.

    Raises:
        LabelsError: one is, or a labels file is wrong.
    """
    learned_from = [material.labels for material in recipe.materials if material.labels]
    learned = {mark: labels for labels in learned_from for mark in _marks(labels)}
    for path in recipe.test:
        both = sorted(_marks(path) & learned.keys())
        if both:
            others = f" (and {len(both) - 1} more)" if len(both) > 1 else ""
            raise LabelsError(
                f"train: {' '.join(both[0])}{others} is in both {learned[both[0]]} and {path}; move it to one side"
            )


def _marks(labels: Path) -> set[tuple[str, str]]:
    """Files and groups of a labels file."""
    rows = read_annotations(labels)
    groups = {("group", row.group) for row in rows if row.group}
    return groups | {("file", str(row.path.resolve())) for row in rows}


def encode(texts: Sequence[str], tokenizer: Tokenizer, spec: Spec) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and mask, int64 (N, L), as the runtime makes them, padded to the spec's L."""
    ids, mask = tokenize(tokenizer, texts)
    padding = ((0, 0), (0, spec.num_tokens - ids.shape[1]))
    return np.pad(ids, padding), np.pad(mask, padding)


def _gather_files(
    files: dict[Path, list[Row]],
    data: Data,
    spec: Spec,
    gathered: dict[str, _Gathered],
    progress: Callable[[str, int, int], None],
    on_skip: Callable[[str], None],
) -> int:
    """Gathers the windows of files; gives how many of these cannot be read."""
    num_skipped = 0
    found = {row.label for rows in files.values() for row in rows}
    for label in sorted(found - {NORMAL, *spec.labels}):
        on_skip(f"labels: {data.labels}: label {label} is not in the recipe's labels; its rows are left out")
    for done, (path, rows) in enumerate(files.items(), start=1):
        try:
            _gather(path, rows, data, spec, gathered)
        except SourceError as error:
            on_skip(str(error))
            num_skipped += 1
        progress(data.labels.parent.name, done, len(files))
    return num_skipped


def _tell_skipped(num_skipped: int, num_files: int, on_skip: Callable[[str], None], *, is_strict: bool) -> None:
    if not num_skipped:
        return
    count = f"{num_skipped} of {num_files} files"
    if is_strict:
        raise SourceError(f"train: {count} cannot be read; mend or leave them out, or train without --strict")
    on_skip(f"train: {count} skipped")


def _gather(path: Path, rows: Sequence[Row], data: Data, spec: Spec, gathered: dict[str, _Gathered]) -> None:
    with open_media(str(path), spec) as media:
        cut = list(windows(media, path.name, spec, _EPOCH))
    for row in rows:
        if row.label != NORMAL and row.label not in spec.labels:
            continue
        shown_by = MODALITIES if row.label == NORMAL else data.evidence.get(row.label, MODALITIES)
        inside = row_windows(row, cut)
        for name in MODALITIES:
            if name in data.modalities and name in shown_by:
                _take(name, row, inside, spec, data, gathered[name])


def _take(name: str, row: Row, inside: Iterable[Window], spec: Spec, data: Data, into: _Gathered) -> None:
    label = 0 if row.label == NORMAL else spec.labels.index(row.label) + 1
    found: list[Any] = [
        getattr(window, {"video": "frames", "audio": "samples", "text": "text"}[name]) for window in inside
    ]
    found = [part for part in found if part is not None and len(part)]
    if name == "audio" and label and found:
        loudness = [float(np.square(part).mean()) ** 0.5 for part in found]
        found = [part for part, loud in zip(found, loudness, strict=True) if loud >= QUIET * max(loudness)]
    into.inputs += found
    into.labels += [label] * len(found)
    into.bags += [into.bags[-1] + 1 if into.bags else 0] * len(found)
    into.weights += [data.weight] * len(found)
    into.validates += [data.validates] * len(found)
    into.groups += [row.group or str(row.path)] * len(found)


def _frames_shape(spec: Spec) -> tuple[int, ...]:
    return (spec.num_frames, spec.frame_size, spec.frame_size, 3)


def _stack(gathered: _Gathered, shape: tuple[int, ...], kind: type[Any]) -> NDArray[Any]:
    return np.stack(gathered.inputs) if gathered.inputs else np.zeros((0, *shape), kind)


def _pool(gathered: _Gathered, inputs: tuple[NDArray[Any], ...]) -> Pool:
    labels = torch.tensor(gathered.labels, dtype=torch.int64)
    bags = torch.tensor(gathered.bags, dtype=torch.int64)
    groups, weights = np.array(gathered.groups, dtype=np.str_), torch.tensor(gathered.weights)
    validates = torch.tensor(gathered.validates, dtype=torch.bool)
    return Pool(tuple(map(torch.from_numpy, inputs)), labels, groups, bags, weights, validates)
