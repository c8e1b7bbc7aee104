"""Repeats are counted, the last word is true, and nothing floods."""

from typing import Any

from pipeline.fold import Entry, Folding


def entry(message: str, source: str | None = "gate", event: str = "source_state", **changes: Any) -> Entry:
    return Entry(at=0.0, level="info", event=event, source=source, message=message, **changes)


def told(entries: list[Entry]) -> list[tuple[str, int]]:
    return [(one.message, one.repeats) for one in entries]


def test_what_is_new_is_said_at_once() -> None:
    folding = Folding(60)
    assert told(folding.push(entry("running"), 0)) == [("running", 0)]
    assert told(folding.push(entry("running", source="yard"), 0)) == [("running", 0)]
    assert told(folding.push(entry("running", event="other"), 0)) == [("running", 0)]


def test_a_repeat_is_counted_and_told_at_the_end_of_the_window() -> None:
    folding = Folding(60)
    for now in range(12):
        folding.push(entry(f"refused; next try in {now}.5 s"), now)
    assert folding.due(59) == []
    (last,) = folding.due(61)
    assert (last.message, last.repeats, last.seconds) == ("refused; next try in 11.5 s", 11, 61)
    assert folding.due(200) == []


def test_a_repeat_is_told_before_what_is_new() -> None:
    folding = Folding(60)
    folding.push(entry("refused"), 0)
    folding.push(entry("refused"), 1)
    assert told(folding.push(entry("running"), 2)) == [("refused", 1), ("running", 0)]
    assert folding.due(100) == []


def test_a_camera_that_flaps_says_two_lines_a_window_the_last_as_it_is() -> None:
    folding = Folding(60)
    said = []
    for now in range(600):
        said += folding.push(entry("running" if now % 2 else "reconnecting"), now)
    said += folding.rest(600)
    assert len(said) <= 2 + 2 * 10
    assert said[-1].message == "running"
    assert sum(1 + one.repeats for one in said[:2]) + sum(one.repeats for one in said[2:]) == 600


def test_after_a_quiet_window_it_is_said_again() -> None:
    folding = Folding(60)
    folding.push(entry("running"), 0)
    assert told(folding.push(entry("running"), 61)) == [("running", 0)]


def test_ever_new_words_are_counted_too() -> None:
    folding = Folding(60)
    said = []
    for number in range(1000):
        said += folding.push(entry("x" * number), number / 100)
    said += folding.due(60)
    assert len(said) < 30
    assert told(said[-1:]) == [("says too much: the rest is only counted", 979)]


def test_at_the_end_nothing_is_held_back() -> None:
    folding = Folding(60)
    for source in ("gate", "yard", "gate", "yard"):
        folding.push(entry("running", source=source), 0)
    assert told(folding.rest(1)) == [("running", 1), ("running", 1)]
