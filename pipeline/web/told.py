"""What a browser is told of an event, and what is read back of what people said."""

import json
from typing import Any, Final, Literal

from alerts.alert import Alert, rfc3339

Verdict = Literal["true", "false_alarm"]
VERDICTS: Final[tuple[Verdict, ...]] = ("true", "false_alarm")
"""What a person may say of an event."""
LONGEST_TEXT: Final = 500
"""Characters of an event's words that are shown."""
LONGEST_LABEL: Final = 60
"""Characters of its label."""


def told_of(alert: Alert, verdict: str) -> dict[str, Any]:
    """An event by its latest alert, small enough for a browser whatever is in it."""
    senses = {
        name: {"score": sense.score, "contribution": sense.contribution}
        for name in ("video", "audio", "text")
        if (sense := getattr(alert.modalities, name)).present
    }
    return {
        "id": alert.id,
        "source": alert.source,
        "label": alert.label[:LONGEST_LABEL],
        "kind": alert.kind,
        "score": alert.score,
        "threshold": alert.threshold,
        "started_at": rfc3339(alert.started_at),
        "ended_at": rfc3339(alert.ended_at) if alert.ended_at else None,
        "senses": senses,
        "text": alert.text[:LONGEST_TEXT] if alert.text else "",
        "model": alert.model.name[:LONGEST_LABEL],
        "provider": alert.model.provider[:LONGEST_LABEL],
        "has_clip": bool(alert.evidence and alert.evidence.clip),
        "has_snapshot": bool(alert.evidence and alert.evidence.snapshot),
        "verdict": verdict,
    }


def verdict_of(stored: bytes | None) -> str:
    """The verdict in what Redis holds of one event; empty if there is none, or nothing of ours."""
    verdict = said_of(stored).get("verdict")
    return verdict if verdict in VERDICTS else ""


def said_of(stored: bytes | None) -> dict[str, Any]:
    """What Redis holds of one event; empty if it is nothing of ours."""
    try:
        said = json.loads(stored or b"{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
