"""Two processes learn what one does."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parallel_run import main
from torch import nn

from models import parallel

PROGRAM = Path(__file__).with_name("parallel_run.py")
NUMBERS = ("train_loss", "validation_score", "rate", "head_rate")


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_two_processes_have_the_loss_curve_and_the_weights_of_one(tmp_path: Path) -> None:
    main(tmp_path / "one")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run([*command, PROGRAM, tmp_path / "two"], check=True, capture_output=True, timeout=500)
    one, two = history(tmp_path / "one"), history(tmp_path / "two")
    assert [row["epoch"] for row in two] == ["1", "2", "3"]
    for row, other in zip(one, two, strict=True):
        assert [float(other[name]) for name in NUMBERS] == pytest.approx(
            [float(row[name]) for name in NUMBERS], 1e-4, 1e-5
        )
    states = [torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["network"] for name in ("one", "two")]
    for key, value in states[0].items():
        assert torch.allclose(value, states[1][key], rtol=1e-4, atol=1e-5), key


def test_one_process_needs_none_of_it() -> None:
    rows, network = torch.randn(4, 3), nn.Sequential(nn.BatchNorm1d(3))
    parallel.share_norms(network)
    assert type(network[0]) is nn.BatchNorm1d
    assert parallel.own((rows,))[0] is rows
    assert parallel.gathered(rows, 4) is rows
    assert parallel.agreed(0.5) == 0.5
    assert parallel.is_first()
