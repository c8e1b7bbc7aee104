"""The loop: it goes on bit by bit after a kill, averages, freezes, ends early, and leaves a whole run when it fails."""

import csv
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_run import EPOCHS, STEPS, small_network, small_run, small_stage
from torch import Generator, Tensor, nn

from models.average import Average
from models.errors import StorageError, TrainingError
from models.fit import Fitting, Run
from models.storage import write_whole

PROGRAM = Path(__file__).with_name("small_run.py")


def state(folder: Path) -> dict[str, Tensor]:
    saved: dict[str, Tensor] = torch.load(folder / "checkpoint.pt", weights_only=True)["network"]
    return saved


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def child(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, (PROGRAM, folder, *words))]
    return subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)


def weight(module: nn.Module) -> Tensor:
    return module.get_parameter("weight")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    small_run(folder)
    return folder


@pytest.mark.parametrize("kill_at", [STEPS + 2, EPOCHS * STEPS + 2])
def test_a_killed_run_ends_bit_by_bit_as_if_it_had_not_been(whole: Path, tmp_path: Path, kill_at: int) -> None:
    assert child(tmp_path, kill_at).returncode == -signal.SIGKILL
    assert len(history(tmp_path)) == kill_at // STEPS
    small_run(tmp_path)
    expected = state(whole)
    assert all(torch.equal(value, expected[key]) for key, value in state(tmp_path).items())
    for row, other in zip(history(tmp_path), history(whole), strict=True):
        assert row | {"seconds": ""} == other | {"seconds": ""}


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(whole: Path, tmp_path: Path) -> None:
    assert child(tmp_path, STEPS + 2).returncode == -signal.SIGKILL
    before = (tmp_path / "checkpoint.pt").read_bytes()
    ended = child(tmp_path, "never", 2000)
    assert ended.returncode == 1
    assert re.fullmatch(
        rf"run: {tmp_path}/checkpoint\.pt: File too large; make room for it and give the same command again: .*\n",
        ended.stderr,
    )
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "history.csv"]
    small_run(tmp_path)
    expected = state(whole)
    assert all(torch.equal(value, expected[key]) for key, value in state(tmp_path).items())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_file_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text("before")
    (tmp_path / "run.json.tmp").symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"run\.json: No space left on device; make room"):
        write_whole(path, b"after")
    assert path.read_text() == "before"
    write_whole(path, b"after")
    assert path.read_text() == "after"


def test_a_loss_that_is_no_number_stops_it_and_the_last_epoch_stays(tmp_path: Path) -> None:
    network = small_network()
    good = small_stage(network)
    count = iter(range(100))

    def loss(generator: Generator) -> Tensor:
        return good.loss(generator) * (torch.nan if next(count) == STEPS + 1 else 1.0)

    with pytest.raises(TrainingError, match=r"train: first: the loss is nan in epoch 2; (.*) holds epoch 1 of first"):
        Run(tmp_path, network, 0, lambda *_: None).fit(replace(good, loss=loss))
    saved = state(tmp_path)
    assert all(bool(value.isfinite().all()) for value in saved.values())
    network = small_network()
    Run(tmp_path, network, 0, lambda *_: None).fit(small_stage(network))
    assert [row["epoch"] for row in history(tmp_path)] == ["1", "2", "3", "4"]


def test_a_gradient_that_is_no_number_stops_it_too(tmp_path: Path) -> None:
    network = small_network()

    def loss(_: Generator) -> Tensor:
        return (weight(network[1]) * 0).sum().sqrt()  # 0, with an infinite slope

    with pytest.raises(TrainingError, match='the gradient is nan in epoch 1; train with precision = "fp32", or begin'):
        Run(tmp_path, network, 0, lambda *_: None).fit(small_stage(network, loss=loss))
    assert not (tmp_path / "checkpoint.pt").exists()


