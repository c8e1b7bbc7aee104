"""A consumer group: shared out, acknowledged, taken over, buried; never lost."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from chaos.proxy import Proxy
from conftest import RedisServer, wait_until
from reading import Reader, first, send

from alerts import keys
from alerts.alert import Alert
from alerts.group import dismiss_gone
from alerts.subscriber import subscribe


def num_pending(server: RedisServer) -> int:
    return int(server.client.xpending(keys.STREAM, "desk")["pending"])


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


def test_an_alert_whose_delivery_was_cut_off_comes_before_the_next(redis_server: RedisServer, tmp_path: Path) -> None:
    with Proxy(tmp_path / "private.sock") as proxy, Reader(proxy.url, group="desk", consumer="a") as one:
        wait_until(lambda: any(client["cmd"] == "xreadgroup" for client in redis_server.client.client_list()))
        proxy.cut_after("from", 200)  # "nothing new" has 5 bytes, an alert more than 200
        send(redis_server, *range(20))
        wait_until(lambda: len(one.numbers) >= 20)
    assert proxy.num_cut == 1
    assert one.numbers == list(range(20))


CRASHING = """
import sys
from alerts.subscriber import subscribe
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


def test_consumers_that_are_gone_and_owe_nothing_are_removed(redis_server: RedisServer) -> None:
    send(redis_server, 0, 1)
    done, owing = (subscribe(redis_server.url, group="desk", consumer=name, from_start=True) for name in "ab")
    assert first(1, owing) == [0]
    redis_server.client.xgroup_createconsumer(keys.STREAM, "desk", "c")
    del done

    def names() -> list[bytes]:
        return [consumer["name"] for consumer in redis_server.client.xinfo_consumers(keys.STREAM, "desk")]

    dismiss_gone(redis_server.client, "desk")
    assert names() == [b"b", b"c"]
    wait_until(lambda: min(each["idle"] for each in redis_server.client.xinfo_consumers(keys.STREAM, "desk")) > 20)
    dismiss_gone(redis_server.client, "desk", 0.01)
    assert names() == [b"b"]
