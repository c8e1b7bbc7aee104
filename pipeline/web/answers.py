"""What people said of events, as a labels file for `heed evaluate` and `heed train`."""

import csv
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from alerts import keys
from alerts.alert import Alert
from alerts.complaint import FAILURES, Client, complaint
from alerts.connect import node
from alerts.errors import AlertFormatError, BrokerError
from alerts.link import as_text, read_alert
from models.spec import NORMAL
from pipeline.web.site import evidence_file
from pipeline.web.told import said_of, verdict_of

_PAGE: Final = 1000
"""Entries of the stream that are read at once."""
_COLUMNS: Final = ("path", "start_seconds", "end_seconds", "label", "group")


@dataclass(frozen=True, slots=True)
class Answered:
    """What was said of events, as far as there are clips of them."""

    rows: list[dict[str, str]]
    """Of a labels file: a clip each, `normal` where it was a false alarm."""
    num_without_clip: int
    """Events that somebody answered and that have no clip, or none any more."""


def answered(client: Client, evidence: Path, labels: Path) -> Answered:
    """Every event that somebody answered.

    Args:
        client: where alerts and answers are.
        evidence: folder of the clips.
        labels: the file that the rows are for: paths are relative to its folder.

    Raises:
        BrokerError: Redis is away, or refuses.
    """
    try:
        said: dict[Any, Any] = client.hgetall(keys.ACKNOWLEDGED)
        latest = _latest(client)
    except FAILURES as error:
        raise BrokerError(complaint(client, error)) from None
    rows, num_without_clip = [], 0
    for name, stored in sorted(said.items()):
        verdict = verdict_of(stored)
        source, label, clip = _about(said_of(stored), latest.get(as_text(name)))
        path = evidence_file(evidence, clip) if clip else None
        if not verdict or not label:
            continue
        if path is None:
            num_without_clip += 1
            continue
        kind = label if verdict == "true" else NORMAL
        place = os.path.relpath(path, labels.resolve().parent)
        rows.append(dict(zip(_COLUMNS, (place, "", "", kind, source), strict=True)))
    return Answered(rows, num_without_clip)


def as_csv(answers: Answered) -> str:
    """The labels file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(answers.rows)
    return text.getvalue()


def _about(said: Mapping[str, object], alert: Alert | None) -> tuple[str, str, str]:
    """Source, label and clip of an event: by its alert, or, when that is no longer kept, as they were at the answer."""
    if alert is not None:
        return alert.source, alert.label, (alert.evidence.clip if alert.evidence else None) or ""
    source, label, clip = (said.get(name) for name in ("source", "label", "clip"))
    return str(source or ""), str(label or ""), str(clip or "")


def _latest(client: Client) -> dict[str, Alert]:
    """The latest alert of every event that the stream has."""
    found: dict[str, Alert] = {}
    for alert in _kept(client):
        if alert.id not in found or found[alert.id].sequence < alert.sequence:
            found[alert.id] = alert
    return found


def _kept(client: Client) -> Iterator[Alert]:
    server: Any = node(client, keys.STREAM)
    first = "-"
    while entries := server.xrange(keys.STREAM, min=first, count=_PAGE):
        for _, fields in entries:
            try:
                yield read_alert(fields)
            except AlertFormatError:
                continue  # a subscriber tells
        first = f"({as_text(entries[-1][0])}"
