"""Whether a bundle judges here as its torch networks did where it was made."""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from export.bundle import Bundle
from export.errors import BundleError, ParityError
from export.judgement import Judgement, calibrated
from export.runtime import Runtime
from models.spec import MODALITIES

PROBE: Final = "probe.npz"
"""Real windows and what torch made of them, shipped with every bundle."""
_ARRAYS: Final = ("frames", "samples", "texts", *MODALITIES, "anomaly")
_LATER: Final = frozenset({"modalities"})
"""What probes of 0.1.0 do not hold; late fusion is then left out of the comparison."""
_MOST_PROBE_BYTES: Final = 512 << 20
"""Unpacked. Six windows are some 5 MB."""
LARGEST_DIFFERENCE: Final = {"fp32": 0.02, "fp16": 0.02, "int8": 0.15}
"""Of an anomaly probability, by precision. Half-precision weights cost some 0.001; what int8 costs, AUC says better."""

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Parity:
    """How far a runtime is from torch on the same windows."""

    provider: str
    precision: str
    num_windows: int
    differences: dict[str, float]
    """Largest absolute difference: of the numbers of each token, and of the calibrated anomaly probability."""
    rank_correlation: float | None
    """Spearman's, of the anomaly probabilities; none when all windows are judged alike."""

    @property
    def agrees(self) -> bool:
        """Whether probabilities are as near as the precision allows."""
        return self.differences["anomaly"] <= LARGEST_DIFFERENCE[self.precision]


def read_probe(bundle: Bundle) -> Arrays:
    """Windows (`frames`, `samples`, `texts`) and torch's tokens (`video`, `audio`, `text`) and logits.

    The logits are `anomaly` (N,) and, unless the bundle is of 0.1.0, `modalities` (N, M).

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
                return {name: probe[name] for name in (*_ARRAYS, *_LATER.intersection(probe.files))}
    except (OSError, ValueError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error):
        raise BundleError(f"bundle: {path}: no windows to verify with; export it again") from None
    raise BundleError(f"bundle: {path}: unpacks to {num_bytes >> 20} MiB; export it again")


def run_probe(runtime: Runtime, windows: Arrays) -> Arrays:
    """Tokens and logits of windows; fusion sees them as one sequence that grows by one each time."""
    tokens = {
        "video": runtime.video(windows["frames"].astype(np.uint8)),
        "audio": runtime.audio(windows["samples"].astype(np.float32)),
        "text": runtime.text([str(text) for text in windows["texts"]]),
    }
    sequence, present = sequences(np.stack([tokens[name] for name in MODALITIES], axis=1), runtime.spec.context)
    judgement = runtime.fusion(sequence, present)
    return {**tokens, "anomaly": judgement.anomaly, "modalities": judgement.modalities}


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


def verify(runtime: Runtime, expected: Arrays | None = None) -> Parity:
    """Runs windows and compares.

    Args:
        runtime: of the bundle.
        expected: windows and torch's results; none means those that the bundle holds.

    Raises:
        BundleError: the bundle holds no probe.
    """
    theirs = expected or read_probe(runtime.bundle)
    ours = run_probe(runtime, theirs)
    differences = {name: float(np.abs(ours[name] - theirs[name]).max()) for name in MODALITIES}
    is_late = "modalities" in theirs
    our_p, their_p = (probabilities(runtime.bundle, run, is_late=is_late) for run in (ours, theirs))
    differences["anomaly"] = float(np.abs(our_p - their_p).max())
    return Parity(runtime.provider, runtime.precision, len(our_p), differences, _rank_correlation(our_p, their_p))


def probabilities(bundle: Bundle, run: Arrays, *, is_late: bool) -> NDArray[np.float64]:
    """Calibrated anomaly probabilities (N,), as `heed watch` tells them; or without the part of late fusion."""
    calibration, logits = bundle.manifest.calibration, run["anomaly"]
    there = np.ones((len(logits), len(MODALITIES)), np.bool_)
    if not is_late:
        calibration = calibration.model_copy(update={"late": 0.0})
    own = run["modalities"] if is_late else np.zeros(there.shape, np.float32)
    joint, _ = calibrated(calibration, Judgement(logits, logits[:, None], own), there)
    return np.asarray(1 / (1 + np.exp(-joint)))


def check(bundle: Bundle, parities: Sequence[Parity]) -> None:
    """Refuses what is too far from torch.

    Raises:
        ParityError: probabilities differ by more than `LARGEST_DIFFERENCE`.
    """
    for parity in parities:
        if not parity.agrees:
            raise ParityError(
                f"verify: {bundle.folder}: {parity.provider} in {parity.precision} is"
                f" {parity.differences['anomaly']:.4f} away from torch (most {LARGEST_DIFFERENCE[parity.precision]});"
                " export the bundle again, or choose another provider or precision"
            )


def _rank_correlation(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> float | None:
    ranks = [_ranks(values) for values in (ours, theirs)]
    if any(np.ptp(rank) == 0 for rank in ranks):
        return None
    one, other = (rank - rank.mean() for rank in ranks)
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places in ascending order; of equals, the middle of theirs."""
    _, level, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[level])


def write_probe(path: Path, probe: Arrays) -> None:
    """Writes windows and results, compressed."""
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **probe)


def _unpacked_bytes(path: Path) -> int:
    with zipfile.ZipFile(path) as packed:
        return sum(entry.file_size for entry in packed.infolist())
