"""`heed forward`: every alert to every target, whatever dies meanwhile."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import BUNDLED, RedisServer, make_alert, wait_until
from jsonschema import Draft202012Validator
from mqtt_broker import Ear, MqttBroker
from reading import send
from webhook_server import Receiver

from alerts import keys
from alerts.alert import SCHEMA_PATH, Alert, Evidence
from alerts.connect import from_url
from alerts.errors import BrokerError, DeliveryError
from alerts.forward import Send, forward
from alerts.link import Link
from pipeline.forward import LARGEST_SNAPSHOT, snapshot

HEED = str(Path(sys.executable).with_name("heed"))
SECRET = "whsec_" + "A" * 32
TOKEN = "t0ken-in-the-path"  # noqa: S105 - the one that must never be seen


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(BUNDLED, tmp_path) as running:
        yield running


@contextmanager
def forwarding(server: RedisServer, target: str, deliver: Send) -> Iterator[threading.Event]:
    """On a thread; its group exists. Setting the event ends it, as does leaving."""
    stopped = threading.Event()
    link = Link(from_url(server.url), stopped.is_set)
    thread = threading.Thread(target=forward, args=(link, target, deliver))
    thread.start()
    try:
        wait_until(lambda: has_group(server, target))
        yield stopped
    finally:
        stopped.set()
        thread.join()


def has_group(server: RedisServer, target: str) -> bool:
    if not server.client.exists(keys.STREAM):
        return False
    return any(group["name"].decode() == f"forward-{target}" for group in server.client.xinfo_groups(keys.STREAM))


def num_pending(server: RedisServer, target: str) -> int:
    """Alerts that were taken for the target and are not acknowledged."""
    return int(server.client.xpending(keys.STREAM, f"forward-{target}")["pending"])


def num_delivered(server: RedisServer, target: str) -> int:
    """Alerts that were taken for the target and are acknowledged."""
    (group,) = (one for one in server.client.xinfo_groups(keys.STREAM) if one["name"] == f"forward-{target}".encode())
    taken = server.client.xrange(keys.STREAM, max=group["last-delivered-id"])
    return len(taken) - num_pending(server, target)


def test_every_target_gets_every_alert_and_a_hanging_one_holds_up_no_other(server: RedisServer) -> None:
    desk: list[int] = []
    released = threading.Event()

    def to_desk(alert: Alert) -> bool:
        desk.append(alert.sequence)
        return True

    def to_nowhere(_alert: Alert) -> bool:
        return released.wait(30)

    with forwarding(server, "nowhere", to_nowhere), forwarding(server, "desk", to_desk):
        send(server, 0, 1, 2)
        wait_until(lambda: desk == [0, 1, 2])
        wait_until(lambda: num_pending(server, "nowhere") == 1)
        released.set()
        wait_until(lambda: num_pending(server, "nowhere") == num_pending(server, "desk") == 0)


def test_a_new_target_begins_with_the_next_alert_and_an_old_one_where_it_was(server: RedisServer) -> None:
    got: list[int] = []

    def take(alert: Alert) -> bool:
        got.append(alert.sequence)
        return True

    send(server, 0)
    with forwarding(server, "desk", take):
        send(server, 1)
        wait_until(lambda: got == [1])
    send(server, 2, 3)
    with forwarding(server, "desk", take):
        wait_until(lambda: got == [1, 2, 3])


def test_what_was_not_there_when_it_was_stopped_comes_first_the_next_time(server: RedisServer) -> None:
    got: list[int] = []
    with forwarding(server, "desk", lambda _alert: False) as stopped:
        send(server, 0, 1)
        wait_until(lambda: num_pending(server, "desk") > 0)
        stopped.set()
    assert num_pending(server, "desk") > 0
    with forwarding(server, "desk", lambda alert: not got.append(alert.sequence)):  # type: ignore[func-returns-value]
        wait_until(lambda: got == [0, 1])


def test_what_is_refused_or_is_no_alert_is_a_dead_letter_with_the_reason(server: RedisServer) -> None:
    def refuse(alert: Alert) -> bool:
        if alert.sequence == 0:
            raise DeliveryError("webhook: desk: answered 404")
        return True

    with forwarding(server, "desk", refuse):
        (entry,) = send(server, 0)
        server.client.xadd(keys.STREAM, {keys.FIELD: "{}"})
        send(server, 1)
        wait_until(lambda: server.client.xlen(keys.DEAD) == 2 and num_pending(server, "desk") == 0)
    letter, other = (fields for _, fields in server.client.xrange(keys.DEAD))
    assert letter[b"reason"] == b"webhook: desk: answered 404"
    assert (letter[b"entry"], letter[b"group"]) == (entry, b"forward-desk")
    assert Alert.from_json(letter[b"alert"]) == make_alert(0)
    assert other[b"reason"].startswith(b"alert: ")


def test_what_redis_refuses_is_an_error(server: RedisServer) -> None:
    server.client.set(keys.STREAM, "no stream")
    with pytest.raises(BrokerError, match="wrong kind of value"):
        forward(Link(from_url(server.url), lambda: False), "desk", lambda _alert: True)


@contextmanager
def heed_forward(server: RedisServer, toml: str, folder: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The command, once it serves its targets."""
    config = folder / "heed.toml"
    config.write_text(toml)
    command: list[str | Path] = [
        HEED,
        "forward",
        "--config",
        config,
        "--redis",
        server.url,
        "--state",
        folder / "state",
        *words,
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        try:
            read_until(running, "target(s)")
            yield running
        finally:
            running.kill()


def ended(running: subprocess.Popen[str]) -> str:
    """What it said until it was ended by Ctrl-C."""
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    return err


def read_until(running: subprocess.Popen[str], text: str) -> str:
    """What it says until it has said this."""
    assert running.stderr is not None
    told = ""
    while text not in told:
        line = running.stderr.readline()
        assert line, told
        told += line
    return told


def webhook_toml(name: str, url: str) -> str:
    return f'[[webhook]]\nname = "{name}"\nurl = "{url}/{TOKEN}"\nsecret = "{SECRET}"\nallow_private = true\n'


def numbers(receiver: Receiver) -> list[int]:
    return [json.loads(body)["sequence"] for _, body in receiver.got]


def test_nothing_is_lost_by_kill_9(server: RedisServer, tmp_path: Path) -> None:
    with Receiver() as receiver:
        toml = webhook_toml("desk", receiver.url)
        with heed_forward(server, toml, tmp_path) as running:
            wait_until(lambda: has_group(server, "webhook-desk"))
            receiver.may_answer.clear()
            send(server, *range(20))
            wait_until(lambda: numbers(receiver) == [0])
            running.kill()  # it was taken from Redis, and the receiver has it, but nobody knows
            running.wait()
        receiver.may_answer.set()
        with heed_forward(server, toml, tmp_path) as running:
            wait_until(lambda: len(numbers(receiver)) > 5)
            running.kill()
            running.wait()
        with heed_forward(server, toml, tmp_path) as running:
            wait_until(lambda: numbers(receiver)[-1] == 19 and num_pending(server, "webhook-desk") == 0)
            assert "Traceback" not in ended(running)
        assert sorted(set(numbers(receiver))) == list(range(20))
        assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 20
        assert len(receiver.got) <= 20 + 2  # what was under way each time came twice


def test_a_dead_webhook_and_a_broker_that_comes_late_and_a_redis_that_restarts_lose_nothing(
    server: RedisServer, tmp_path: Path
) -> None:
    with Receiver([404] * 99) as refusing, Receiver() as desk, MqttBroker(tmp_path) as broker:
        broker.kill()
        mqtt = f'[mqtt]\nurl = "mqtt://me:{TOKEN}@127.0.0.1:{broker.port}"\n'
        toml = webhook_toml("refusing", refusing.url) + webhook_toml("desk", desk.url) + mqtt
        with heed_forward(server, toml, tmp_path) as running:
            wait_until(lambda: all(has_group(server, name) for name in ("webhook-desk", "webhook-refusing", "mqtt")))
            send(server, 0)
            wait_until(lambda: numbers(desk) == [0])
            told = read_until(running, "connection refused; trying again")
            server.kill()
            server.start()
            broker.start()
            wait_until(lambda: num_delivered(server, "mqtt") == 1)
            with Ear(broker.port) as ear:
                send(server, 1, 2)
                wait_until(lambda: numbers(desk) == [0, 1, 2])
                wait_until(lambda: len(ear.of("heed/gate/alert")) == 2)
            validator = Draft202012Validator(json.loads(SCHEMA_PATH.read_text()))
            for payload in (*ear.of("heed/gate/alert"), *(body for _, body in desk.got)):
                validator.validate(json.loads(payload))
            wait_until(lambda: server.client.xlen(keys.DEAD) == 3)
            told += ended(running)
    assert running.returncode == 0
    assert "webhook: refusing: answered 404" in told
    assert TOKEN not in told
    assert SECRET not in told


def test_states_go_to_the_broker_and_home_assistant_finds_their_source(server: RedisServer, tmp_path: Path) -> None:
    with MqttBroker(tmp_path) as broker, Ear(broker.port) as ear:
        with heed_forward(server, f'[mqtt]\nurl = "{broker.url}"\n', tmp_path):
            server.client.hset("heed:state:gate", mapping={"state": "anomaly", "status": "running", "score": "0.9"})
            wait_until(lambda: ear.of("heed/gate/state"))
            server.client.delete("heed:state:gate")
            wait_until(lambda: len(ear.of("heed/gate/state")) == 2)
        wait_until(lambda: ear.of("heed/status") == [b"online", b"offline"])  # the last will: it was killed
    assert json.loads(ear.of("heed/gate/state")[0]) == {"state": "anomaly", "status": "running", "score": 0.9}
    assert json.loads(ear.of("heed/gate/state")[1])["status"] == "gone"
    assert ear.of("homeassistant/binary_sensor/heed_gate/anomaly/config")


def test_only_the_kinds_asked_for_are_posted(server: RedisServer, tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        heed_forward(server, webhook_toml("desk", receiver.url) + 'kinds = ["end"]\n', tmp_path),
    ):
        wait_until(lambda: has_group(server, "webhook-desk"))
        send(server, 0, 1)
        server.client.xadd(keys.STREAM, {keys.FIELD: make_alert(2, kind="end").to_json()})
        wait_until(lambda: numbers(receiver) == [2])
        wait_until(lambda: num_pending(server, "webhook-desk") == 0)


def test_ctrl_c_waits_for_no_target(server: RedisServer, tmp_path: Path) -> None:
    with Receiver() as receiver:
        receiver.may_answer.clear()
        with heed_forward(server, webhook_toml("desk", receiver.url), tmp_path) as running:
            wait_until(lambda: has_group(server, "webhook-desk"))
            send(server, 0)
            wait_until(lambda: receiver.got)
            began = time.monotonic()
            ended(running)
            assert time.monotonic() - began < 6
            assert running.returncode == 0
    assert num_pending(server, "webhook-desk") == 1


@pytest.mark.parametrize(
    ("toml", "said", "code"),
    [
        ("", "forward: no target; name a --config with [[webhook]] or [mqtt]", 2),
        (
            '[mqtt]\nurl = "mqtts://host"\nca_file = "none.crt"\n',
            "mqtt: ca_file none.crt: no such file or directory",
            2,
        ),
        ('[redis]\nurl = "unix:///none.sock"\n[mqtt]\nurl = "mqtt://host"\n', "redis: /none.sock: no such file", 1),
    ],
)
def test_what_cannot_begin_is_one_line(toml: str, said: str, code: int, tmp_path: Path) -> None:
    path = tmp_path / "heed.toml"
    path.write_text(toml)
    environment = os.environ | {"HEED_STATE": str(tmp_path / "state")}
    done = subprocess.run(
        [HEED, "forward", "--config", path], check=False, capture_output=True, text=True, env=environment, timeout=60
    )
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"heed: {said}")


def test_a_snapshot_is_read_from_the_evidence_and_from_nowhere_else(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    (folder / "gate").mkdir(parents=True)
    (folder / "gate" / "one.jpg").write_bytes(b"jpeg")
    (folder / "gate" / "large.jpg").write_bytes(bytes(LARGEST_SNAPSHOT + 1))
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (folder / "gate" / "link.jpg").symlink_to(tmp_path / "secret.jpg")

    def read(name: str | None) -> bytes | None:
        return snapshot(folder, make_alert(evidence=Evidence(clip=None, snapshot=name)))

    assert read("gate/one.jpg") == b"jpeg"
    outside = ["../secret.jpg", str(tmp_path / "secret.jpg"), "gate/link.jpg", "gate/\0", "gate", "none", "x" * 5000]
    assert [read(name) for name in [*outside, "gate/large.jpg", None]] == [None] * 9
    assert snapshot(folder, make_alert(evidence=None)) is None
