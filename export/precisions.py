"""What graphs of other precisions cost, and how they get into a bundle."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.bundle import Cost, Manifest, file_sha256, graph_file
from export.quantise import CALIBRATION_WINDOWS, PAYING, Feed, write_precision
from models.pool import Pool
from models.spec import MODALITIES, Spec
from models.statistics import roc_auc

_BATCH = 4
_MOST_WINDOWS = 1000
"""Of a network that are measured: more tell no more of a difference this small."""


def add_precisions(
    folder: Path, manifest: Manifest, precisions: Sequence[str], pools: Mapping[str, Pool], say: Callable[[str], None]
) -> Manifest:
    """Writes graphs of other precisions beside the references, and measures what each costs.

    Args:
        folder: of the bundle, with its references.
        manifest: of it.
        precisions: of `PAYING`.
        pools: labelled windows by modality: some to calibrate on, the others to measure with.
        say: told of networks that are left as they are.

    Returns:
        The manifest with the new files and their costs; it is not written.
    """
    spec = Spec.from_json(manifest.spec)
    files = dict(manifest.files)
    costs: dict[str, dict[str, Any]] = manifest.model_dump()["precisions"]
    for precision in precisions:
        for name in PAYING[precision]:
            parts = _parts(pools[name]) if name in pools else None
            if parts is None:
                say(f"export: {precision}: {name} is left as it is: no labelled windows of it, normal and anomalous")
                continue
            calibration, others = parts
            reference, fusion = folder / graph_file(name), folder / graph_file("fusion")
            graph, *own = write_precision(folder, name, precision, feeds(reference, calibration))
            files |= {path.name: file_sha256(path) for path in (graph, *own)}
            auc, auc_fp32 = (own_auc(path, fusion, name, spec, others) for path in (graph, reference))
            costs.setdefault(precision, {})[name] = Cost(auc=auc, auc_fp32=auc_fp32, windows=len(others))
    return Manifest.model_validate({**manifest.model_dump(), "files": files, "precisions": costs})


def own_auc(graph: Path, fusion: Path, name: str, spec: Spec, pool: Pool) -> float:
    """AUC over windows of what a network's token says through its own head, all other modalities missing."""
    column = MODALITIES.index(name)
    encoder, heads = _open(graph), _open(fusion)
    tokens_name, present_name = (node.name for node in heads.get_inputs())
    logits: list[NDArray[np.float32]] = []
    for feed in feeds(graph, pool):
        token = encoder.run(None, feed)[0]
        tokens = np.zeros((len(token), spec.context, len(MODALITIES), spec.token_size), np.float32)
        present = np.zeros(tokens.shape[:3], np.bool_)
        tokens[:, -1, column], present[:, -1, column] = token, True
        logits.append(heads.run(["modalities"], {tokens_name: tokens, present_name: present})[0][:, column])
    return roc_auc(pool.labels.numpy() > 0, np.concatenate(logits))


def feeds(graph: Path, pool: Pool) -> Iterator[Feed]:
    """A pool's windows in batches, by the names that the graph takes them under; texts no longer than they need be."""
    names = [node.name for node in _open(graph).get_inputs()]
    for first in range(0, len(pool), _BATCH):
        parts = [part[first : first + _BATCH].numpy() for part in pool.inputs]
        if len(parts) == 2:  # ids and mask
            longest = int(parts[1].sum(axis=1).max())
            parts = [part[:, :longest] for part in parts]
        yield dict(zip(names, parts, strict=True))


def _parts(pool: Pool) -> tuple[Pool, Pool] | None:
    """Windows to calibrate on, spread over all there are, and the others; None if these are not of both sides."""
    pool = pool.take(_spread(len(pool), CALIBRATION_WINDOWS + _MOST_WINDOWS))
    num = min(CALIBRATION_WINDOWS, len(pool) // 2)
    chosen = torch.zeros(len(pool), dtype=torch.bool)
    chosen[_spread(len(pool), num)] = True
    others = pool.take(~chosen)
    is_anomalous = others.labels > 0
    if num == 0 or not is_anomalous.any() or is_anomalous.all():
        return None
    return pool.take(chosen), others


def _spread(count: int, most: int) -> Tensor:
    """Indices of at most so many of several, evenly spread."""
    return torch.linspace(0, count - 1, min(count, most)).long()


def _open(graph: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
