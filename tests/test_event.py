"""Sequences of scores and the events they become: `H` high, `m` between release and threshold, `.` low, a gap none."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import EventConfig
from pipeline.event import Event, EventTracker, events
from pipeline.score import Scores

ORIGIN = datetime(2026, 11, 22, tzinfo=UTC)
CONFIG = EventConfig(
    confirm_windows=2, release=0.7, merge_seconds=3, cooldown_seconds=5, longest_seconds=60, update_seconds=60
)
LEVELS = {"H": 0.9, "m": 0.4, ".": 0.1}


def scores(
    index: int, anomaly: float, label: str = "fight", *, session: int = 0, origin: datetime = ORIGIN, stride: float = 1
) -> Scores:
    """Of a window of 2 seconds at `index * stride`, whose threshold is 0.5."""
    classes = {"siren": 0.2, "fight": 0.2, label: 0.8}
    start = index * stride
    return Scores("gate", session, index, start, start + 2, origin, 100 + start, anomaly, 0.5, classes, {}, None)


def timeline(levels: str, label: str = "fight", first: int = 0) -> Iterator[Scores]:
    """A window every second."""
    for index, level in enumerate(levels, first):
        if level != " ":
            yield scores(index, LEVELS[level], label)


def told(levels: str, config: EventConfig = CONFIG) -> list[tuple[str, float, float | None, float]]:
    """Kind, start, end and time of decision of every event."""
    return [
        (event.kind, event.started_seconds, event.ended_seconds, event.decided_seconds)
        for event in events(timeline(levels), config)
    ]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        pytest.param("..H.H.H..", [], id="one window alone is not confirmed"),
        pytest.param("mmmmmmmm", [], id="what only holds an event does not begin one"),
        pytest.param("H H H", [], id="windows with one missing between them are not in a row"),
        pytest.param("HH.....", [("begin", 0, None, 3), ("end", 0, 3, 6)], id="ends after its scores stayed low"),
        pytest.param("HHmmmmmm....", [("begin", 0, None, 3), ("end", 0, 9, 12)], id="held above the release"),
        pytest.param("HH..HH....", [("begin", 0, None, 3), ("end", 0, 7, 10)], id="what comes soon belongs to it"),
        pytest.param("..HHH", [("begin", 2, None, 5), ("end", 2, 6, 6)], id="ends with the source"),
        pytest.param(
            "HH...HHHHHHH",
            [("begin", 0, None, 3), ("end", 0, 3, 6), ("begin", 8, None, 11), ("end", 8, 13, 13)],
            id="the next begins after the cooldown",
        ),
        pytest.param("HH...HHH....", [("begin", 0, None, 3), ("end", 0, 3, 6)], id="nothing begins in the cooldown"),
        pytest.param(
            "HH          HH",
            [("begin", 0, None, 3), ("end", 0, 3, 14), ("begin", 12, None, 15), ("end", 12, 15, 15)],
            id="a hole in the stream ends it",
        ),
    ],
)
def test_scores_become(levels: str, expected: list[tuple[str, float, float | None, float]]) -> None:
    assert told(levels) == expected


def test_a_long_event_is_ended_and_begun_anew() -> None:
    config = CONFIG.model_copy(update={"longest_seconds": 6})
    assert told("HHHHHHHHHH", config) == [
        *(("begin", 0, None, 3), ("end", 0, 6, 6)),
        *(("begin", 5, None, 8), ("end", 5, 11, 11)),
    ]


def test_updates_come_no_closer_than_configured() -> None:
    config = CONFIG.model_copy(update={"update_seconds": 2})
    assert [each for each in told("HHHHHH..HH", config) if each[0] == "update"] == [
        ("update", 0, None, 5),
        ("update", 0, None, 7),
        ("update", 0, None, 10),
    ]


@pytest.mark.parametrize("num_windows", [1, 2, 5])
def test_an_event_begins_with_the_window_that_confirms_it(num_windows: int) -> None:
    config = CONFIG.model_copy(update={"confirm_windows": num_windows})
    assert told("H" * (num_windows - 1), config) == []
    assert told("H" * num_windows, config)[0] == ("begin", 0, None, num_windows + 1)


def test_with_no_time_to_merge_windows_side_by_side_are_one_event() -> None:
    config = CONFIG.model_copy(update={"merge_seconds": 0})
    side_by_side = [scores(index, level, stride=2) for index, level in enumerate([0.9, 0.9, 0.9, 0.1])]
    assert [event.kind for event in events(side_by_side, config)] == ["begin", "end"]


def test_another_label_does_not_wait_for_the_cooldown() -> None:
    tracker = EventTracker(CONFIG)
    for each in timeline("HH..."):
        tracker.push(each)
    begun = [event for each in timeline("HH", "siren", first=5) for event in tracker.push(each)]
    assert [(event.kind, event.label, event.started_seconds) for event in begun] == [("begin", "siren", 5)]


def test_the_label_is_the_likeliest_when_it_began_and_stays() -> None:
    labels = ["fight", "siren", "siren", "fight", "fight"]
    config = CONFIG.model_copy(update={"confirm_windows": 3, "update_seconds": 0})
    found = list(events((scores(index, 0.9, label) for index, label in enumerate(labels)), config))
    assert [(event.kind, event.label) for event in found] == [
        *(("begin", "siren"), ("update", "siren"), ("update", "siren"), ("end", "siren"))
    ]


def test_windows_that_know_one_kind_each_make_an_event() -> None:
    first, second, third = timeline("HHH")
    rising = [
        replace(first, classes={"siren": 1.0}),
        *(replace(each, classes={"fight": 1.0}) for each in (second, third)),
    ]
    config = CONFIG.model_copy(update={"confirm_windows": 3})
    assert [event.label for event in events(rising, config)] == ["fight", "fight"]


def test_the_peak_is_the_highest_window_so_far() -> None:
    config = CONFIG.model_copy(update={"update_seconds": 1})
    levels = [0.6, 0.8, 0.7, 0.95, 0.6, 0.1, 0.1, 0.1]
    found = list(events((scores(index, level) for index, level in enumerate(levels)), config))
    assert [(event.kind, event.peak.index) for event in found] == [
        *(("begin", 1), ("update", 1), ("update", 3), ("update", 3), ("end", 3))
    ]


def test_the_window_that_ends_a_long_event_can_be_its_peak() -> None:
    config = CONFIG.model_copy(update={"longest_seconds": 4})
    found = list(events((scores(index, level) for index, level in enumerate([0.6, 0.6, 0.9])), config))
    assert [(event.kind, event.peak.anomaly) for event in found] == [("begin", 0.6), ("end", 0.9)]


def test_a_new_session_ends_what_the_old_one_began() -> None:
    tracker = EventTracker(CONFIG)
    begun = [event for each in timeline("HHH") for event in tracker.push(each)]
    ended = tracker.push(scores(0, 0.9, session=1, origin=ORIGIN + timedelta(seconds=30)))
    assert [(event.kind, event.ended_seconds) for event in [*begun, *ended]] == [("begin", None), ("end", 4)]
    assert ended[0].started_at == begun[0].started_at == ORIGIN


def test_windows_of_two_sessions_do_not_confirm_each_other() -> None:
    tracker = EventTracker(CONFIG)
    assert tracker.push(scores(0, 0.9)) == []
    assert tracker.push(scores(1, 0.9, session=1)) == []


def test_a_source_that_comes_back_is_still_in_its_cooldown() -> None:
    """Its clock is at 0 again, but only 3 seconds have gone by."""
    tracker = EventTracker(CONFIG)
    for each in timeline("HH"):
        tracker.push(each)
    again = ORIGIN + timedelta(seconds=6)
    kinds = [
        (event.kind, event.started_seconds)
        for index in range(6)
        for event in tracker.push(scores(index, 0.9, session=1, origin=again))
    ]
    assert kinds == [("end", 0), ("begin", 2)]


def test_the_end_of_a_quiet_source_is_no_event() -> None:
    tracker = EventTracker(CONFIG)
    assert tracker.finish() == []
    tracker.push(scores(0, 0.9))
    assert tracker.finish() == []


@given(st.text("Hm. ", max_size=60))
def test_events_begin_and_end_in_turn_and_do_not_overlap_with_their_cooldown(levels: str) -> None:
    found = list(events(timeline(levels), CONFIG))
    kinds = [event.kind for event in found if event.kind != "update"]
    assert kinds == ["begin", "end"] * (len(kinds) // 2)
    ends = [event for event in found if event.kind == "end"]
    for event in ends:
        assert event.ended_seconds is not None
        assert event.started_seconds + 2 < event.ended_seconds <= event.decided_seconds
    for before, after in pairwise(ends):
        assert before.ended_seconds is not None
        assert after.started_seconds >= before.ended_seconds + CONFIG.cooldown_seconds


def test_an_event_knows_its_time_of_day_and_when_it_was_complete() -> None:
    event = next(events(timeline("..HH"), CONFIG))
    assert isinstance(event, Event)
    assert event.started_at == ORIGIN + timedelta(seconds=2)
    assert event.closed_at == 103
    assert event.source == "gate"
