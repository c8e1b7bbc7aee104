"""What networks say of windows that were kept aside: it calibrates their judgement, or that of another run."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from models import joint
from models.errors import WeightsError
from models.network import Network
from models.pool import Pool
from models.storage import save_whole


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Of one run, or of several one after the other, each on what it kept aside."""

    own: tuple[Tensor, ...]
    """Logits (N,) of each modality by itself."""
    truths: tuple[Tensor, ...]
    """bool (N,) of each modality: which windows are anomalous."""
    anomaly: Tensor
    """Logits (B,) of fusion on composed sequences."""
    modalities: Tensor
    """Logits (B, M) of each modality at their present window."""
    present: Tensor
    """bool (B, M): what there is at it."""
    truth: Tensor
    """bool (B,): whether it is anomalous."""

    def save(self, path: Path) -> None:
        """Writes a file that `load_verdicts` reads.

        Raises:
            StorageError: the disk is full, or the folder cannot be written.
        """
        save_whole(path, asdict(self))


def load_verdicts(path: Path) -> Verdicts:
    """Reads what `Verdicts.save` wrote.

    Raises:
        WeightsError: there is no such file.
    """
    try:
        return Verdicts(**torch.load(path, weights_only=True))
    except FileNotFoundError:
        again = "the run is of an earlier version; give its `heed train` command again, which adds the file"
        raise WeightsError(f"run: {path}: not there; {again}") from None


def pooled(parts: Sequence[Verdicts]) -> Verdicts:
    """Those of several runs as of one.

    Source: cross-fitted calibration, as scikit-learn's `CalibratedClassifierCV(ensemble=False)` has it.
    """

    def each(tensors: Iterable[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        return tuple(torch.cat(places) for places in zip(*tensors, strict=True))

    return Verdicts(
        each(part.own for part in parts),
        each(part.truths for part in parts),
        *each((part.anomaly, part.modalities, part.present, part.truth) for part in parts),
    )


def verdicts(network: Network, kept: dict[str, Pool], seed: int) -> Verdicts:
    """What a network says of the windows kept aside, each by itself and in composed sequences."""
    rows = joint.table(network, kept, 1, seed)
    sequences = joint.validation_sequences(rows, network, seed)
    judged = joint.judge(network, rows, sequences)
    with torch.inference_mode():
        own = tuple(head(mine)[0] for head, mine in zip(network.fusion.heads, rows.windows, strict=True))
    return Verdicts(
        own,
        tuple(labels > 0 for labels in rows.labels),
        judged.anomaly,
        judged.modalities,
        sequences.present[:, -1],
        sequences.labels > 0,
    )
