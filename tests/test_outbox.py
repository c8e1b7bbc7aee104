"""Alerts that wait on the disk."""

import sqlite3
from pathlib import Path

import pytest
from conftest import make_alert
from full_disk import full_disk

from alerts import keys
from alerts.alert import Alert
from alerts.errors import OutboxError
from alerts.outbox import Outbox


def sequences(outbox: Outbox) -> list[int]:
    return [Alert.from_json(alert).sequence for _, alert in outbox.pending()]


def test_alerts_wait_in_order_until_removed(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "new" / "outbox.sqlite")
    for number in (0, 1, 2, 3):
        outbox.put(make_alert(number))
    assert sequences(outbox) == [0, 1, 2, 3]
    outbox.remove(outbox.pending(2))
    assert sequences(outbox) == [2, 3]
    assert len(outbox) == 2
    outbox.close()


def test_an_alert_put_again_waits_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put(make_alert(0))
    outbox.put(make_alert(1))
    outbox.put(make_alert(0))
    assert sequences(outbox) == [0, 1]
    outbox.close()


def test_what_waits_is_still_there_after_a_restart_and_positions_go_on(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.sqlite")
    first.put(make_alert(0))
    (old,) = first.pending()
    first.remove([old])
    first.put(make_alert(1))
    first.close()
    second = Outbox(tmp_path / "outbox.sqlite")
    assert sequences(second) == [1]
    assert second.pending()[0][0] != old[0]
    second.close()


def test_what_put_returned_for_is_seen_by_another_program(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put(make_alert(7))
    reader = sqlite3.connect(tmp_path / "outbox.sqlite")
    assert reader.execute("SELECT id, sequence FROM outbox").fetchall() == [(make_alert().id, 7)]
    assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    reader.close()
    outbox.close()


def test_a_file_that_is_no_outbox_is_an_error_and_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    path.write_text("my diary, page 1" * 100)
    with pytest.raises(OutboxError, match=r"outbox: .*outbox.sqlite: file is not a database; "):
        Outbox(path)
    assert path.read_text() == "my diary, page 1" * 100


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(OSError, match="choose a state folder"):
        Outbox(tmp_path / "state" / "outbox.sqlite")


def test_a_closed_outbox_refuses(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.close()
    with pytest.raises(OutboxError, match="closed"):
        outbox.put(make_alert())


def test_too_many_lose_the_oldest_updates_first_then_the_oldest(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    for number, kind in enumerate(["begin", "update", "update", "end", "begin", "update"]):
        outbox.put(make_alert(number, kind=kind))
    assert outbox.trim(most=6) == 0
    assert outbox.trim(most=4) == 2
    assert sequences(outbox) == [0, 3, 4, 5]
    assert outbox.trim(most=2) == 2
    assert sequences(outbox) == [3, 4]
    assert outbox.num_discarded == 4
    outbox.close()


def test_alerts_take_no_more_of_the_disk_than_they_may(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    for number in range(100):
        outbox.put(make_alert(number, text="x" * 10_000))
    assert 40 < outbox.trim(most_bytes=600_000) < 60
    kept = sequences(outbox)
    assert kept == [0, *range(101 - len(kept), 100)]
    outbox.close()


def test_what_waited_for_weeks_is_given_up(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put(make_alert(0))
    outbox.put(make_alert(1))
    other = sqlite3.connect(tmp_path / "outbox.sqlite", isolation_level=None)
    other.execute("UPDATE outbox SET put_at = put_at - ? WHERE sequence = 0", (keys.OUTBOX_DAYS * 86_400 + 1,))
    other.close()
    assert outbox.trim() == 1
    assert sequences(outbox) == [1]
    outbox.close()


def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "outbox.sqlite")
    columns = (
        "position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, sequence INTEGER NOT NULL, alert TEXT NOT NULL"
    )
    old.execute(f"CREATE TABLE outbox ({columns}, UNIQUE (id, sequence))")
    old.execute("INSERT INTO outbox (id, sequence, alert) VALUES ('a', 5, ?)", (make_alert(5).to_json(),))
    old.commit()
    old.close()
    for _ in range(2):
        outbox = Outbox(tmp_path / "outbox.sqlite")
        assert outbox.trim() == 0
        assert sequences(outbox)[0] == 5
        outbox.put(make_alert(6))
        outbox.close()


def test_what_a_full_disk_refuses_waits_in_memory_in_order(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put(make_alert(0))
    with full_disk():
        for number in (1, 2):
            with pytest.raises(OutboxError, match=r"outbox: .*; make room"):
                outbox.put(make_alert(number))
        assert len(outbox) == 3
        assert sequences(outbox) == [0]  # in order: not yet 1 and 2
    outbox.put(make_alert(3))
    assert sequences(outbox) == [0, 1, 2, 3]
    assert outbox.num_unwritten == 0
    outbox.close()


def test_what_was_sent_while_the_disk_was_full_is_not_sent_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    outbox.put(make_alert(0))
    with full_disk():
        with pytest.raises(OutboxError):
            outbox.put(make_alert(1))
        outbox.remove(outbox.pending())
        assert sequences(outbox) == [1]
        outbox.remove(outbox.pending())
        assert sequences(outbox) == []
    outbox.put(make_alert(2))
    assert sequences(outbox) == [2]
    outbox.close()


def test_memory_is_bounded_too(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    with full_disk():
        for number in range(keys.UNWRITTEN_ALERTS + 3):
            with pytest.raises(OutboxError):
                outbox.put(make_alert(number))
    assert outbox.num_discarded == 3
    outbox.write()
    assert sequences(outbox)[0] == 3
    assert len(outbox) == keys.UNWRITTEN_ALERTS
    outbox.close()
