"""The publisher: in order, at least once, never waiting for Redis."""

import logging
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import BUNDLED, RedisServer, make_alert, wait_until
from full_disk import full_disk
from reading import Reader

from alerts import keys
from alerts.alert import Alert
from alerts.connect import from_url
from alerts.errors import OutboxError
from alerts.outbox import Outbox
from alerts.redis_stream import Publisher


def stored(server: RedisServer) -> list[int]:
    return [Alert.from_json(fields[b"alert"]).sequence for _, fields in server.client.xrange(keys.STREAM)]


def waiting(state: Path) -> int:
    outbox = Outbox(state / "outbox.sqlite")
    try:
        return len(outbox)
    finally:
        outbox.close()


def test_alerts_reach_stream_and_mirror_in_order(redis_server: RedisServer, tmp_path: Path) -> None:
    mirror = redis_server.client.pubsub()
    mirror.subscribe(keys.CHANNEL)
    assert mirror.get_message(timeout=5) is not None
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        for number in range(250):
            publish(make_alert(number))
    assert stored(redis_server) == list(range(250))
    heard = [mirror.get_message(timeout=5) for _ in range(250)]
    assert [Alert.from_json(message["data"]).sequence for message in heard if message] == list(range(250))
    assert waiting(tmp_path) == 0
    mirror.close()


def test_a_publish_returns_at_once_while_redis_is_silent_and_close_keeps_its_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with from_url(f"redis://127.0.0.1:{server.getsockname()[1]}?socket_timeout=0.4") as client:
            publish = Publisher(client, tmp_path)
            start = time.monotonic()
            for number in range(20):
                publish(make_alert(number))
                publish.announce("gate", {"label": "normal"})
            assert time.monotonic() - start < 4
            start = time.monotonic()
            publish.close(2)
            assert time.monotonic() - start < 4
        assert waiting(tmp_path) == 20


