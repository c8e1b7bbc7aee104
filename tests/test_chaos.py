"""The short form of every test of chaos; `make chaos` is the full one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from chaos.__main__ import FAULTS, TESTS
from chaos.steps import Steps
from chaos.trial import run_test
from conftest import make_alert

ROOT = Path(__file__).parent.parent
SHORT = 0.02


@pytest.mark.parametrize("name", TESTS)
def test_the_short_form_loses_nothing(name: str) -> None:
    figures = run_test(name, seed=1, scale=SHORT)
    assert figures["tried"] > 0
    assert {fault: figures[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0)


def test_the_results_are_shown_and_written(tmp_path: Path) -> None:
    out = tmp_path / "chaos.json"
    command = [sys.executable, "-m", "tests.chaos", "--only", "fuzz", "--scale", "0.001", "--out", str(out)]
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert "\n│ fuzz │" in shown
    assert json.loads(out.read_text()).keys() == {"fuzz"}


def test_a_hole_in_an_event_and_an_event_without_an_end_are_counted() -> None:
    steps = Steps.of([make_alert(0), make_alert(1), make_alert(3), make_alert(3)])
    assert (steps.num_missing, steps.num_redelivered, steps.num_duplicated) == (1, 1, 0)
    assert steps.faults == ["gate 2026-11-22 07:15:01.250000+00:00: never ended"]


def test_an_alert_that_another_hides_is_missing() -> None:
    steps = Steps.of([make_alert(0), make_alert(0, score=0.5), make_alert(1, kind="end")])
    assert (steps.num_missing, steps.faults) == (1, [])


def test_a_step_out_of_order_is_counted() -> None:
    steps = Steps.of([make_alert(0), make_alert(2, kind="end"), make_alert(1)])
    assert steps.num_missing == 0
    assert steps.faults == ["gate-20261122T071501.250Z: 1 came after 2"]


def test_an_alert_shown_and_never_delivered_is_counted() -> None:
    steps = Steps.of([make_alert(0)])
    assert steps.num_unseen(["07:15:01  gate  BEGIN  somebody saw this"]) == 1
