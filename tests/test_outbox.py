"""Alerts that wait on the disk."""

import sqlite3
from pathlib import Path

import pytest
from conftest import make_alert

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
    outbox.remove(outbox.pending(2)[-1][0])
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
    old = first.pending()[0][0]
    first.remove(old)
    first.put(make_alert(1))
    first.close()
    second = Outbox(tmp_path / "outbox.sqlite")
    assert sequences(second) == [1]
    assert second.pending()[0][0] > old
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
