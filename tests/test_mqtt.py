"""MQTT, with a real broker: nothing is lost when it dies, freezes or refuses, and what is retained is right."""

import gc
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jinja2
import pytest
from conftest import make_alert, wait_until
from jsonschema import Draft202012Validator
from mqtt_broker import Ear, MqttBroker
from redis_servers import certificate

from alerts.alert import SCHEMA_PATH, Alert
from alerts.errors import DeliveryError, TargetError
from alerts.mirror import Mirror, as_json
from alerts.mqtt import Mqtt
from alerts.targets import Broker, slug

SCHEMA = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
NORMAL = {"state": "normal", "status": "running", "score": "0.1", "threshold": "0.5", "label": "normal", "dropped": "0"}
HOSTILE = "gate/#+\N{RIGHT-TO-LEFT OVERRIDE}<b>\0"


@contextmanager
def connection(url: str, **options: Any) -> Iterator[Mqtt]:
    """One that has been told to stop when it is left."""
    stopped = threading.Event()
    snapshot = options.pop("snapshot", lambda _alert: None)
    with Mqtt(Broker(url, **options), stopped, snapshot) as mqtt:
        yield mqtt
        stopped.set()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[MqttBroker]:
    with MqttBroker(tmp_path) as running:
        yield running


def test_an_alert_is_published_once_as_it_is_and_fits_the_published_schema(broker: MqttBroker) -> None:
    alert = make_alert(2, text="<img src=x onerror=alert(1)>\x1b[2J\n")
    with Ear(broker.port) as ear, connection(broker.url) as mqtt:
        assert mqtt.send(alert)
        wait_until(lambda: ear.of("heed/gate/alert"))
    (message,) = [message for message in ear.heard if message.topic == "heed/gate/alert"]
    assert (message.payload.decode(), message.qos, message.retained) == (alert.to_json(), 1, False)
    Draft202012Validator(SCHEMA).validate(json.loads(message.payload))


def test_whether_anybody_forwards_is_retained_and_left_behind_as_the_last_will(broker: MqttBroker) -> None:
    with Ear(broker.port) as ear:
        with connection(broker.url) as mqtt:
            assert mqtt.wait()
            wait_until(lambda: ear.of("heed/status") == [b"online"])
        wait_until(lambda: ear.of("heed/status") == [b"online", b"offline"])
    with Ear(broker.port) as late:
        wait_until(lambda: late.heard)
    assert [(message.payload, message.retained) for message in late.heard] == [(b"offline", True)]


def test_a_broker_that_is_killed_and_comes_back_gets_every_alert(
    broker: MqttBroker, caplog: pytest.LogCaptureFixture
) -> None:
    with connection(broker.url) as mqtt:
        assert mqtt.send(make_alert(0))
        broker.kill()
        sending = threading.Thread(target=mqtt.send, args=(make_alert(1),))
        sending.start()
        wait_until(lambda: "connection refused; trying again" in caplog.text)
        broker.start()
        sending.join(20)
        assert not sending.is_alive()
        with Ear(broker.port) as ear:
            assert mqtt.send(make_alert(2))
            wait_until(lambda: ear.of("heed/gate/alert"))
        assert mqtt.num_connections == 2
    assert "connection lost" in caplog.text


def test_an_alert_counts_as_sent_when_the_broker_has_said_so(broker: MqttBroker) -> None:
    answers: list[bool] = []
    with Ear(broker.port) as ear, connection(broker.url) as mqtt:
        assert mqtt.wait()
        broker.freeze()
        sending = threading.Thread(target=lambda: answers.append(mqtt.send(make_alert(7))))
        sending.start()
        sending.join(1)
        assert answers == []
        broker.thaw()
        sending.join(20)
        assert answers == [True]
        wait_until(lambda: ear.of("heed/gate/alert"))


def test_who_is_to_stop_waits_for_no_broker(refused: str) -> None:
    stopped = threading.Event()
    threading.Timer(0.2, stopped.set).start()
    began = time.monotonic()
    with Mqtt(Broker(refused), stopped) as mqtt:
        assert mqtt.send(make_alert()) is False
    assert time.monotonic() - began < 10


def test_a_broker_that_hangs_up_without_a_word_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with connection(f"mqtt://127.0.0.1:{port}") as mqtt:
            server.accept()[0].close()
            wait_until(lambda: f"mqtt: 127.0.0.1:{port}: no answer; trying again" in caplog.text)
            assert mqtt.num_connections == 0


