"""Alerts with their evidence: an event's beginning waits for none, its end until the clip is whole."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from alerts.alert import Alert, Evidence, rfc3339
from pipeline.config import EvidenceConfig
from pipeline.event import Event
from pipeline.exhibit import Kept, Request

_WRITING_SECONDS: Final = 20.0
"""For a clip to be finished, and encoded if it must be, when its last packet has come."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Held:
    """An end that waits."""

    alert: Alert
    until: float
    """`time.monotonic()` from which it waits no longer."""


class Witness:
    """Asks camera processes for evidence, and sends alerts on with what there is of it."""

    def __init__(
        self,
        config: EvidenceConfig,
        record: Callable[[str, Request | None], None] | None,
        sink: Callable[[Alert], None],
    ) -> None:
        """Knows nothing yet.

        Args:
            config: how long after an event a clip goes on.
            record: hands a source's process a request, or tells it that the engine has judged everything; none: there
                is to be no evidence.
            sink: takes charge of alerts.
        """
        self._config = config
        self._record, self._sink = record if config.enabled else None, sink
        self._kept: dict[str, Kept] = {}
        self._held: dict[str, _Held] = {}
        self._told: dict[str, str] = {}  # the last problem of a source

    def push(self, event: Event, alert: Alert) -> None:
        """The next step of an event."""
        if self._record is None:
            self._sink(alert)
            return
        if event.kind == "begin":
            self._sink(alert)  # before anything else
            self._kept[alert.id] = Kept(event.source, alert.id, None, None, is_final=False, problem="")
        self._record(event.source, _request(event, alert))
        if event.kind == "update":
            self._sink(self._shown(alert))
        elif event.kind == "end":
            self._held[alert.id] = _Held(alert, time.monotonic() + self._config.after_seconds + _WRITING_SECONDS)
            if self._kept[alert.id].is_final:
                self._release(alert.id)

    def note(self, kept: Kept) -> None:
        """More has been written."""
        if kept.id not in self._kept:
            return  # too late
        self._kept[kept.id] = kept
        if kept.problem and self._told.get(kept.source) != kept.problem:
            self._told[kept.source] = kept.problem
            _log.warning("evidence: %s", kept.problem, extra={"event": "evidence", "source": kept.source})
        if kept.is_final and kept.id in self._held:
            self._release(kept.id)

    def look(self) -> None:
        """Sends the ends that have waited long enough."""
        now = time.monotonic()
        for identity in [identity for identity, held in self._held.items() if held.until <= now]:
            self._release(identity)

    def judged(self, source: str) -> None:
        """Nothing that the source's process has sent is left to be judged."""
        if self._record is not None:
            self._record(source, None)

    def close(self, source: str | None = None) -> None:
        """Nothing more is written of a source's events; none: of any."""
        for identity in [each for each, held in self._held.items() if source in {None, held.alert.source}]:
            self._release(identity)

    def _release(self, identity: str) -> None:
        self._sink(self._shown(self._held.pop(identity).alert))
        del self._kept[identity]

    def _shown(self, alert: Alert) -> Alert:
        kept = self._kept[alert.id]
        if kept.clip is None and kept.snapshot is None:
            return alert
        return alert.model_copy(update={"evidence": Evidence(clip=kept.clip, snapshot=kept.snapshot)})


def _request(event: Event, alert: Alert) -> Request:
    peak = event.peak
    is_over = event.ended_seconds is not None
    at = rfc3339(peak.origin + timedelta(seconds=peak.start_seconds))
    return Request(
        id=alert.id,
        session=peak.session,
        start_seconds=event.started_seconds,
        until_seconds=event.decided_seconds if event.ended_seconds is None else event.ended_seconds,
        is_over=is_over,
        peak_seconds=(peak.start_seconds + peak.end_seconds) / 2,
        caption=f"{event.label} {peak.anomaly:.2f}  {at.replace('T', ' ')}",
    )
