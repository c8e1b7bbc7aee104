"""`heed verify`: every graph of a bundle, on every provider at hand, beside torch."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.bundle import Bundle
from export.choice import at_hand
from export.parity import Arrays, Parity, verify
from export.runtime import Runtime
from models.spec import MODALITIES
from pipeline.annotations.read import read_annotations
from pipeline.calibration import labelled_windows
from pipeline.config import Config
from pipeline.labels import rows_by_path
from pipeline.metrics import roc_auc
from pipeline.offline import score_files
from pipeline.scored import fused


@dataclass(frozen=True, slots=True)
class Agreement:
    """One provider and precision beside torch, and on labelled files."""

    parity: Parity
    auc: float | None
    """Of windows, by their labels; none without labels."""

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints of it."""
        return {**asdict(self.parity), "agrees": self.parity.agrees, "auc": self.auc}


def agreements(
    bundle: Bundle, expected: Arrays | None = None, provider: str | None = None, labels: Path | None = None
) -> Iterator[Agreement]:
    """Runs the same windows everywhere.

    Args:
        bundle: opened and checked.
        expected: windows and what torch made of them; none means those that the bundle holds.
        provider: the only one to try; none means every one at hand.
        labels: labelled files, as `heed evaluate` takes them.
    """
    for name, precision in at_hand(bundle, provider):
        runtime = Runtime(bundle, name, precision=precision)
        yield Agreement(verify(runtime, expected), None if labels is None else window_auc(labels, runtime))


def window_auc(labels: Path, runtime: Runtime) -> float:
    """AUC over the windows of labelled files.

    Raises:
        LabelsError: the labels are wrong.
        SourceError: a file cannot be read.
        UndefinedError: there are not both kinds of window.
    """
    files, _ = score_files(rows_by_path(read_annotations(labels)), runtime, Config(), lambda *_: None, strict=True)
    told = labelled_windows(files)
    return roc_auc(np.array([fused(each.window) for each in told]), np.array([bool(each.labels) for each in told]))


def table(found: Sequence[Agreement]) -> Iterator[str]:
    """A line for each, under its headings."""
    heads = " ".join(f"{name:>8}" for name in MODALITIES)
    yield f"{'provider':9} {'graphs':8} {heads} {'probability':>12} {'ranks':>7} {'AUC':>7}"
    for agreement in found:
        parity = agreement.parity
        tokens = " ".join(f"{parity.differences[name]:8.1e}" for name in MODALITIES)
        told = " ".join("      –" if value is None else f"{value:7.4f}" for value in _figures(agreement))
        yield f"{parity.provider:9} {parity.precision:8} {tokens} {parity.differences['anomaly']:12.1e} {told}"


def _figures(agreement: Agreement) -> tuple[float | None, float | None]:
    return agreement.parity.rank_correlation, agreement.auc
