"""A real MQTT broker: mosquitto, on a port of this machine; and what a subscriber of it sees."""

import shutil
import socket
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from conftest import ServerProcess, wait_until
from paho.mqtt.enums import CallbackAPIVersion
from redis_servers import free_port

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class MqttBroker(ServerProcess):
    """It listens on a port of this machine; started again, it has forgotten what was retained."""

    def __init__(self, folder: Path, *settings: str) -> None:
        """Starts it.

        Args:
            folder: For its settings.
            settings: More lines of them.
        """
        if MOSQUITTO is None:
            pytest.skip("no mosquitto")
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        lines = [f"listener {self.port} 127.0.0.1", "log_dest stdout", *settings]
        lines.append("user root")  # root stays root: it must read our files
        if not any(line.startswith("allow_anonymous") for line in settings):
            lines.append("allow_anonymous true")
        path = folder / "mosquitto.conf"
        path.write_text("\n".join(lines) + "\n")
        super().__init__([MOSQUITTO, "-c", str(path)])

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port)):
                return True
        except ConnectionRefusedError:
            return False


@dataclass(frozen=True, slots=True)
class Message:
    """What came."""

    topic: str
    payload: bytes
    retained: bool
    """Whether it was there before the subscriber."""
    qos: int


class Ear:
    """Hears all that is published. A context manager."""

    def __init__(self, port: int) -> None:
        self.heard: list[Message] = []
        self._is_ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._is_ready.set()
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        wait_until(self._is_ready.is_set)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def of(self, topic: str) -> list[bytes]:
        """Payloads of a topic, in order."""
        return [message.payload for message in self.heard if message.topic == topic]

    def _hear(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        self.heard.append(Message(message.topic, bytes(message.payload), message.retain, message.qos))
