"""States of Redis on an MQTT broker, retained: who subscribes later knows at once how every source is."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from alerts import keys
from alerts.home_assistant import discovery
from alerts.mqtt import Mqtt

State = Mapping[str, str]
"""Fields of a source's state, as Redis has them."""

_NUMBERS: Final = frozenset({"score", "threshold", "latency_seconds", "dropped"})
_TOLD_AT_ONCE: Final = ("status", "reason", "state", "label")
_GONE: Final = {"status": "gone", "reason": "nobody watches it", "state": "unknown"}


@dataclass(slots=True)
class _Told:
    """What was told of a source last."""

    state: State = field(default_factory=dict)
    at: float = -math.inf
    """By the monotonic clock, in seconds."""


class Mirror:
    """Tells a broker how every source is, and Home Assistant that it is there."""

    def __init__(self, mqtt: Mqtt, seconds: float, prefix: str | None) -> None:
        """Tells nothing yet.

        Args:
            mqtt: The broker.
            seconds: Between two messages on a source of which only numbers have changed.
            prefix: Of Home Assistant's discovery; none means it is told nothing.
        """
        self._mqtt, self._seconds, self._prefix = mqtt, seconds, prefix
        self._connection = 0
        self._told: dict[str, _Told] = {}

    def show(self, states: Mapping[str, State]) -> None:
        """Makes these the present states. A source that is no longer among them is `gone`.

        Args:
            states: By the sources' names.
        """
        if self._connection != self._mqtt.num_connections:
            self._connection = self._mqtt.num_connections
            self._told = dict.fromkeys(self._told, _Told())
        for source in sorted(states.keys() | self._told.keys()):
            self._show(source, states.get(source, _GONE))

    def _show(self, source: str, state: State) -> None:
        told, now = self._told.get(source, _Told()), time.monotonic()
        has_changed = any(state.get(name) != told.state.get(name) for name in _TOLD_AT_ONCE)
        if not has_changed and now - told.at < self._seconds:
            return
        broker = self._mqtt.broker
        if self._prefix and not told.state:
            for topic, entity in discovery(
                broker, self._prefix, source, keys.STATE_SECONDS + 3 * self._seconds
            ).items():
                self._mqtt.retain(topic, entity)
        self._mqtt.retain(broker.source_topic(source, "state"), as_json(state))
        self._told[source] = _Told(state, now)


def as_json(state: State) -> str:
    """The state as a JSON object, its numbers as numbers."""
    return json.dumps({name: _number(value) if name in _NUMBERS else value for name, value in state.items()})


def _number(value: str) -> float | None:
    try:
        number = int(value) if value.isdecimal() else float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
