"""Subscribers: a follower gets everything, a group shares it out, and neither loses anything."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Unpack

import pytest
from conftest import RedisServer, make_alert, wait_until
from reading import Reader, first, send

from alerts import keys
from alerts.connect import connect, from_url
from alerts.errors import BrokerError, SubscriberError
from alerts.redis_stream import Publisher
from alerts.subscriber import Options, asubscribe, distinct, subscribe


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
def test_a_subscriber_stops_soon(group: str | None, redis_server: RedisServer) -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    start = time.monotonic()
    assert list(subscribe(redis_server.url, group=group, stopped=stop.is_set)) == []
    assert time.monotonic() - start < 4


@pytest.mark.parametrize("group", [None, "desk"])
def test_a_subscriber_stops_soon_while_redis_is_away(group: str | None, redis_server: RedisServer) -> None:
    stop = threading.Event()
    alerts = subscribe(redis_server.url, group=group, stopped=stop.is_set)
    redis_server.kill()
    threading.Timer(0.7, stop.set).start()
    start = time.monotonic()
    assert list(alerts) == []
    assert time.monotonic() - start < 4


def test_ctrl_c_ends_a_subscriber_soon(redis_server: RedisServer) -> None:
    code = "import sys; from alerts.subscriber import subscribe\n"
    code += "alerts = subscribe(sys.argv[1])\nprint('ready', flush=True)\nfor alert in alerts: pass"
    command = [sys.executable, "-c", code, redis_server.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait()
        assert time.monotonic() - start < 4


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


def test_repeated_alerts_can_be_dropped() -> None:
    steps = [make_alert(0), make_alert(1), make_alert(0), make_alert(1, id="yard-1"), make_alert(2), make_alert(1)]
    assert [(alert.id[:4], alert.sequence) for alert in distinct(steps)] == [
        ("gate", 0),
        ("gate", 1),
        ("yard", 1),
        ("gate", 2),
    ]


def test_an_alert_sent_again_is_given_once_unless_asked_for(redis_server: RedisServer) -> None:
    send(redis_server, 0, 1, 0, 1, 2)
    assert first(3, subscribe(redis_server.url, from_start=True)) == [0, 1, 2]
    assert first(3, subscribe(redis_server.url, from_start=True, group="desk")) == [0, 1, 2]
    assert first(5, subscribe(redis_server.url, from_start=True, repeats=True)) == [0, 1, 0, 1, 2]


def test_a_reader_with_a_name_goes_on_after_what_it_was_done_with(redis_server: RedisServer) -> None:
    send(redis_server, 0)
    assert first(0, subscribe(redis_server.url, resume="desk")) == []
    send(redis_server, 1, 2, 3)
    assert first(2, subscribe(redis_server.url, resume="desk")) == [1, 2]
    assert first(2, subscribe(redis_server.url, resume="desk")) == [2, 3]  # it never asked for what is after 2
    assert first(4, subscribe(redis_server.url, resume="other", from_start=True)) == [0, 1, 2, 3]


def test_a_group_keeps_its_place_by_itself(redis_server: RedisServer) -> None:
    with pytest.raises(SubscriberError, match="leave one out"):
        subscribe(redis_server.url, group="desk", resume="desk")


def test_a_follower_goes_on_when_redis_is_emptied_and_its_clock_is_behind(redis_server: RedisServer) -> None:
    redis_server.client.xadd(keys.STREAM, {"alert": make_alert(0).to_json()}, id="9000000000000-0")
    with Reader(redis_server.url, from_start=True) as reader:
        wait_until(lambda: reader.numbers == [0])
        redis_server.client.flushall()
        send(redis_server, 1)
        wait_until(lambda: reader.numbers == [0, 1])
        send(redis_server, 2)
        wait_until(lambda: reader.numbers == [0, 1, 2])


async def sequences(url: str, count: int, into: list[int], **options: Unpack[Options]) -> None:
    """Reads until it has so many; asks for one more if that is not enough."""
    async for alert in asubscribe(url, **options):
        into.append(alert.sequence)
        if len(into) == count:
            break


def subscriber_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("subscriber")]


def test_asyncio_reads_while_the_loop_goes_on(redis_server: RedisServer) -> None:
    async def read() -> list[int]:
        got: list[int] = []
        task = asyncio.create_task(sequences(redis_server.url, 3, got, from_start=True))
        send(redis_server, 0)
        while got != [0]:
            await asyncio.sleep(0)  # if the loop were held up until the next alert, this would never be passed
        send(redis_server, 1, 2)
        await task
        return got

    assert asyncio.run(asyncio.wait_for(read(), 20)) == [0, 1, 2]
    wait_until(lambda: not subscriber_threads())


@pytest.mark.parametrize("is_redis_there", [True, False])
def test_asyncio_stops_soon_when_cancelled(is_redis_there: bool, redis_server: RedisServer) -> None:
    async def cancel() -> None:
        send(redis_server, 0)
        got: list[int] = []
        task = asyncio.create_task(sequences(redis_server.url, 9, got, from_start=True, group="desk"))
        while not got:
            await asyncio.sleep(0.01)
        if not is_redis_there:
            redis_server.kill()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(cancel(), 20))
    wait_until(lambda: not subscriber_threads())


def test_asyncio_is_told_what_is_wrong(tmp_path: Path) -> None:
    async def read() -> None:
        await anext(asubscribe(f"unix://{tmp_path}/none.sock"))

    with pytest.raises(BrokerError, match="no such file or directory"):
        asyncio.run(read())


def test_the_package_is_the_interface_and_light(redis_server: RedisServer) -> None:
    send(redis_server, 0)
    code = "import sys, alerts\nassert 'redis' not in sys.modules\n"
    code += "for alert in alerts.subscribe(sys.argv[1], from_start=True):\n    print(alert.sequence)\n    break\n"
    code += "assert callable(alerts.asubscribe) and not hasattr(alerts, 'nothing')"
    told = subprocess.run(
        [sys.executable, "-c", code, redis_server.url], capture_output=True, text=True, check=True, timeout=20
    )
    assert told.stdout == "0\n"


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


def test_the_embedded_redis_is_used_where_none_is_named(tmp_path: Path) -> None:
    code = "from alerts.subscriber import subscribe; print(next(subscribe(from_start=True)).sequence)"
    environment = os.environ | {"HEED_STATE": str(tmp_path)}
    with connect(None, tmp_path) as client, Publisher(client, tmp_path) as publish:
        publish(make_alert(4))
        told = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=20
        )
    assert told.stdout == "4\n"