@pytest.fixture
def refused(tmp_path: Path) -> str:
    """The URL of a broker that is gone."""
    with MqttBroker(tmp_path) as running:
        return running.url


def password_file(folder: Path) -> Path:
    """Of a user `heed` whose password is `p@ss:w/rd`."""
    path = folder / "passwords"
    path.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(path), "heed", "p@ss:w/rd"], check=True)
    return path


def test_user_and_password_are_asked_for_and_never_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = password_file(tmp_path)
    with MqttBroker(tmp_path, "allow_anonymous false", f"password_file {path}") as broker:
        with connection(broker.url.replace("//", "//heed:wr0ng@")) as mqtt:
            wait_until(lambda: "refused: not authorized; trying again" in caplog.text.lower())
            assert mqtt.num_connections == 0
        with connection(broker.url.replace("//", "//heed:p%40ss%3Aw%2Frd@")) as mqtt:
            assert mqtt.send(make_alert())
            assert "p%40ss" not in repr(mqtt.broker)
    assert "wr0ng" not in caplog.text


def test_an_alert_that_the_broker_does_not_allow_is_refused(tmp_path: Path) -> None:
    rights = tmp_path / "acl"
    rights.write_text("topic write heed/status\n")
    with MqttBroker(tmp_path, f"acl_file {rights}") as broker, connection(broker.url) as mqtt:
        place = f"127.0.0.1:{broker.port}"
        with pytest.raises(DeliveryError, match=rf"\Amqtt: {place}: alert refused: not authorized\Z"):
            mqtt.send(make_alert())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a refused socket open
def test_tls_is_checked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    crt, key = certificate(tmp_path)
    with MqttBroker(tmp_path, f"certfile {crt}", f"keyfile {key}") as broker:
        url = f"mqtts://localhost:{broker.port}"
        with connection(url, ca_file=crt) as mqtt:
            assert mqtt.send(make_alert())
        with connection(url) as mqtt:
            wait_until(lambda: "certificate refused: self-signed certificate; trying again" in caplog.text)
            assert mqtt.num_connections == 0
    wait_until(lambda: not any("paho" in thread.name for thread in threading.enumerate()))
    gc.collect()  # the socket that paho left
    with pytest.raises(TargetError, match=r"\Amqtt: ca_file "):
        Mqtt(Broker(url, ca_file=tmp_path / "none"), threading.Event())


def test_states_are_retained_and_told_again_to_a_broker_that_forgot_them(broker: MqttBroker) -> None:
    with connection(broker.url) as mqtt:
        assert mqtt.wait()
        mirror = Mirror(mqtt, 600, None)
        with Ear(broker.port) as ear:
            mirror.show({"gate": NORMAL})
            mirror.show({"gate": NORMAL | {"score": "0.2"}})  # too soon for a score
            mirror.show({"gate": NORMAL | {"state": "anomaly", "score": "0.9"}})
            mirror.show({})
            mirror.show({})
            wait_until(lambda: len(ear.of("heed/gate/state")) == 3)
        told = [json.loads(payload) for payload in ear.of("heed/gate/state")]
        assert [(state["state"], state["status"], state.get("score")) for state in told] == [
            ("normal", "running", 0.1),
            ("anomaly", "running", 0.9),
            ("unknown", "gone", None),
        ]
        broker.kill()
        broker.start()
        wait_until(lambda: mqtt.num_connections == 2)
        with Ear(broker.port) as ear:
            mirror.show({"yard": NORMAL})
            wait_until(lambda: ear.of("heed/yard/state"))
        with Ear(broker.port) as late:
            wait_until(lambda: len(late.heard) == 3)
        assert {message.topic for message in late.heard} == {"heed/status", "heed/gate/state", "heed/yard/state"}
        assert all(message.retained for message in late.heard)


def test_scores_are_told_every_while(broker: MqttBroker) -> None:
    with Ear(broker.port) as ear, connection(broker.url) as mqtt:
        assert mqtt.wait()
        mirror = Mirror(mqtt, 0, None)
        for score in ("0.1", "0.2"):
            mirror.show({"gate": NORMAL | {"score": score}})
        wait_until(lambda: [json.loads(told)["score"] for told in ear.of("heed/gate/state")] == [0.1, 0.2])


def test_a_state_has_numbers_as_numbers_and_nothing_that_is_no_json() -> None:
    state = {"score": "nan", "threshold": "1e-3", "latency_seconds": "soon", "dropped": "3", "provider": "7"}
    told = '{"score": null, "threshold": 0.001, "latency_seconds": null, "dropped": 3, "provider": "7"}'
    assert as_json(state) == told
    assert json.loads(as_json({"reason": 'a "b"\n'})) == {"reason": 'a "b"\n'}


