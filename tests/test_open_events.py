"""An event that was open when its run ended is ended by the next run, and by no other while that run lives."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import BUNDLED, RedisServer, make_alert

from alerts import keys
from alerts.alert import Alert
from alerts.connect import from_url
from alerts.errors import OutboxError
from alerts.outbox import Outbox
from alerts.redis_stream import Publisher
from alerts.run_lock import RunLock

PUBLISHING = """
import sys
from pathlib import Path
from conftest import make_alert
from alerts.connect import from_url
from alerts.redis_stream import Publisher

publish = Publisher(from_url(sys.argv[1]), Path(sys.argv[2]))
for name in sys.argv[3:]:
    publish(make_alert(0, id=name))
    publish(make_alert(1, id=name))
publish(make_alert(0, id="over"))
publish(make_alert(1, id="over", kind="end"))
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(BUNDLED, tmp_path) as server:
        yield server


@contextmanager
def publishing(server: RedisServer, state: Path, *names: str) -> Iterator[None]:
    """Another process that has begun these events; it is killed afterwards."""
    command = [sys.executable, "-c", PUBLISHING, server.url, str(state), *names]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        try:
            yield
        finally:
            process.kill()


def steps(server: RedisServer, identity: str) -> dict[int, str]:
    """The steps of an event that have arrived."""
    alerts = [Alert.from_json(fields[b"alert"]) for _, fields in server.client.xrange(keys.STREAM)]
    return {alert.sequence: alert.kind for alert in alerts if alert.id == identity}


def start_and_stop(server: RedisServer, state: Path) -> None:
    with from_url(server.url) as client, Publisher(client, state):
        pass


def test_the_next_run_ends_what_a_killed_one_left_open_once(server: RedisServer, tmp_path: Path) -> None:
    with publishing(server, tmp_path, "gate-1", "yard-1"):
        pass
    for _ in range(2):
        start_and_stop(server, tmp_path)
    assert steps(server, "gate-1") == steps(server, "yard-1") == {0: "begin", 1: "update", 2: "end"}
    assert steps(server, "over") == {0: "begin", 1: "end"}


def test_the_end_comes_before_anything_new(server: RedisServer, tmp_path: Path) -> None:
    with publishing(server, tmp_path, "gate-1"):
        pass
    with from_url(server.url) as client, Publisher(client, tmp_path) as publish:
        publish(make_alert(0, id="gate-2"))
    order = [Alert.from_json(fields[b"alert"]) for _, fields in server.client.xrange(keys.STREAM)]
    assert [(alert.id, alert.kind) for alert in order[-2:]] == [("gate-1", "end"), ("gate-2", "begin")]


def test_what_a_living_run_has_open_is_left_alone(server: RedisServer, tmp_path: Path) -> None:
    with publishing(server, tmp_path, "gate-1"):
        with publishing(server, tmp_path, "yard-1"):
            start_and_stop(server, tmp_path)
            assert 2 not in steps(server, "gate-1") | steps(server, "yard-1")
        start_and_stop(server, tmp_path)
        assert steps(server, "yard-1")[2] == "end"
        assert 2 not in steps(server, "gate-1")
    start_and_stop(server, tmp_path)
    assert steps(server, "gate-1")[2] == "end"


def ended(state: Path, *alerts: Alert) -> Alert:
    """The end of an event whose run told these alerts and no more."""
    outbox = Outbox(state / "outbox.sqlite")
    for alert in alerts:
        outbox.put(alert)
    assert outbox.end_open(lambda _: True) == 1
    end = Alert.from_json(outbox.pending()[-1][1])
    outbox.close()
    return end


def test_the_end_says_what_was_known_and_when_it_was_last_told(tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    last = make_alert(4, score=0.97)
    end = ended(tmp_path, make_alert(3), last)
    assert end.ended_at is not None
    assert before <= end.ended_at <= datetime.now(UTC)
    assert end.latency_seconds >= last.latency_seconds
    changed = {"kind", "sequence", "ended_at", "latency_seconds"}
    assert end.model_dump(exclude=changed) == last.model_dump(exclude=changed)
    assert end.sequence == 5


def test_no_event_ends_before_its_peak(tmp_path: Path) -> None:
    ahead = datetime(2126, 1, 1, tzinfo=UTC)  # a file that was watched faster than it plays
    assert ended(tmp_path, make_alert(0, started_at=ahead, peak_at=ahead)).ended_at == ahead


def test_runs_have_numbers_of_their_own_that_come_free_again(tmp_path: Path) -> None:
    first, second = RunLock(tmp_path / "state"), RunLock(tmp_path / "state")
    assert (first.number, second.number) == (0, 1)
    assert first.is_over(2)
    assert not first.is_over(1)
    first.close()
    third = RunLock(tmp_path / "state")
    assert third.number == 0
    for lock in (second, third):
        lock.close()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(OutboxError, match=r"outbox: .*state: file exists; choose a state folder"):
        RunLock(tmp_path / "state")
