"""The present state of sources, as it is announced."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from conftest import wait_until

from pipeline.live import SourceState, Status
from pipeline.present import Present, trace
from pipeline.score import ModalityScore, Scores

NOW = datetime(2026, 11, 22, 7, 15, 1, 250_000, tzinfo=UTC)
SINCE = "2026-11-22T07:15:01.250Z"


def scores(anomaly: float = 0.9) -> Scores:
    return Scores("gate", 0, 0, 0.0, 2.0, NOW, 0.0, anomaly, 0.5, {"fight": 0.7, "siren": 0.3}, {}, None)


def state(status: Status, reason: str = "") -> SourceState:
    return SourceState(status, reason, NOW)


class Told:
    """What was announced of a source, the latest last."""

    def __init__(self, refresh_seconds: float = 3600) -> None:
        self.states: list[Mapping[str, str | float]] = []
        self.dropped = {"gate": 0}
        self.present = Present(
            ["gate"],
            {"provider": "cpu", "precision": "int8"},
            self.dropped,
            lambda _, state: self.states.append(state),
            refresh_seconds,
        )


def test_a_source_that_was_never_judged_has_a_state() -> None:
    told = Told()
    told.present.note_state("gate", state("unauthorised", "user or password refused"))
    reason = "user or password refused"
    assert told.states == [
        {"state": "unknown", "status": "unauthorised", "reason": reason, "since": SINCE, "dropped": 0}
    ]


def test_a_source_is_as_it_is_since_it_first_was() -> None:
    told = Told()
    statuses: tuple[Status, ...] = ("running", "reconnecting", "reconnecting", "running", "running")
    for minute, status in enumerate(statuses):
        told.present.note_state("gate", replace(state(status), since=NOW + timedelta(minutes=minute)))
    assert [str(each["since"])[14:16] for each in told.states] == ["15", "16", "16", "18", "18"]


def test_a_window_adds_what_was_thought_of_it() -> None:
    told = Told()
    told.present.note_state("gate", state("running"))
    told.dropped["gate"] = 3
    told.present.note_scores(scores())
    latest = dict(told.states[-1])
    assert float(latest.pop("latency_seconds")) > 0
    assert latest == {
        "state": "anomaly",
        "label": "fight",
        "score": 0.9,
        "threshold": 0.5,
        "at": "2026-11-22T07:15:03.250Z",
        "provider": "cpu",
        "precision": "int8",
        "status": "running",
        "reason": "",
        "since": SINCE,
        "dropped": 3,
    }


def test_a_source_that_is_away_is_neither_normal_nor_an_anomaly() -> None:
    told = Told()
    told.present.note_state("gate", state("running"))
    told.present.note_scores(scores(0.1))
    for status in ("stalled", "reconnecting"):
        told.present.note_state("gate", state(status))
    told.present.note_scores(scores(0.1))  # of a window that waited
    told.present.note_state("gate", state("ended"))
    assert [each["state"] for each in told.states] == ["unknown", "normal", "unknown", "unknown", "unknown", "normal"]


def test_a_source_that_nothing_happens_to_is_announced_again() -> None:
    told = Told(refresh_seconds=0.01)
    with told.present:
        assert len(told.states) >= 1  # at once
        wait_until(lambda: len(told.states) >= 3)
    assert {each["status"] for each in told.states} == {"starting"}
    assert not any(thread.name == "present" for thread in threading.enumerate())


def test_a_trace_has_every_sense_that_is_there() -> None:
    senses = {"video": ModalityScore(True, 0.25, 0.1, 0.0), "audio": ModalityScore(False, None, None, None)}
    told = trace(replace(scores(), modalities=senses))
    assert told == {"at": "2026-11-22T07:15:03.250Z", "score": 0.9, "threshold": 0.5, "video": 0.25, "audio": ""}
