"""What Redis says of sources and events, kept up to date for every browser that looks."""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from alerts import keys
from alerts.alert import Alert, Evidence, rfc3339
from alerts.complaint import FAILURES, Client, complaint
from alerts.connect import refresh
from alerts.errors import AlertsError, BrokerError
from alerts.link import as_text
from alerts.subscriber import states
from pipeline.web.told import told_of, verdict_of

MOST_EVENTS: Final = 500
"""Newest events that are shown."""
TRACE_LENGTH: Final = 120
"""Windows of a source that are drawn: two minutes."""
LOOK_SECONDS: Final = 1.0
"""Between two looks at states and scores, while anybody looks at the page."""
_IDLE_SECONDS: Final = 5.0
"""Between two looks while nobody does."""
_LONGEST_NAME: Final = 200
"""Characters of the id or source of an alert; a longer one is none of ours, and is not shown."""
_TRACED: Final = ("score", "threshold", "video", "audio", "text")
_log = logging.getLogger(__name__)

Tell = Callable[[str, str], None]
"""Takes the name of a message and its JSON, on any thread. The last one is `END`."""
END: Final = "end"
"""Nothing follows."""


class Board:
    """Sources and events as they are now. A context manager, within which two threads read Redis."""

    def __init__(self, client: Client, alerts: Iterator[Alert], stopped: threading.Event) -> None:
        """Reads nothing yet.

        Args:
            client: where states, scores, pictures and verdicts are.
            alerts: all that are kept, and then as they come, until stopped.
            stopped: set by the board itself when Redis refuses for good.
        """
        self.failure: AlertsError | None = None
        """What ended it."""
        self._client, self._alerts, self._stopped = client, alerts, stopped
        self._lock = threading.RLock()
        self._events: dict[str, Alert] = {}
        self._verdicts: dict[str, str] = {}
        self._cameras: dict[str, dict[str, str]] = {}
        self._traces: dict[str, deque[list[Any]]] = {}
        self._last_entries: dict[str, str] = {}
        self._complaint = ""
        self._listeners: list[Tell] = []
        self._awake = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._look)]

    def __enter__(self) -> "Board":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._awake.set()
        for thread in self._threads:
            thread.join(2 * keys.BLOCK_SECONDS)

    def listen(self, tell: Tell) -> Callable[[], None]:
        """Tells everything there is, and then every change, until what is returned is called."""
        with self._lock:
            tell("all", json.dumps(self._all()))
            self._listeners.append(tell)
        self._awake.set()

        def leave() -> None:
            with self._lock, suppress(ValueError):
                self._listeners.remove(tell)

        return leave

    @property
    def num_listeners(self) -> int:
        """Browsers that look."""
        return len(self._listeners)

    def evidence(self, identity: str) -> Evidence | None:
        """The files of an event."""
        with self._lock:
            alert = self._events.get(identity)
        return None if alert is None else alert.evidence

    def picture(self, source: str) -> bytes | None:
        """The latest of a source that is shown.

        Raises:
            BrokerError: Redis is away.
        """
        with self._lock:
            if source not in self._cameras:
                return None
        try:
            picture = self._client.get(keys.PICTURE + source)
        except FAILURES as error:
            raise BrokerError(complaint(self._client, error)) from None
        return picture if isinstance(picture, bytes) and picture.startswith(b"\xff\xd8") else None

    def acknowledge(self, identity: str, verdict: str | None, by: str) -> bool:
        """Keeps what a person says of an event; none takes it back. False if there is no such event.

        Raises:
            BrokerError: Redis is away.
        """
        with self._lock:
            alert = self._events.get(identity)
        if alert is None:
            return False
        clip = alert.evidence.clip if alert.evidence else None
        said = {"verdict": verdict, "at": rfc3339(datetime.now(UTC)), "by": by}
        said |= {"source": alert.source, "label": alert.label, "clip": clip}
        try:
            if verdict is None:
                self._client.hdel(keys.ACKNOWLEDGED, identity)
            else:
                self._client.hset(keys.ACKNOWLEDGED, identity, json.dumps(said))
        except FAILURES as error:
            raise BrokerError(complaint(self._client, error)) from None
        self._note_verdicts({identity: verdict or ""})
        return True

    def _read(self) -> None:
        try:
            for alert in self._alerts:
                if max(len(alert.id), len(alert.source)) <= _LONGEST_NAME:
                    self._note_alert(alert)
                else:
                    _log.warning("alert: an id or source of more than %d characters; not shown", _LONGEST_NAME)
        except AlertsError as error:
            self.failure = error
            self._stopped.set()

    def _note_alert(self, alert: Alert) -> None:
        with self._lock:
            before = self._events.get(alert.id)
            if before is not None and before.sequence >= alert.sequence:
                return
            self._events[alert.id] = alert
            if len(self._events) > MOST_EVENTS:
                del self._events[next(iter(self._events))]
            self._tell("event", told_of(alert, self._verdicts.get(alert.id, "")))

    def _look(self) -> None:
        with self._client:
            while not self._stopped.is_set():
                self._awake.clear()
                try:
                    self._look_once()
                    self._note_complaint("")
                except FAILURES as error:
                    self._note_complaint(complaint(self._client, error))
                except BrokerError as error:
                    self._note_complaint(str(error))
                if self._listeners:
                    self._stopped.wait(LOOK_SECONDS)
                else:
                    self._awake.wait(_IDLE_SECONDS)
            with self._lock:
                self._tell(END, None)

    def _look_once(self) -> None:
        found = states(self._client)
        self._note_states(found)
        pipeline = self._client.pipeline(transaction=False)
        for source in found:
            last = self._last_entries.get(source)
            first = "-" if last is None else f"({last}"
            pipeline.xrange(keys.SCORES + source, min=first, count=2 * keys.SCORES_LENGTH)
        with self._lock:
            identities = list(self._events)
        if identities:
            pipeline.hmget(keys.ACKNOWLEDGED, identities)
        answers = pipeline.execute()
        self._note_scores(dict(zip(found, answers, strict=False)))
        if identities:
            self._note_verdicts(dict(zip(identities, map(verdict_of, answers[-1]), strict=True)))

    def _note_states(self, found: dict[str, dict[str, str]]) -> None:
        with self._lock:
            gone = {source: {"status": "gone", "state": "unknown"} for source in self._cameras.keys() - found.keys()}
            changed = {
                source: state
                for source, state in {**found, **gone}.items()
                if len(source) <= _LONGEST_NAME and self._cameras.get(source) != state
            }
            self._cameras |= changed
            if changed:
                self._tell("cameras", changed)

    def _note_scores(self, found: Mapping[str, list[tuple[bytes, dict[bytes, bytes]]]]) -> None:
        news: dict[str, list[list[Any]]] = {}
        with self._lock:
            for source, entries in found.items():
                if not entries:
                    continue
                self._last_entries[source] = as_text(entries[-1][0])
                news[source] = [_point(fields) for _, fields in entries[-TRACE_LENGTH:]]
                self._traces.setdefault(source, deque(maxlen=TRACE_LENGTH)).extend(news[source])
            if news:
                self._tell("traces", news)

    def _note_verdicts(self, verdicts: Mapping[str, str]) -> None:
        with self._lock:
            for identity, verdict in verdicts.items():
                alert = self._events.get(identity)
                if alert is not None and self._verdicts.get(identity, "") != verdict:
                    self._verdicts[identity] = verdict
                    self._tell("event", told_of(alert, verdict))

    def _note_complaint(self, said: str) -> None:
        with self._lock:
            if said != self._complaint:
                self._complaint = said
                self._tell("redis", said)
        if said:
            refresh(self._client)

    def _tell(self, name: str, content: object) -> None:
        if self._listeners:
            data = json.dumps(content)
            for tell in self._listeners:
                tell(name, data)

    def _all(self) -> dict[str, object]:
        return {
            "cameras": self._cameras,
            "traces": {source: list(trace) for source, trace in self._traces.items()},
            "events": [told_of(alert, self._verdicts.get(alert.id, "")) for alert in self._events.values()],
            "redis": self._complaint,
        }


def _point(fields: Mapping[bytes, bytes]) -> list[Any]:
    """`[at, score, threshold, video, audio, text]`, null where there is nothing."""
    values = [_number(fields.get(name.encode(), b"")) for name in _TRACED]
    return [as_text(fields.get(b"at", b""))[:30], *values]


def _number(value: bytes) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return min(1.0, max(0.0, number)) if number == number else None  # noqa: PLR0124 - nan
