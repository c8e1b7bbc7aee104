"""`heed forward`: alerts and states from Redis to where their users already live."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Final

from alerts import keys
from alerts.alert import Alert
from alerts.complaint import Client
from alerts.connect import connect, refresh
from alerts.errors import AlertsError, BrokerError
from alerts.forward import Send
from alerts.forward import forward as forward_to
from alerts.link import Link
from alerts.mirror import Mirror
from alerts.mqtt import Mqtt
from alerts.subscriber import states
from alerts.targets import Broker, Endpoint, signing_key
from alerts.webhook import Webhook
from pipeline.config import Config, MqttConfig, WebhookConfig
from pipeline.errors import ConfigError
from pipeline.redact import url_secrets

LARGEST_SNAPSHOT: Final = 1024**2
"""Bytes of a picture that goes to a broker; more is no snapshot of ours."""
_MQTT: Final = "mqtt"
_END_SECONDS: Final = 0.5
"""For what is under way when the program is to end; what is not acknowledged by then comes again at the next start."""
_log = logging.getLogger(__name__)

Work = Callable[[], None]
"""Goes on until stopped."""


def forward(config: Config, state: Path, stopped: threading.Event, begun: Callable[[int], None]) -> None:
    """Takes every alert to every target of the configuration, until stopped; a target that is dead holds up no other.

    Args:
        config: Webhooks, MQTT and Redis.
        state: The state folder, with the embedded Redis and the evidence.
        stopped: Set it to end.
        begun: Told the number of targets when all are being served.

    Raises:
        ConfigError: there is no target.
        TargetError: one cannot be used as it is configured.
        BrokerError: Redis is not there at the start, or refuses at any time.
    """
    num_targets = len(config.webhook) + (config.mqtt.url is not None)
    if not num_targets:
        raise ConfigError("forward: no target; name a --config with [[webhook]] or [mqtt]")
    url = config.redis.plain_url
    mqtt = _mqtt(config.mqtt, state, stopped) if config.mqtt.url else None
    works = [_webhook(one, connect(url, state), stopped) for one in config.webhook]
    if mqtt is not None:
        link = Link(connect(url, state), stopped.is_set)
        works.append(partial(forward_to, link, _MQTT, mqtt.send, mqtt.wait))
        works.append(partial(_mirror, mqtt, config.mqtt, connect(url, state), stopped))
    begun(num_targets)
    with mqtt or nullcontext():
        failures = _served(works, stopped)
    if failures:
        raise failures[0]


def secrets_of(config: Config) -> list[str]:
    """What the log must not show of the targets."""
    urls = [webhook.url for webhook in config.webhook] + [config.mqtt.url]
    found = [secret for url in urls if url for secret in url_secrets(url.get_secret_value())]
    return found + [webhook.secret.get_secret_value() for webhook in config.webhook if webhook.secret]


def _served(works: Sequence[Work], stopped: threading.Event) -> list[AlertsError]:
    """What went wrong until stopped. What Redis refuses to one it refuses to all: then all stop."""
    failures: list[AlertsError] = []

    def serve(work: Work) -> None:
        try:
            work()
        except AlertsError as error:
            failures.append(error)
            stopped.set()

    threads = [threading.Thread(target=serve, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    stopped.wait()
    end = time.monotonic() + _END_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return failures


def _webhook(config: WebhookConfig, client: Client, stopped: threading.Event) -> Work:
    key = signing_key(config.secret.get_secret_value()) if config.secret else None
    url = config.url.get_secret_value()
    endpoint = Endpoint(config.name, url, key, config.allow_private, config.ca_file)
    send = partial(_send_some, Webhook(endpoint, stopped).send, frozenset(config.kinds))
    return partial(forward_to, Link(client, stopped.is_set), f"webhook-{config.name}", send)


def _send_some(send: Send, kinds: frozenset[str], alert: Alert) -> bool:
    return send(alert) if alert.kind in kinds else True


def _mqtt(config: MqttConfig, state: Path, stopped: threading.Event) -> Mqtt:
    url = config.url.get_secret_value() if config.url else ""
    return Mqtt(Broker(url, config.topic, config.ca_file), stopped, partial(snapshot, state / "evidence"))


def _mirror(mqtt: Mqtt, config: MqttConfig, client: Client, stopped: threading.Event) -> None:
    mirror = Mirror(mqtt, config.state_seconds, config.discovery or None)
    with client:
        while not stopped.wait(keys.STATES_SECONDS):
            try:
                mirror.show(states(client))
            except BrokerError as error:
                _log.warning("%s; trying again", error)
                refresh(client)


def snapshot(folder: Path, alert: Alert) -> bytes | None:
    """The picture of an alert, if it is there.

    Args:
        folder: Of the evidence. What an alert says lies outside it is not read.
        alert: The alert.
    """
    if alert.evidence is None or alert.evidence.snapshot is None:
        return None
    try:
        path = (folder / alert.evidence.snapshot).resolve()
        if path.is_relative_to(folder.resolve()) and path.is_file() and path.stat().st_size <= LARGEST_SNAPSHOT:
            return path.read_bytes()
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None
    return None
