"""What makes Home Assistant find a source on an MQTT broker by itself: a device with its entities."""

import json
from typing import Any, Final

from alerts.show import plain
from alerts.targets import Broker, slug

Entities = dict[tuple[str, str], dict[str, Any]]
"""By component and name."""

_EVENT: Final = """{{ {
  'event_type': value_json.kind, 'label': value_json.label, 'score': value_json.score, 'id': value_json.id,
  'sequence': value_json.sequence, 'started_at': value_json.started_at, 'ended_at': value_json.ended_at,
  'text': value_json.text, 'modalities': value_json.modalities, 'evidence': value_json.evidence
} | tojson }}"""
"""An alert as an event of Home Assistant: `event_type` and attributes."""
_ANOMALY: Final = "{{ {'anomaly': 'ON', 'normal': 'OFF'}.get(value_json.state, 'None') }}"
"""Neither `ON` nor `OFF` is unknown."""
_SCORE: Final = "{{ value_json.score | default('None') }}"
_RUNNING: Final = "{{ 'online' if value_json.status == 'running' else 'offline' }}"


def discovery(broker: Broker, prefix: str, source: str, expire_seconds: float) -> dict[str, str]:
    """Messages to retain, by topic, as Home Assistant's MQTT discovery has them.

    Args:
        broker: Where the source's own topics are.
        prefix: Of Home Assistant's discovery, `homeassistant` unless changed there.
        source: Name of the source.
        expire_seconds: After so long without a state it is unknown.
    """
    node = f"{slug(broker.topic)}_{slug(source)}"
    shared = {
        "qos": 1,
        "device": {"identifiers": [node], "name": plain(source), "manufacturer": "Heed", "model": "Source"},
        "origin": {"name": "Heed"},
    }
    entities = _of_states(broker, source, expire_seconds) | _of_alerts(broker, source)
    return {
        f"{prefix}/{component}/{node}/{what}/config": json.dumps(entity | shared | {"unique_id": f"{node}_{what}"})
        for (component, what), entity in entities.items()
    }


def _of_states(broker: Broker, source: str, expire_seconds: float) -> Entities:
    topic = broker.source_topic(source, "state")
    shared = {
        "state_topic": topic,
        "expire_after": round(expire_seconds),
        "availability": [{"topic": broker.status_topic}, {"topic": topic, "value_template": _RUNNING}],
        "availability_mode": "all",
    }
    return {
        ("binary_sensor", "anomaly"): {
            "name": "Anomaly",
            "device_class": "safety",
            "value_template": _ANOMALY,
            "json_attributes_topic": topic,
            **shared,
        },
        ("sensor", "score"): {
            "name": "Score",
            "icon": "mdi:gauge",
            "state_class": "measurement",
            "suggested_display_precision": 2,
            "value_template": _SCORE,
            **shared,
        },
    }


def _of_alerts(broker: Broker, source: str) -> Entities:
    shared = {"availability": [{"topic": broker.status_topic}]}
    return {
        ("event", "alert"): {
            "name": "Alert",
            "icon": "mdi:alert",
            "event_types": ["begin", "update", "end"],
            "state_topic": broker.source_topic(source, "alert"),
            "value_template": _EVENT,
            **shared,
        },
        ("image", "snapshot"): {
            "name": "Snapshot",
            "content_type": "image/jpeg",
            "image_topic": broker.source_topic(source, "snapshot"),
            **shared,
        },
    }
