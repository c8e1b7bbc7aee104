"""The present state of every source: announced, read, and gone in time."""

from pathlib import Path

import pytest
from conftest import RedisServer, wait_until

from alerts import keys
from alerts.connect import connect, from_url
from alerts.errors import BrokerError
from alerts.redis_stream import Publisher
from alerts.subscriber import states


def test_the_state_is_the_last_one_announced_and_does_not_last(redis_server: RedisServer, tmp_path: Path) -> None:
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        publish.announce("gate", {"label": "normal", "score": 0.1, "old": 1})
        wait_until(lambda: "gate" in states(client))
        publish.announce("gate", {"label": "anomaly", "score": 0.93})
        publish.announce("yard", {"label": "normal"})
        wait_until(lambda: len(states(client)) == 2)
        assert states(client) == {"gate": {"label": "anomaly", "score": "0.93"}, "yard": {"label": "normal"}}
        assert 0 < redis_server.client.ttl(f"{keys.STATE}gate") <= keys.STATE_SECONDS


def test_what_an_engine_counts_is_there_as_long_as_a_state(redis_server: RedisServer, tmp_path: Path) -> None:
    key = f"{keys.METRICS}box"
    with from_url(redis_server.url) as client, Publisher(client, tmp_path) as publish:
        publish.report("box", "one")
        publish.report("box", "two")
        wait_until(lambda: redis_server.client.hgetall(key) == {keys.SNAPSHOT.encode(): b"two"})
        assert 0 < redis_server.client.ttl(key) <= keys.STATE_SECONDS
        assert states(client) == {}


def test_states_announced_while_redis_was_away_are_forgotten(redis_server: RedisServer, tmp_path: Path) -> None:
    redis_server.kill()
    with from_url(redis_server.url) as client:
        publish = Publisher(client, tmp_path)
        publish.announce("gate", {"label": "anomaly"})
        publish.close()
        redis_server.start()
        assert states(client) == {}


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
