"""From a training run to a bundle."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from export.bundle import MANIFEST, NEEDED, Calibration, Manifest, Source, file_sha256, write_manifest
from export.card import model_card
from export.errors import ExportError
from export.graphs import write_graphs
from export.parity import PROBE, Arrays, sequences, write_probe
from export.precisions import add_precisions
from export.runtime import open_tokenizer, tokenize
from models.network import Network
from models.pool import Pool
from models.spec import MODALITIES
from models.text import find_tokenizer
from models.train import read_run

CARD = "MODEL_CARD.md"


def write_bundle(
    run: Path,
    out: Path,
    windows: Arrays,
    metrics: dict[str, Any],
    notes: str = "",
    *,
    precisions: Sequence[str] = (),
    pools: Mapping[str, Pool] = MappingProxyType({}),
    say: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Exports a finished run, whole or not at all.

    Args:
        run: folder that `heed train` wrote.
        out: folder of the bundle; an older bundle there is replaced, anything else is left alone.
        windows: `frames` (N, T, H, W, 3), `samples` (N, S) and `texts` (N,) for the probe.
        metrics: figures by name, as `metrics.json` has them.
        notes: Markdown for the model card: what else was measured.
        precisions: other than the reference's, `int8` or `fp16`.
        pools: labelled windows by modality, to calibrate and measure them with.
        say: told of networks that have no graph of a precision.

    Raises:
        RecipeError: the run is not finished.
        ExportError: `out` holds something that is not a bundle.
    """
    network, report = read_run(run)
    is_bundle = (out / MANIFEST).exists()
    if out.exists() and not is_bundle and (not out.is_dir() or any(out.iterdir())):
        raise ExportError(f"export: {out}: holds something that is not a bundle; name another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as place:
        folder = Path(place) / out.name
        folder.mkdir()
        write_graphs(network, folder)
        shutil.copy(find_tokenizer(report["recipe"]["text"]["weights"]), folder / "tokenizer.json")
        write_probe(folder / PROBE, {**windows, **reference(network, windows, folder / "tokenizer.json")})
        manifest = add_precisions(folder, _manifest(network, report, folder, metrics), precisions, pools, say)
        manifest = write_card(folder, manifest, notes)
        if out.exists():
            shutil.rmtree(out)
        folder.rename(out)
    return manifest


def write_card(folder: Path, manifest: Manifest, notes: str) -> Manifest:
    """Writes the model card and, with its hash, `bundle.json`."""
    (folder / CARD).write_text(model_card(manifest, notes), encoding="utf-8")
    manifest = manifest.model_copy(update={"files": {**manifest.files, CARD: file_sha256(folder / CARD)}})
    write_manifest(folder, manifest)
    return manifest


def reference(network: Network, windows: Arrays, tokenizer: Path) -> Arrays:
    """What torch makes of windows: tokens and logits, as `run_probe` does with a runtime."""
    words = tokenize(open_tokenizer(tokenizer, network.spec), [str(text) for text in windows["texts"]])
    with torch.inference_mode():
        tokens = {
            "video": network.video(torch.from_numpy(windows["frames"])).numpy(),
            "audio": network.audio(torch.from_numpy(windows["samples"])).numpy(),
            "text": network.text(*map(torch.from_numpy, words)).numpy(),
        }
        stacked = np.stack([tokens[name] for name in MODALITIES], axis=1)
        sequence, present = map(torch.from_numpy, sequences(stacked, network.spec.context))
        fused = network.fusion(sequence, present)
        return {**tokens, "anomaly": fused.anomaly.numpy(), "modalities": fused.modalities.numpy()}


def _manifest(network: Network, report: dict[str, Any], folder: Path, metrics: dict[str, Any]) -> Manifest:
    names = (*NEEDED, PROBE)
    recipe = report["recipe"]
    return Manifest(
        name=recipe["name"],
        spec=network.spec.to_json(),
        files={name: file_sha256(folder / name) for name in names},
        threshold=report["calibration"]["threshold"],
        calibration=Calibration(
            anomaly=tuple(report["calibration"]["anomaly"]),
            late=report["calibration"]["late"],
            modalities={name: tuple(line) for name, line in report["calibration"]["modalities"].items()},
            prior=report["calibration"]["prior"],
        ),
        data=tuple(Source(**material) for material in report["materials"]),
        metrics=metrics,
        training={
            key: report[key] for key in ("recipe", "validation_auc", "refit", "windows", "environment") if key in report
        },
    )