def test_a_redis_that_hangs_holds_nobody_up_and_gets_everything_once_it_goes_on(
    redis_server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with from_url(f"{redis_server.url}?socket_timeout=0.3") as client, Publisher(client, tmp_path) as publish:
        publish(make_alert(0))
        wait_until(lambda: stored(redis_server) == [0])
        with redis_server.paused():
            for number in range(1, 60):
                publish(make_alert(number))  # returns: or the server would never go on
            wait_until(lambda: "no answer within 0.3 s; alerts wait on the disk" in caplog.text)
        wait_until(lambda: "nothing waits" in caplog.text)
    assert list(dict.fromkeys(stored(redis_server))) == list(range(60))
    assert waiting(tmp_path) == 0


def test_a_full_disk_keeps_no_alert_from_redis(redis_server: RedisServer, tmp_path: Path) -> None:
    with from_url(f"{redis_server.url}?socket_timeout=0.3") as client, Publisher(client, tmp_path) as publish:
        with ExitStack() as stack:
            with redis_server.paused():
                for number in range(150):
                    publish(make_alert(number))
                stack.enter_context(full_disk())
                for number in range(150, 500):
                    with pytest.raises(OutboxError):
                        publish(make_alert(number))
            wait_until(lambda: set(stored(redis_server)) == set(range(500)))
        publish(make_alert(500))
    assert list(dict.fromkeys(stored(redis_server))) == list(range(501))


def test_a_full_disk_and_a_dead_redis_for_a_while_lose_nothing(redis_server: RedisServer, tmp_path: Path) -> None:
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        publish(make_alert(0))
        redis_server.kill()
        with full_disk():
            for number in range(1, 4):
                with pytest.raises(OutboxError):
                    publish(make_alert(number))
        publish(make_alert(4))
        redis_server.start()
        wait_until(lambda: set(stored(redis_server)) == {0, 1, 2, 3, 4})
        assert publish.num_discarded == 0


def test_what_neither_the_disk_nor_redis_took_is_told(
    redis_server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.kill()
    with from_url(redis_server.url) as client:
        publish = Publisher(client, tmp_path)
        with full_disk():
            with pytest.raises(OutboxError):
                publish(make_alert(0))
            publish.close()
    assert "1 alert(s) lost" in caplog.text


def test_what_waited_too_long_is_given_up_loudly(
    redis_server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.kill()
    outbox = Outbox(tmp_path / "outbox.sqlite")
    for number in range(3):
        outbox.put(make_alert(number, kind="end"))
    outbox.close()
    old = sqlite3.connect(tmp_path / "outbox.sqlite", isolation_level=None)
    old.execute("UPDATE outbox SET put_at = put_at - ? WHERE sequence < 2", (keys.OUTBOX_DAYS * 86_400 + 1,))
    old.close()
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        wait_until(lambda: "discarding the oldest" in caplog.text)
        assert publish.num_discarded == 2
        redis_server.start()
        wait_until(lambda: "2 alert(s) discarded while Redis was away" in caplog.text)
    assert stored(redis_server) == [2]


def test_what_an_earlier_run_could_not_send_goes_first(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.kill()
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        publish(make_alert(0))
        publish(make_alert(1))
    assert waiting(tmp_path) == 2
    redis_server.start()
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        publish(make_alert(9, id="yard-1"))
    assert stored(redis_server) == [0, 1, 2, 9]  # 2 is the end of what the earlier run left open


def test_redis_killed_and_back_in_the_middle_loses_nothing_and_is_told(
    redis_server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        for number in range(50):
            publish(make_alert(number))
        redis_server.kill()
        for number in range(50, 100):
            publish(make_alert(number))
        wait_until(lambda: "alerts wait on the disk" in caplog.text)
        redis_server.start()
        wait_until(lambda: "nothing waits" in caplog.text, 20)
    assert sorted(set(stored(redis_server))) == list(range(100))
    assert stored(redis_server) == sorted(stored(redis_server))
    assert waiting(tmp_path) == 0


PUBLISHING = """
import sys
from pathlib import Path
from conftest import make_alert
from alerts.connect import from_url
from alerts.redis_stream import Publisher

publish = Publisher(from_url(sys.argv[1]), Path(sys.argv[2]))
for number in range(100_000):
    publish(make_alert(number))
    print(number, flush=True)
"""


@pytest.mark.parametrize("is_redis_there", [True, False])
def test_a_killed_publisher_loses_nothing_it_took_charge_of(
    is_redis_there: bool, redis_server: RedisServer, tmp_path: Path
) -> None:
    if not is_redis_there:
        redis_server.kill()
    command = [sys.executable, "-c", PUBLISHING, redis_server.url, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        taken = [int(process.stdout.readline()) for _ in range(60)]
        process.send_signal(signal.SIGKILL)
        taken += [int(line) for line in process.stdout.read().split()]
    if not is_redis_there:
        redis_server.start()
    with from_url(redis_server.url) as client, Publisher(client, tmp_path):
        pass
    found = list(dict.fromkeys(stored(redis_server)))
    assert found == list(range(len(found)))
    assert len(found) >= len(taken)


def test_a_resent_alert_is_the_same_alert(redis_server: RedisServer, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    alert = make_alert(3, kind="end")
    for _ in range(2):  # as after a crash between Redis's yes and the removal
        outbox.put(alert)
        with from_url(redis_server.url) as client, Publisher(client, tmp_path):
            pass
    outbox.close()
    sent = [Alert.from_json(fields[b"alert"]) for _, fields in redis_server.client.xrange(keys.STREAM)]
    assert sent == [alert, alert]


def test_the_stream_is_kept_short(redis_server: RedisServer, tmp_path: Path) -> None:
    pipeline = redis_server.client.pipeline()
    for _ in range(keys.STREAM_LENGTH + 500):
        pipeline.xadd(keys.STREAM, {"alert": "old"})
    pipeline.execute()
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        publish(make_alert(9))
    assert keys.STREAM_LENGTH <= redis_server.client.xlen(keys.STREAM) < keys.STREAM_LENGTH + 200


def test_a_refusing_redis_is_tried_again_for_ever(
    redis_server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.client.set(keys.STREAM, "no stream")
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        publish(make_alert(0))
        wait_until(lambda: "wrong kind of value" in caplog.text)
        redis_server.client.delete(keys.STREAM)
        wait_until(lambda: stored(redis_server) == [0])
    assert "weapon" not in caplog.text


@pytest.mark.parametrize(
    ("begin", "end", "told"),
    [
        (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"], "out of memory"),
        (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"], "a replica, which takes no alerts"),
        (["CONFIG", "SET", "requirepass", "x"], ["CONFIG", "SET", "requirepass", ""], "user or password refused"),
        (
            ["CONFIG", "SET", "min-replicas-to-write", "1"],
            ["CONFIG", "SET", "min-replicas-to-write", "0"],
            "NOREPLICAS",
        ),
    ],
)
def test_a_redis_that_refuses_for_a_while_is_told_rightly_and_gets_everything(
    begin: list[str], end: list[str], told: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        RedisServer(BUNDLED, tmp_path) as server,
        Reader(server.url, group="desk") as reader,
        from_url(server.url) as client,
        Publisher(client, tmp_path) as publish,
    ):
        publish(make_alert(0))
        wait_until(lambda: reader.numbers == [0])
        server.client.execute_command(*begin)
        server.client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for number in range(1, 4):
            publish(make_alert(number))
        wait_until(lambda: re.search(f"private.sock: {told}.*; alerts wait on the disk", caplog.text))
        server.client.execute_command(*end)
        wait_until(lambda: set(reader.numbers) == {0, 1, 2, 3})


def test_a_closed_publisher_refuses(redis_server: RedisServer, tmp_path: Path) -> None:
    with from_url(redis_server.url) as client:
        publish = Publisher(client, tmp_path)
        publish.close()
        with pytest.raises(OutboxError, match="closed"):
            publish(make_alert())


def test_the_publisher_tells_how_long_each_alert_waited_for_redis(redis_server: RedisServer, tmp_path: Path) -> None:
    waited_seconds: list[float] = []
    redis_server.kill()
    with from_url(redis_server.url) as client, Publisher(client, tmp_path, waited_seconds.append) as publish:
        for number in (0, 1):
            publish(make_alert(number))
        assert publish.num_waiting == 2
        away_seconds = 0.3
        time.sleep(away_seconds)
        redis_server.start()
        wait_until(lambda: publish.num_waiting == 0)
        wait_until(lambda: len(waited_seconds) == 2)
    assert min(waited_seconds) >= away_seconds
