"""What a run says of its epochs: a table and curves."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from models.storage import write_whole


class Epoch(NamedTuple):
    """A row of `history.csv`."""

    stage: str
    epoch: int
    """From 1."""
    train_loss: float
    """Mean over the epoch's steps."""
    validation_score: float
    """AUC; of the alignment, minus the loss."""
    rate: float
    """Learning rate at its end, of the backbone where the stage has one."""
    head_rate: float
    """The same of what lies on top."""
    seconds: float
    """It took, validation included."""


def write_history(path: Path, epochs: Iterable[Epoch]) -> None:
    """Writes `history.csv` anew.

    Raises:
        StorageError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Epoch._fields)
    for epoch in epochs:
        loss, score, seconds = f"{epoch.train_loss:.6f}", f"{epoch.validation_score:.6f}", f"{epoch.seconds:.2f}"
        writer.writerow((epoch.stage, epoch.epoch, loss, score, f"{epoch.rate:.3e}", f"{epoch.head_rate:.3e}", seconds))
    write_whole(path, text.getvalue().encode())


def draw_curves(path: Path, epochs: Sequence[Epoch]) -> None:
    """Draws `curves.png`: for each stage, the loss above and the validation score below.

    Raises:
        StorageError: it cannot be written.
    """
    stages = list(dict.fromkeys(epoch.stage for epoch in epochs))
    if not stages:
        return
    figure = Figure(figsize=(3.2 * len(stages), 4.5), layout="constrained")
    axes = figure.subplots(2, len(stages), squeeze=False, sharex="col")
    for (upper, lower), stage in zip(axes.T, stages, strict=True):
        rows = [epoch for epoch in epochs if epoch.stage == stage]
        numbers = [row.epoch for row in rows]
        upper.plot(numbers, [row.train_loss for row in rows], color="tab:orange", marker=".")
        lower.plot(numbers, [row.validation_score for row in rows], color="tab:blue", marker=".")
        upper.set_title(stage)
        lower.set_xlabel("epoch")
        lower.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("validation score")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    write_whole(path, picture.getbuffer())
