"""Sentinel, clusters, TLS and users: what single servers do, these do too, and a failover loses nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from conftest import make_alert, wait_until
from reading import Reader, first
from redis_servers import Server, certificate, cluster, free_port, owner, watched, with_tls

from alerts import keys
from alerts.alert import Alert
from alerts.complaint import place
from alerts.connect import connect, from_url
from alerts.errors import BrokerError
from alerts.redis_stream import Publisher
from alerts.subscriber import states, subscribe

PASSWORD = "hunter2"  # noqa: S105 - there is nothing behind it


def stored(client: Any) -> list[int]:
    return [Alert.from_json(fields[b"alert"]).sequence for _, fields in client.xrange(keys.STREAM)]


def test_a_failover_by_sentinel_loses_nothing_and_both_ends_follow_it(tmp_path: Path) -> None:
    with watched(tmp_path) as servers, Reader(servers.url) as reader, from_url(servers.url) as client:
        with Publisher(client, tmp_path / "state") as publish:
            for number in range(20):
                publish(make_alert(number))
            wait_until(lambda: len(reader.numbers) == 20)
            servers.master.kill()
            for number in range(20, 40):
                publish(make_alert(number))
            wait_until(lambda: set(reader.numbers) == set(range(40)), 40)
        assert list(dict.fromkeys(stored(servers.replica.client))) == list(range(40))


def fails_over(sentinel: redis.Redis) -> bool:
    """Whether Sentinel takes the order: it must have heard of the replica that it is in order first."""
    try:
        sentinel.execute_command("SENTINEL FAILOVER", "alarms")
    except redis.ResponseError as error:
        if not str(error).startswith("NOGOODSLAVE"):
            raise
        return False
    return True


def test_a_master_that_became_a_replica_is_left(tmp_path: Path) -> None:
    with watched(tmp_path) as servers, connect(servers.url, tmp_path) as client:
        publish = Publisher(client, tmp_path / "state")
        publish(make_alert(0))
        wait_until(lambda: stored(servers.replica.client) == [0])
        wait_until(lambda: fails_over(servers.sentinel), 60)
        wait_until(lambda: servers.replica.client.info()["role"] == "master")
        publish(make_alert(1))
        wait_until(lambda: set(stored(servers.replica.client)) == {0, 1}, 30)
        publish.close()


def test_sentinels_that_are_not_there_or_know_no_such_master_are_named(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        told = rf"redis: 127.0.0.1:{server.port},\[::1\]:26379/alarms/0: no Sentinel knows a master; start"
        server.kill()
        with pytest.raises(BrokerError, match=told) as caught:
            connect(f"redis+sentinel://me:{PASSWORD}@127.0.0.1:{server.port},[::1]/alarms", tmp_path)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("num_nodes", [1, 3])
def test_a_cluster_takes_alerts_and_states_and_serves_followers_and_groups(num_nodes: int, tmp_path: Path) -> None:
    with cluster(tmp_path, num_nodes) as nodes:
        url = f"redis+cluster://127.0.0.1:{nodes[-1].port}"
        one, two = Reader(url), Reader(url, group="desk")
        with one, two, connect(url, tmp_path) as client:
            owner(nodes, keys.STREAM).client.xadd(keys.STREAM, {"alert": "{}"})  # for the dead letters
            with Publisher(client, tmp_path / "state") as publish:
                for number in range(10):
                    publish(make_alert(number))
                for source in ("gate", "yard", "hall"):
                    publish.announce(source, {"state": "normal"})
                wait_until(lambda: one.numbers == two.numbers == list(range(10)))
                wait_until(lambda: sorted(states(client)) == ["gate", "hall", "yard"])
        assert owner(nodes, keys.DEAD).client.xlen(keys.DEAD) == 1


def move_slot(source: Server, target: Server, key: str) -> None:
    """Gives the key, with its slot, to another node."""
    slot = source.client.execute_command("CLUSTER KEYSLOT", key)
    names = {node.port: node.client.execute_command("CLUSTER MYID") for node in (source, target)}
    target.client.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", names[source.port])
    source.client.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", names[target.port])
    source.client.migrate("127.0.0.1", target.port, key, 0, 5000)
    for node in (target, source):
        node.client.execute_command("CLUSTER SETSLOT", slot, "NODE", names[target.port])


def test_in_a_cluster_alerts_move_and_nodes_die_and_come_back_without_a_loss(tmp_path: Path) -> None:
    with cluster(tmp_path, 3) as nodes:
        url = f"redis+cluster://127.0.0.1:{nodes[0].port},127.0.0.1:{nodes[1].port}"
        source = owner(nodes, keys.STREAM)
        target = next(node for node in nodes if node is not source)
        with connect(url, tmp_path) as client, Reader(url) as reader:
            publish = Publisher(client, tmp_path / "state")
            publish(make_alert(0))
            wait_until(lambda: reader.numbers == [0])
            move_slot(source, target, keys.STREAM)
            publish(make_alert(1))
            wait_until(lambda: set(reader.numbers) == {0, 1})
            for node in nodes:
                node.kill()
            publish(make_alert(2))
            publish.announce("gate", {"state": "normal"})
            for node in nodes:
                node.start()
            wait_until(lambda: set(reader.numbers) == {0, 1, 2}, 40)
            publish.close()


def test_no_node_of_a_cluster_is_an_error(tmp_path: Path) -> None:
    with Server(tmp_path) as server:
        with pytest.raises(BrokerError, match=rf"^redis: 127.0.0.1:{server.port}: .*; ") as single:
            connect(f"redis+cluster://:{PASSWORD}@127.0.0.1:{server.port}", tmp_path)
        server.kill()
        with pytest.raises(BrokerError, match=rf"^redis: 127.0.0.1:{server.port}: .*refused; start it") as dead:
            connect(f"redis+cluster://:{PASSWORD}@127.0.0.1:{server.port}", tmp_path)
    assert PASSWORD not in f"{single.value} {dead.value}"


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    crt, key = certificate(tmp_path)
    port = free_port()
    options = ["--port", "0", "--tls-port", str(port), "--tls-cert-file", str(crt), "--tls-key-file", str(key)]
    options += ["--tls-ca-cert-file", str(crt), "--tls-auth-clients", "no"]
    with Server(tmp_path, *options, executable=with_tls(), port=port, ssl=True, ssl_ca_certs=str(crt)) as server:
        yield server, crt


def test_alerts_go_through_tls(tls: tuple[Server, Path], tmp_path: Path) -> None:
    server, crt = tls
    url = f"rediss://localhost:{server.port}/0?ssl_ca_certs={crt}"
    alerts = subscribe(url)
    with connect(url, tmp_path) as client, Publisher(client, tmp_path / "state") as publish:
        publish(make_alert(0))
        assert first(1, alerts) == [0]
    assert stored(server.client) == [0]


def test_a_server_that_cannot_prove_itself_is_refused(tls: tuple[Server, Path], tmp_path: Path) -> None:
    with pytest.raises(
        BrokerError, match=r"^redis: localhost:\d+/0: no TLS: certificate verify failed; name its auth"
    ) as caught:
        connect(f"rediss://:{PASSWORD}@localhost:{tls[0].port}/0", tmp_path)
    assert PASSWORD not in str(caught.value)


def test_a_user_with_heeds_keys_and_these_commands_is_enough(tmp_path: Path) -> None:
    rights = "~heed:* resetchannels &heed:* -@all +ping +multi +exec +publish +del +hset +hget +hgetall +expire +scan"
    rights += " +xadd +xread +xrevrange +xinfo +xreadgroup +xack +xautoclaim +xpending +xgroup"
    with Server(tmp_path) as server:
        server.client.execute_command("ACL", "SETUSER", "heed", "on", f">{PASSWORD}", *rights.split())
        url = f"redis://heed:{PASSWORD}@127.0.0.1:{server.port}/0"
        with Reader(url) as one, Reader(url, group="desk") as two, connect(url, tmp_path) as client:
            publish = Publisher(client, tmp_path / "state")
            publish(make_alert(0))
            publish.announce("gate", {"state": "normal"})
            wait_until(lambda: one.numbers == two.numbers == [0])
            wait_until(lambda: "gate" in states(client))
            publish.close()


@pytest.mark.parametrize(
    "url",
    [
        f"redis+sentinel://:{PASSWORD}@localhost",
        f"redis+sentinel://:{PASSWORD}@localhost/alarms/x",
        f"redis+sentinel://:{PASSWORD}@localhost:x/alarms",
        f"redis+sentinel://:{PASSWORD}@localhost/alarms?colour=red",
        f"redis+cluster://:{PASSWORD}@localhost/3",
        f"redis+cluster://:{PASSWORD}@localhost?decode_responses=1",
        f"redis+nothing://:{PASSWORD}@localhost",
        f"unix+cluster://:{PASSWORD}@localhost",
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BrokerError, match=r"^redis: not a Redis URL; write [^:]*://") as caught:
        from_url(url)
    assert PASSWORD not in str(caught.value)


def test_the_place_is_told_without_the_password() -> None:
    with from_url(f"rediss+sentinel://me:{PASSWORD}@b:1,a/alarms/2?sentinel_password={PASSWORD}") as client:
        assert place(client) == "a:26379,b:1/alarms/2"
