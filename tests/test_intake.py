"""The queues between the sources and the engine."""

import itertools
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pytest
from conftest import wait_until

from pipeline.config import EngineConfig
from pipeline.intake import Broken, Ended, Entry, Intake
from pipeline.window import Window


def window(source: str, index: int) -> Window:
    return Window(source, 0, index, index, index + 2, datetime.now(UTC), None, np.zeros(0, np.float32), None, 0.0)


def indices(batch: Sequence[Entry]) -> list[tuple[str, int | None]]:
    return [(entry.source, entry.index if isinstance(entry, Window) else None) for entry in batch]


def test_a_live_queue_keeps_the_newest() -> None:
    intake = Intake(["gate"], EngineConfig(queue_windows=2))
    for index in range(5):
        intake.put("gate", window("gate", index), is_live=True)
    assert indices(intake.take(threading.Event())) == [("gate", 3), ("gate", 4)]
    assert intake.num_dropped == {"gate": 3}


def test_windows_that_begin_and_end_to_be_dropped_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    intake = Intake(["gate"], EngineConfig(queue_windows=2))
    for index in range(5):
        intake.put("gate", window("gate", index), is_live=True)
    intake.take(threading.Event())
    for index in range(5, 8):
        intake.put("gate", window("gate", index), is_live=True)
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the engine is too slow",
        "the engine keeps up again; 3 windows dropped",
        "the engine is too slow",
    ]
    assert intake.num_dropped == {"gate": 4}


def test_a_source_that_breaks_again_and_again_fills_no_queue() -> None:
    intake = Intake(["gate"], EngineConfig(max_batch=8))
    intake.put("gate", window("gate", 0), is_live=True)
    for _ in range(3):
        intake.put("gate", Broken("gate"), is_live=True)
    intake.put("gate", window("gate", 1), is_live=True)
    assert [type(entry) for entry in intake.take(threading.Event())] == [Window, Broken, Window]


def test_a_batch_is_no_larger_than_configured_and_every_source_has_its_turn() -> None:
    intake = Intake(["a", "b", "c"], EngineConfig(max_batch=2))
    for source in "abc":
        for index in range(2):
            intake.put(source, window(source, index), is_live=True)
    batches = [indices(intake.take(threading.Event())) for _ in range(3)]
    assert batches == [[("a", 0), ("b", 0)], [("c", 0), ("a", 1)], [("b", 1), ("c", 1)]]


def test_a_source_that_floods_does_not_hold_up_another() -> None:
    intake = Intake(["flood", "slow"], EngineConfig(max_batch=4, queue_windows=4))
    is_over = threading.Event()

    def flood() -> None:
        for index in itertools.count():
            if is_over.is_set():
                return
            intake.put("flood", window("flood", index), is_live=True)

    flooding = threading.Thread(target=flood)
    flooding.start()
    batches = []
    for index in range(50):
        intake.put("slow", window("slow", index), is_live=True)
        batches.append(indices(intake.take(threading.Event())))
    wait_until(lambda: intake.num_dropped["flood"])
    is_over.set()
    flooding.join()
    assert all(("slow", index) in batch for index, batch in enumerate(batches))
    assert intake.num_dropped["slow"] == 0


def test_a_source_that_breaks_all_the_time_takes_no_room_from_another() -> None:
    intake = Intake(["broken", "slow"], EngineConfig(max_batch=4, queue_windows=4))
    for index in range(20):
        intake.put("broken", window("broken", index), is_live=True)
        intake.put("broken", Broken("broken"), is_live=True)
    intake.put("slow", window("slow", 0), is_live=True)
    assert ("slow", 0) in indices(intake.take(threading.Event()))


def test_batches_end_with_the_last_source() -> None:
    intake = Intake(["a", "b"], EngineConfig())
    intake.put("a", window("a", 0), is_live=False)
    intake.put("a", Ended("a"), is_live=False)
    intake.put("b", Ended("b"), is_live=False)
    assert indices(intake.take(threading.Event())) == [("a", 0), ("b", None), ("a", None)]
    assert intake.take(threading.Event()) == []


def test_a_file_waits_for_room_and_is_let_go_at_the_end() -> None:
    intake = Intake(["gate"], EngineConfig(queue_windows=1))
    intake.put("gate", window("gate", 0), is_live=False)
    reader = threading.Thread(target=intake.put, args=("gate", window("gate", 1)), kwargs={"is_live": False})
    reader.start()
    reader.join(0.2)
    assert reader.is_alive()
    assert indices(intake.take(threading.Event())) == [("gate", 0)]
    reader.join(5)
    assert indices(intake.take(threading.Event())) == [("gate", 1)]
    intake.close()
    assert intake.take(threading.Event()) == []
