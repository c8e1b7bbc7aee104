"""Whether a bundle judges here as its torch networks did where it was made."""

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.bundle import Bundle
from export.errors import BundleError, ParityError
from export.runtime import Runtime
from models.spec import MODALITIES

PROBE: Final = "probe.npz"
"""Real windows and what torch made of them, shipped with every bundle."""
_ARRAYS: Final = ("frames", "samples", "texts", *MODALITIES, "anomaly")
_MOST_PROBE_BYTES: Final = 512 << 20
"""Unpacked. Six windows are some 5 MB."""
LARGEST_DIFFERENCE: Final = 0.02
"""Of an anomaly probability. Half-precision weights cost some 0.001."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Parity:
    """How far two runtimes are apart on the same windows."""

    num_windows: int
    differences: dict[str, float]
    """Largest absolute difference: of the numbers of each token, and of the calibrated anomaly probability."""


def read_probe(bundle: Bundle) -> Arrays:
    """Windows (`frames`, `samples`, `texts`) and torch's tokens (`video`, `audio`, `text`) and `anomaly` logits.

    Raises:
        BundleError: the bundle holds none, or not what it should.
    """
    if PROBE not in bundle.manifest.files:
        raise BundleError(f"bundle: {bundle.folder}: holds no {PROBE}; verify it with --run, or export it again")
    path = bundle.folder / PROBE
    try:
        num_bytes = _unpacked_bytes(path)
        if num_bytes <= _MOST_PROBE_BYTES:
            with np.load(path, allow_pickle=False) as probe:
                return {name: probe[name] for name in _ARRAYS}
    except (OSError, ValueError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error):
        raise BundleError(f"bundle: {path}: no windows to verify with; export it again") from None
    raise BundleError(f"bundle: {path}: unpacks to {num_bytes >> 20} MiB; export it again")


def run_probe(runtime: Runtime, windows: Arrays) -> Arrays:
    """Tokens and anomaly logits of windows; fusion sees them as one sequence that grows by one each time."""
    tokens = {
        "video": runtime.video(windows["frames"].astype(np.uint8)),
        "audio": runtime.audio(windows["samples"].astype(np.float32)),
        "text": runtime.text([str(text) for text in windows["texts"]]),
    }
    sequence, present = sequences(np.stack([tokens[name] for name in MODALITIES], axis=1), runtime.spec.context)
    return {**tokens, "anomaly": runtime.fusion(sequence, present).anomaly}


def sequences(tokens: NDArray[np.float32], context: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """N windows' tokens (N, M, D) as N sequences (N, K, M, D), each ending one window later, and their presence."""
    count, num_modalities, size = tokens.shape
    sequence = np.zeros((count, context, num_modalities, size), np.float32)
    present = np.zeros((count, context, num_modalities), np.bool_)
    for last in range(count):
        first = max(0, last + 1 - context)
        sequence[last, context - (last + 1 - first) :] = tokens[first : last + 1]
        present[last, context - (last + 1 - first) :] = True
    return sequence, present


def compare(bundle: Bundle, ours: Arrays, theirs: Arrays) -> Parity:
    """The largest differences between two runs over the same windows."""
    differences = {name: float(np.abs(ours[name] - theirs[name]).max()) for name in MODALITIES}
    scale, bias = bundle.manifest.calibration.anomaly
    ours_p, theirs_p = (1 / (1 + np.exp(-(scale * run["anomaly"].astype(np.float64) + bias))) for run in (ours, theirs))
    differences["anomaly"] = float(np.abs(ours_p - theirs_p).max())
    return Parity(len(ours["anomaly"]), differences)


def verify(runtime: Runtime, expected: Arrays | None = None) -> Parity:
    """Runs the probe and compares.

    Args:
        runtime: of the bundle.
        expected: windows and torch's results; none means those that the bundle holds.

    Raises:
        BundleError: the bundle holds no probe.
        ParityError: probabilities differ by more than `LARGEST_DIFFERENCE`.
    """
    expected = expected or read_probe(runtime.bundle)
    parity = compare(runtime.bundle, run_probe(runtime, expected), expected)
    apart = parity.differences["anomaly"]
    if not apart <= LARGEST_DIFFERENCE:
        raise ParityError(
            f"verify: {runtime.bundle.folder}: {runtime.provider} is {apart:.4f} away from torch"
            f" (most {LARGEST_DIFFERENCE}); export the bundle again, or choose another provider"
        )
    return parity


def write_probe(path: Path, probe: Arrays) -> None:
    """Writes windows and results, compressed."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **probe)


def _unpacked_bytes(path: Path) -> int:
    with zipfile.ZipFile(path) as packed:
        return sum(entry.file_size for entry in packed.infolist())
