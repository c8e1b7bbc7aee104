"""An alert for people, on one line."""

from datetime import tzinfo
from typing import Final

from alerts.alert import Alert

_VERBS: Final = {"video": "seen", "audio": "heard", "text": "read"}
_LONGEST_TEXT: Final = 80
"""Characters of the words read that are shown."""


def describe(alert: Alert, zone: tzinfo | None = None) -> str:
    """The alert on one line of plain text, fit for a terminal whatever the source, the label or the text hold.

    Args:
        alert: The alert.
        zone: Time zone of the time shown; none means the machine's.

    Returns:
        Such as `07:15:01  gate  BEGIN   gun_shot 0.93 (threshold 0.50)  heard 0.95 · seen 0.12  "drop the weapon"`.
    """
    time = {"begin": alert.started_at, "update": alert.peak_at, "end": alert.ended_at}[alert.kind] or alert.started_at
    said = f"{plain(alert.label)} {alert.score:.2f} (threshold {alert.threshold:.2f})"
    if alert.ended_at is not None:
        said += f" after {(alert.ended_at - alert.started_at).total_seconds():.0f} s"
    parts = [f"{time.astimezone(zone):%H:%M:%S}", plain(alert.source), f"{alert.kind.upper():6} {said}"]
    parts += filter(None, [_scores(alert), _quoted(alert.text)])
    return "  ".join(parts)


def _scores(alert: Alert) -> str:
    """What each modality alone says, the loudest first."""
    scores = {verb: getattr(alert.modalities, name).score for name, verb in _VERBS.items()}
    known = sorted(((score, verb) for verb, score in scores.items() if score is not None), reverse=True)
    return " · ".join(f"{verb} {score:.2f}" for score, verb in known)


def _quoted(text: str | None) -> str:
    text = plain(text or "")
    if len(text) > _LONGEST_TEXT:
        text = text[: _LONGEST_TEXT - 1] + "…"
    return f'"{text}"' if text else ""


def plain(text: str) -> str:
    """The text on one line; what steers a terminal, or turns its writing around, becomes a question mark in a box."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split()))