def discovered(broker: MqttBroker, source: str) -> dict[str, dict[str, Any]]:
    """What Home Assistant, coming later, finds of a source: by its component."""
    with connection(broker.url) as mqtt:
        assert mqtt.wait()
        with Ear(broker.port) as first:
            Mirror(mqtt, 10, "homeassistant").show({source: NORMAL})
            wait_until(lambda: len(first.heard) == 6)
        with Ear(broker.port) as ear:
            wait_until(lambda: len(ear.heard) == 6)
    assert all(message.retained for message in ear.heard)
    found = [message for message in ear.heard if message.topic.startswith("homeassistant/")]
    assert all(message.topic.endswith("/config") for message in found)
    return {message.topic.split("/")[1]: json.loads(message.payload) for message in found}


def rendered(template: str, payload: str) -> str:
    """What Home Assistant makes of a message."""
    return jinja2.Environment().from_string(template).render(value_json=json.loads(payload))  # noqa: S701 - no HTML


def test_home_assistant_finds_a_device_with_its_entities(broker: MqttBroker) -> None:
    found = discovered(broker, "gate")
    assert found.keys() == {"binary_sensor", "sensor", "event", "image"}
    assert {entity["unique_id"] for entity in found.values()} == {
        *("heed_gate_anomaly", "heed_gate_score", "heed_gate_alert", "heed_gate_snapshot")
    }
    for entity in found.values():
        assert entity["device"]["identifiers"] == ["heed_gate"]
        assert entity["device"]["name"] == "gate"
        assert {"topic": "heed/status"} in entity["availability"]
    assert found["binary_sensor"]["state_topic"] == found["sensor"]["state_topic"] == "heed/gate/state"
    assert found["event"]["state_topic"] == "heed/gate/alert"
    assert found["event"]["event_types"] == ["begin", "update", "end"]
    assert found["image"]["image_topic"] == "heed/gate/snapshot"


def test_its_templates_read_states_and_alerts(broker: MqttBroker) -> None:
    found = discovered(broker, "gate")
    anomaly, score = found["binary_sensor"]["value_template"], found["sensor"]["value_template"]
    running = found["sensor"]["availability"][1]["value_template"]
    cases = {
        "normal": as_json(NORMAL),
        "anomaly": as_json(NORMAL | {"state": "anomaly"}),
        "unknown": as_json({"state": "unknown", "status": "gone"}),
    }
    assert [rendered(anomaly, state) for state in cases.values()] == ["OFF", "ON", "None"]
    assert [rendered(score, state) for state in cases.values()] == ["0.1", "0.1", "None"]
    assert [rendered(running, state) for state in cases.values()] == ["online", "online", "offline"]
    alert = make_alert(1, text="</script>\"'{{ 7 * 7 }} & \N{GREEK SMALL LETTER PI}")
    event = json.loads(rendered(found["event"]["value_template"], alert.to_json()))
    assert event["event_type"] == "update"
    assert (event["label"], event["score"], event["text"]) == (alert.label, alert.score, alert.text)


def test_a_source_with_a_hostile_name_gets_a_topic_of_its_own_and_no_other(broker: MqttBroker) -> None:
    found = discovered(broker, HOSTILE)
    topic = found["binary_sensor"]["state_topic"]
    assert topic == f"heed/{slug(HOSTILE)}/state"
    assert topic.isascii()
    assert topic.count("/") == 2
    assert not set(topic) & set("#+<>\0")
    assert found["sensor"]["device"]["name"].isprintable()
    assert len({slug(name) for name in ("a.b", "a_b", "a b", "é", "e", "x" * 70, "x" * 71)}) == 7


def test_the_picture_of_an_alert_is_there_before_it(broker: MqttBroker) -> None:
    def snapshot(alert: Alert) -> bytes | None:
        return b"\xff\xd8jpeg" if alert.sequence else None

    with Ear(broker.port) as ear, connection(broker.url, snapshot=snapshot) as mqtt:
        assert mqtt.send(make_alert(0))
        assert mqtt.send(make_alert(1))
        wait_until(lambda: len(ear.of("heed/gate/alert")) == 2)
    topics = [message.topic for message in ear.heard if message.topic.startswith("heed/gate")]
    assert topics == ["heed/gate/alert", "heed/gate/snapshot", "heed/gate/alert"]
    assert ear.of("heed/gate/snapshot") == [b"\xff\xd8jpeg"]
