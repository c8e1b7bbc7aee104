"""Alerts and states on an MQTT 5 broker, which is connected to again for ever."""

import logging
import threading
from collections.abc import Callable
from typing import Any, Final, Self
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from alerts import keys
from alerts.alert import Alert
from alerts.dial import said_of, tls_context
from alerts.errors import DeliveryError
from alerts.targets import BROKER_PORTS, Broker, check_broker

_QOS: Final = 1
"""At least once."""
_log = logging.getLogger(__name__)


class _Client(paho.Client):
    """Tells why it cannot connect, which paho keeps to itself."""

    def __init__(self, place: str) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._place = place

    def reconnect(self) -> MQTTErrorCode:
        try:
            return super().reconnect()
        except OSError as error:
            _log.warning("mqtt: %s: %s; trying again", self._place, said_of(error))
            raise


class Mqtt:
    """A connection to a broker. A context manager; safe to use from several threads."""

    def __init__(
        self, broker: Broker, stopped: threading.Event, snapshot: Callable[[Alert], bytes | None] = lambda _alert: None
    ) -> None:
        """Connects to nothing yet.

        Args:
            broker: Where to.
            stopped: Set it to give up waiting for the broker.
            snapshot: The picture that belongs to an alert, JPEG.

        Raises:
            TargetError: the broker's authorities cannot be read.
        """
        self.broker = broker
        self.num_connections = 0
        """How often a connection came about: with each new one, the broker may have forgotten what was retained."""
        self._stopped, self._snapshot = stopped, snapshot
        self._connected = threading.Event()
        self._refusal = ""
        self._refused: dict[int, str] = {}
        parts = urlsplit(check_broker(broker.url))
        client = self._client = _Client(broker.place)
        if parts.username is not None:
            client.username_pw_set(unquote(parts.username), unquote(parts.password or "") or None)
        if parts.scheme == "mqtts":
            client.tls_set_context(tls_context("mqtt", broker.ca_file))
        client.will_set(broker.status_topic, "offline", _QOS, retain=True)
        client.connect_timeout = keys.MQTT_SECONDS
        client.reconnect_delay_set(1, keys.MQTT_LONGEST_PAUSE_SECONDS)
        client.on_connect, client.on_disconnect, client.on_publish = (
            self._on_connect,
            self._on_disconnect,
            self._on_publish,
        )
        client.connect_async(
            parts.hostname or "", parts.port or BROKER_PORTS[parts.scheme], keys.MQTT_KEEPALIVE_SECONDS
        )

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves the last will. An attempt to connect that is under way is not waited for."""
        self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        ending = threading.Thread(target=self._client.loop_stop, daemon=True)
        ending.start()
        ending.join(keys.MQTT_END_SECONDS)

    def wait(self) -> bool:
        """Waits until there is a connection; false if stopped before."""
        while not self._stopped.is_set():
            if self._connected.wait(keys.BLOCK_SECONDS):
                return True
        return False

    def send(self, alert: Alert) -> bool:
        """Whether the broker has taken the alert; not if the program is to end before.

        Raises:
            DeliveryError: it refuses.
        """
        if not self.wait():
            return False
        if picture := self._snapshot(alert):
            self.retain(self.broker.source_topic(alert.source, "snapshot"), picture)
        while self.wait():
            told = self._client.publish(self.broker.source_topic(alert.source, "alert"), alert.to_json(), _QOS)
            if told.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:  # else the connection has just gone
                return self._is_taken(told)
        return False

    def retain(self, topic: str, payload: str | bytes) -> None:
        """Publishes what the broker is to keep, if there is a connection; who has more to say says it again."""
        if self._connected.is_set():
            self._client.publish(topic, payload, _QOS, retain=True)

    def _is_taken(self, told: paho.MQTTMessageInfo) -> bool:
        """Waits for the answer. After a lost connection paho sends by itself what was not answered."""
        while not told.is_published():
            if self._stopped.is_set():
                return False
            told.wait_for_publish(keys.BLOCK_SECONDS)
        if reason := self._refused.pop(told.mid, None):
            raise DeliveryError(f"mqtt: {self.broker.place}: alert refused: {reason}")
        return True

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure:
            self._refusal = f"refused: {str(code).lower()}"
            return
        self._refusal = ""
        client.publish(self.broker.status_topic, "online", _QOS, retain=True)
        self._connected.set()
        self.num_connections += 1  # after it: what is retained once this is seen gets through
        _log.info("mqtt: %s: connected", self.broker.place)

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, _code: ReasonCode, _properties: Any
    ) -> None:
        if not self._stopped.is_set():
            said = self._refusal or ("connection lost" if self._connected.is_set() else "no answer")
            _log.warning("mqtt: %s: %s; trying again", self.broker.place, said)
        self._connected.clear()

    def _on_publish(self, _client: paho.Client, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        self._refused.pop(mid, None)
        if code.is_failure:
            self._refused[mid] = str(code).lower()
            _log.warning("mqtt: %s: refused a message: %s", self.broker.place, str(code).lower())
