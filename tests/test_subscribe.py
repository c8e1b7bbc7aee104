"""Subscribers: a follower gets everything, a group shares it out, and neither loses anything."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Self

import pytest
from conftest import RedisServer, make_alert, wait_until

from alerts import keys
from alerts.alert import Alert
from alerts.connect import connect, from_url
from alerts.errors import BrokerError
from alerts.redis_stream import Publisher
from alerts.subscribe import distinct, states, subscribe


def send(server: RedisServer, *numbers: int) -> list[bytes]:
    """Adds these alerts to the stream; returns the entries' ids."""
    return [server.client.xadd(keys.STREAM, {"alert": make_alert(number).to_json()}) for number in numbers]


def first(count: int, alerts: Iterator[Alert]) -> list[int]:
    return [alert.sequence for alert in islice(alerts, count)]


def num_pending(server: RedisServer) -> int:
    return int(server.client.xpending(keys.STREAM, "desk")["pending"])


class Reader:
    """A subscriber on a thread: what it got so far is in `numbers`."""

    def __init__(self, url: str, **options: Any) -> None:
        self.numbers: list[int] = []
        self._stop = threading.Event()
        self._alerts = subscribe(url, stopped=self._stop.is_set, **options)
        self._thread = threading.Thread(target=self._read)

    def _read(self) -> None:
        for alert in self._alerts:
            self.numbers.append(alert.sequence)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_a_follower_gets_what_comes_after_it_subscribed(redis_server: RedisServer) -> None:
    send(redis_server, 0, 1)
    alerts = subscribe(redis_server.url)
    send(redis_server, 2, 3)  # before the first is asked for
    assert first(2, alerts) == [2, 3]


def test_a_follower_may_begin_with_the_oldest(redis_server: RedisServer) -> None:
    numbers = list(range(3 * keys.BATCH))
    send(redis_server, *numbers)
    assert first(len(numbers), subscribe(redis_server.url, from_start=True)) == numbers


def test_every_follower_gets_every_alert(redis_server: RedisServer) -> None:
    with Reader(redis_server.url) as one, Reader(redis_server.url) as two:
        send(redis_server, 0, 1, 2)
        wait_until(lambda: one.numbers == two.numbers == [0, 1, 2])


@pytest.mark.parametrize("group", [None, "desk"])
def test_a_subscriber_stops_within_a_second(group: str | None, redis_server: RedisServer) -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    start = time.monotonic()
    assert list(subscribe(redis_server.url, group=group, stopped=stop.is_set)) == []
    assert time.monotonic() - start < 1.2


@pytest.mark.parametrize("group", [None, "desk"])
def test_a_subscriber_stops_within_a_second_while_redis_is_away(group: str | None, redis_server: RedisServer) -> None:
    stop = threading.Event()
    alerts = subscribe(redis_server.url, group=group, stopped=stop.is_set)
    redis_server.kill()
    threading.Timer(0.7, stop.set).start()
    start = time.monotonic()
    assert list(alerts) == []
    assert time.monotonic() - start < 1.7