def test_the_average_moves_as_its_formula_says() -> None:
    module = nn.BatchNorm1d(1)
    average, expected = Average([module, module], 0.5), module.weight.item()
    for step, value in enumerate([3.0, -2.0, 5.0, 7.0, 1.0, 4.0, 4.0, 9.0, 2.0]):
        with torch.no_grad():
            module.weight.fill_(value)
            module.running_mean.fill_(value)  # type: ignore[union-attr]
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    with average.applied():
        assert module.weight.item() == pytest.approx(expected)
    assert module.weight.item() == 2.0
    # The mean began at 0, the weight at 1.
    fade = 1.0
    for step in range(9):
        fade *= min(0.5, (1 + step) / (10 + step))
    average.put(average.values)
    assert module.running_mean is not None
    assert module.running_mean.item() == pytest.approx(expected - fade)


def test_without_an_average_the_weights_stay_as_they_are(tmp_path: Path) -> None:
    network = small_network()
    Run(tmp_path, network, 0, lambda *_: None).fit(small_stage(network, average=0.0))
    other = small_network()
    fitting = Fitting(small_stage(other, average=0.0), 0)
    for _ in range(EPOCHS):
        fitting.train(lambda *_: None)
        other.eval()
    for value, weight in zip(network.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(value, weight)


@pytest.mark.parametrize(("keep", "kept"), [("last", 4), ("best", 2)])
def test_the_epoch_that_is_asked_for_stays(tmp_path: Path, keep: str, kept: int) -> None:
    network, seen, scores = small_network(), [], iter([0.5, 0.9, 0.7, 0.6])

    def score() -> float:
        seen.append(weight(network[1]).detach().clone())
        return next(scores)

    Run(tmp_path, network, 0, lambda *_: None).fit(small_stage(network, keep=keep, score=score))
    assert torch.equal(weight(network[1]), seen[kept - 1])


def test_a_stage_that_gets_no_better_ends(tmp_path: Path) -> None:
    network, scores = small_network(), iter([0.5, 0.6, 0.6, 0.4])
    stage = small_stage(network, epochs=9, patience=2, score=lambda: next(scores))
    Run(tmp_path, network, 0, lambda *_: None).fit(stage)
    assert [row["validation_score"] for row in history(tmp_path)] == ["0.500000", "0.600000", "0.600000", "0.400000"]


def test_two_small_batches_make_the_step_of_a_large_one() -> None:
    whole, parts = nn.Linear(6, 1), nn.Linear(6, 1)
    parts.load_state_dict(whole.state_dict())
    rows = torch.randn(2 * STEPS * 2, 8, 6)

    def squares(network: nn.Module, batches: Tensor) -> Tensor:
        mean: Tensor = network(batches).square().mean()
        return mean

    large, small = iter(rows.view(-1, 2, 8, 6)), iter(rows)
    for network, take, count in ((whole, large, 1), (parts, small, 2)):
        stage = small_stage(
            nn.Sequential(nn.Identity(), network),
            modules={network: 1e-2},
            accumulate=count,
            draws=8 * 2 * STEPS if count == 2 else 8 * STEPS,
            epochs=2,
            loss=lambda _, network=network, take=take: squares(network, next(take)),
        )
        fitting = Fitting(stage, 0)
        for _ in range(2):
            fitting.train(lambda *_: None)
    assert next(large, None) is next(small, None) is None
    assert torch.allclose(whole.weight, parts.weight, atol=1e-6)


def test_a_frozen_module_waits_and_what_lies_on_it_does_not() -> None:
    network = small_network()
    stage = small_stage(network, frozen={network: 2})
    fitting, body, head = Fitting(stage, 0), weight(network.get_submodule("0.0")), weight(network[1])
    mean = network.get_buffer("0.1.running_mean")
    moved = []
    for _ in range(3):
        before = body.detach().clone(), head.detach().clone(), mean.clone()
        fitting.train(lambda *_: None)
        now = body, head, mean
        moved.append([not torch.equal(*pair) for pair in zip(before, now, strict=True)])
    assert moved == [[False, True, False], [False, True, False], [True, True, True]]


def test_each_module_has_its_own_rate() -> None:
    network = small_network()
    fitting = Fitting(small_stage(network), 0)
    start, highest = 1 / 25, 0.0
    assert fitting.rates == pytest.approx([1e-2 * start, 5e-3 * start])
    for _ in range(EPOCHS):
        fitting.train(lambda *_: None)
        highest = max(highest, fitting.rates[0] / fitting.rates[1])
    assert highest == pytest.approx(2.0)
    assert fitting.is_over