def test_ctrl_c_ends_a_subscriber_at_once(redis_server: RedisServer) -> None:
    code = "import sys; from alerts.subscribe import subscribe\n"
    code += "alerts = subscribe(sys.argv[1])\nprint('ready', flush=True)\nfor alert in alerts: pass"
    command = [sys.executable, "-c", code, redis_server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait()
        assert time.monotonic() - start < 1


@pytest.mark.parametrize("group", [None, "desk"])
def test_redis_killed_and_back_in_the_middle_loses_nothing(
    group: str | None, redis_server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with Reader(redis_server.url, group=group) as reader, from_url(redis_server.url) as client:
        with Publisher(client, tmp_path) as publish:
            for number in range(50):
                publish(make_alert(number))
            wait_until(lambda: len(reader.numbers) >= 10)
            redis_server.kill()
            for number in range(50, 100):
                publish(make_alert(number))
            wait_until(lambda: "trying again" in caplog.text)
            redis_server.start()
            wait_until(lambda: len(set(reader.numbers)) == 100, 30)
        assert sorted(set(reader.numbers)) == list(range(100))


def test_a_follower_skips_and_counts_what_is_no_alert(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.client.xadd(keys.STREAM, {"alert": "{}"})
    redis_server.client.xadd(keys.STREAM, {b"\xff": b"\xfe"})
    send(redis_server, 5)
    assert first(1, subscribe(redis_server.url, from_start=True)) == [5]
    assert "1 so far" in caplog.text
    assert "2 so far" in caplog.text


def test_a_group_shares_the_alerts_out(redis_server: RedisServer) -> None:
    one = Reader(redis_server.url, group="desk", consumer="a")
    two = Reader(redis_server.url, group="desk", consumer="b")
    with one, two:
        send(redis_server, *range(40))
        wait_until(lambda: len(one.numbers) + len(two.numbers) == 40)
        wait_until(lambda: num_pending(redis_server) == 0)
    assert sorted(one.numbers + two.numbers) == list(range(40))


def test_an_alert_is_acknowledged_when_the_next_is_asked_for(redis_server: RedisServer) -> None:
    alerts = subscribe(redis_server.url, group="desk")
    send(redis_server, 0, 1)
    next(alerts)
    assert num_pending(redis_server) == 1
    next(alerts)
    assert redis_server.client.xpending_range(keys.STREAM, "desk", "-", "+", 10)[0]["times_delivered"] == 1
    assert num_pending(redis_server) == 1


def test_a_group_that_exists_goes_on_where_it_was(redis_server: RedisServer) -> None:
    send(redis_server, 0)
    assert first(0, subscribe(redis_server.url, group="desk")) == []
    send(redis_server, 1, 2, 3)
    stop = threading.Event()
    alerts = subscribe(redis_server.url, group="desk", stopped=stop.is_set)
    assert first(2, alerts) == [1, 2]
    stop.set()
    assert list(alerts) == []  # asks for the next, which acknowledges 2
    assert first(1, subscribe(redis_server.url, group="desk", from_start=True)) == [3]


CRASHING = """
import sys
from alerts.subscribe import subscribe
for alert in subscribe(sys.argv[1], group="desk", consumer=sys.argv[2], from_start=True):
    print(alert.sequence, flush=True)
    if alert.sequence == 2:
        sys.stdin.read()
"""


def crash(server: RedisServer, consumer: str) -> list[int]:
    """What a consumer got that is killed while it handles alert 2."""
    command = [sys.executable, "-c", CRASHING, server.url, consumer]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        got = []
        while 2 not in got:
            got.append(int(process.stdout.readline()))
        process.kill()
    return got


def test_a_killed_consumer_gets_again_what_it_had_not_finished(redis_server: RedisServer) -> None:
    send(redis_server, *range(5))
    assert crash(redis_server, "a") == [0, 1, 2]
    assert first(3, subscribe(redis_server.url, group="desk", consumer="a")) == [2, 3, 4]


def grow_stale(server: RedisServer, entry_id: bytes, consumer: str, num_deliveries: int) -> None:
    """Makes an entry look delivered this often, the last time longer ago than consumers are given."""
    idle_ms = keys.CLAIM_IDLE_SECONDS * 1000 + 1
    server.client.xclaim(
        keys.STREAM, "desk", consumer, 0, [entry_id], idle=idle_ms, retrycount=num_deliveries, force=True
    )


def test_an_alert_left_by_a_dead_consumer_goes_to_another(redis_server: RedisServer) -> None:
    ids = send(redis_server, *range(5))
    assert crash(redis_server, "a") == [0, 1, 2]
    grow_stale(redis_server, ids[2], "a", 1)
    assert first(3, subscribe(redis_server.url, group="desk", consumer="b")) == [2, 3, 4]


def test_an_alert_being_handled_is_not_taken_away(redis_server: RedisServer) -> None:
    slow = subscribe(redis_server.url, group="desk", consumer="slow")
    send(redis_server, 0, 1)
    assert next(slow).sequence == 0
    assert first(1, subscribe(redis_server.url, group="desk", consumer="quick")) == [1]


@pytest.mark.parametrize("consumer", ["a", "b"])
def test_an_alert_that_brings_its_consumers_down_ends_among_the_dead_letters(
    consumer: str, redis_server: RedisServer
) -> None:
    ids = send(redis_server, *range(5))
    crash(redis_server, "a")
    grow_stale(redis_server, ids[2], "a", keys.MOST_DELIVERIES)
    assert first(2, subscribe(redis_server.url, group="desk", consumer=consumer)) == [3, 4]
    ((_, letter),) = redis_server.client.xrange(keys.DEAD)
    assert Alert.from_json(letter[b"alert"]).sequence == 2
    assert letter[b"entry"] == ids[2]
    assert letter[b"group"] == b"desk"
    assert letter[b"reason"] == b"delivered 5 times and never acknowledged"
    assert ids[2] not in [
        row["message_id"] for row in redis_server.client.xpending_range(keys.STREAM, "desk", "-", "+", 9)
    ]


def test_what_is_no_alert_ends_among_the_dead_letters_with_its_reason(redis_server: RedisServer) -> None:
    redis_server.client.xadd(keys.STREAM, {"alert": '{"version": 2}'})
    redis_server.client.xadd(keys.STREAM, {"noise": b"\xff"})
    send(redis_server, 5)
    assert first(1, subscribe(redis_server.url, group="desk", from_start=True)) == [5]
    (_, newer), (_, noise) = redis_server.client.xrange(keys.DEAD)
    assert newer[b"alert"] == b'{"version": 2}'
    assert newer[b"reason"].startswith(b"alert: version: ")
    assert noise[b"noise"] == b"\xff"
    assert noise[b"reason"] == b"alert: no field 'alert' in the entry"
    assert num_pending(redis_server) == 1


@pytest.mark.parametrize("consumer", ["a", "b"])
def test_an_unfinished_alert_that_the_stream_has_cut_is_let_go(consumer: str, redis_server: RedisServer) -> None:
    ids = send(redis_server, *range(5))
    crash(redis_server, "a")
    grow_stale(redis_server, ids[2], "a", 1)
    redis_server.client.xdel(keys.STREAM, ids[2])
    assert first(2, subscribe(redis_server.url, group="desk", consumer=consumer)) == [3, 4]
    assert num_pending(redis_server) == 1


def test_a_group_lost_with_the_stream_is_made_anew(redis_server: RedisServer) -> None:
    with Reader(redis_server.url, group="desk") as reader:
        send(redis_server, 0)
        wait_until(lambda: reader.numbers == [0])
        redis_server.client.delete(keys.STREAM)
        send(redis_server, 1, 2)
        wait_until(lambda: reader.numbers == [0, 1, 2])


def test_repeated_alerts_can_be_dropped() -> None:
    steps = [make_alert(0), make_alert(1), make_alert(0), make_alert(1, id="yard-1"), make_alert(2), make_alert(1)]
    assert [(alert.id[:4], alert.sequence) for alert in distinct(steps)] == [
        ("gate", 0),
        ("gate", 1),
        ("yard", 1),
        ("gate", 2),
    ]


def test_what_redis_refuses_is_an_error_not_a_loop(redis_server: RedisServer) -> None:
    redis_server.client.set(keys.STREAM, "no stream")
    refused: list[Callable[[], object]] = [
        lambda: subscribe(redis_server.url),
        lambda: subscribe(redis_server.url, group="desk"),
        lambda: next(subscribe(redis_server.url, from_start=True)),
    ]
    for call in refused:
        with pytest.raises(BrokerError, match=r"private.sock: .*wrong kind of value"):
            call()


def test_states_of_an_empty_redis_are_none(redis_server: RedisServer, tmp_path: Path) -> None:
    with connect(redis_server.url, tmp_path) as client:
        assert states(client) == {}
        client.set(f"{keys.STATE}odd", "no hash")
        client.hset(f"{keys.STATE}gate", mapping={"label": b"\xff"})
        assert states(client) == {"gate": {"label": "\N{REPLACEMENT CHARACTER}"}}


def test_states_of_a_redis_that_is_gone_are_an_error(redis_server: RedisServer) -> None:
    with from_url(redis_server.url) as client:
        redis_server.kill()
        with pytest.raises(BrokerError, match="redis: "):
            states(client)


def test_the_embedded_redis_is_used_where_none_is_named(tmp_path: Path) -> None:
    code = "from alerts.subscribe import subscribe; print(next(subscribe(from_start=True)).sequence)"
    environment = os.environ | {"HEED_STATE": str(tmp_path)}
    with connect(None, tmp_path) as client, Publisher(client, tmp_path) as publish:
        publish(make_alert(4))
        told = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=20
        )
    assert told.stdout == "4\n"
