"""Words from elsewhere: captioners and speech recognisers write them to Redis, and windows of their time have them."""

import logging
import math
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

from alerts import keys
from alerts.complaint import FAILURES, Client, complaint
from alerts.connect import refresh
from alerts.link import as_text
from pipeline.intake import Entry
from pipeline.window import LONGEST_CUE_SECONDS, LONGEST_TEXT, Window

SHOWN_SECONDS: Final = 2.0
"""Words are read for so long after they came: a recogniser says them late, and an event takes more than one window."""
_MOST_CUES: Final = 100
"""Of one source that are remembered."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """Words, and when they are to be read."""

    text: str
    """One line, not empty."""
    start: datetime
    """UTC."""
    end: datetime
    """UTC."""


class Feed:
    """The words for all sources. A context manager, within which they are read, on a thread.

    When Redis is away there are none, until it is back.
    """

    def __init__(self, client: Client, sources: Iterable[str]) -> None:
        """Has heard nothing yet; what was said before is no news.

        Args:
            client: Of the Redis. The caller closes it, after the feed.
            sources: Their names.
        """
        self._client = client
        self._last: dict[str, str] = dict.fromkeys(sources, "")
        self._said: dict[str, deque[Said]] = {source: deque(maxlen=_MOST_CUES) for source in self._last}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read, name="feed", daemon=True)

    def __enter__(self) -> Self:
        with suppress(*FAILURES):  # the thread will tell
            self._begin()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(keys.TEXT_POLL_SECONDS)

    def added(self, entry: Entry) -> Entry:
        """A window with the words of its time; anything else as it is."""
        if not isinstance(entry, Window) or not (cues := list(self._said[entry.source])):
            return entry
        start = entry.origin + timedelta(seconds=entry.start_seconds)
        end = entry.origin + timedelta(seconds=entry.end_seconds)
        found = [cue.text for cue in cues if cue.start < end and cue.end > start]
        if not found:
            return entry
        return replace(entry, text="\n".join(filter(None, [entry.text, *found]))[:LONGEST_TEXT])

    def _read(self) -> None:
        while not self._over.wait(keys.TEXT_POLL_SECONDS):
            try:
                self._poll()
            except FAILURES as error:
                _log.warning("%s; no words are read from there", complaint(self._client, error))
                refresh(self._client)
                self._over.wait(keys.LONGEST_PAUSE_SECONDS)
            except (OSError, ValueError):  # the client was closed meanwhile
                return

    def _poll(self) -> None:
        """Takes what is new, and keeps the streams short, whatever their writers do."""
        self._begin()
        pipeline = self._client.pipeline(transaction=False)
        for source, last in self._last.items():
            pipeline.xrange(keys.TEXT + source, min=f"({last}", count=keys.BATCH)
        for source, found in zip(self._last, pipeline.execute(), strict=True):
            for entry_id, fields in found:
                self._last[source] = as_text(entry_id)
                self._take(source, {as_text(name): as_text(value) for name, value in fields.items()})
            if found:
                self._client.xtrim(keys.TEXT + source, maxlen=keys.TEXT_LENGTH, approximate=True)

    def _begin(self) -> None:
        """Behind the newest entry of each stream that has not been looked at yet."""
        for source in [source for source, last in self._last.items() if not last]:
            newest: Any = self._client.xrevrange(keys.TEXT + source, count=1)
            self._last[source] = as_text(newest[0][0]) if newest else "0-0"

    def _take(self, source: str, fields: Mapping[str, str]) -> None:
        now = datetime.now(UTC)
        try:
            said = cue(fields, now)
        except (ValueError, OverflowError):
            _log.warning("%s%s: a time is neither seconds nor UTC; taken as now", keys.TEXT, source)
            said = cue({"text": fields.get("text", "")}, now)
        if said is not None:
            self._said[source].append(said)


def cue(fields: Mapping[str, str], now: datetime) -> Said | None:
    """The words of an entry of the stream; none if there are none.

    Args:
        fields: `text`; `start` and `end`, seconds since 1970; or `at` instead of `start`, UTC by RFC 3339.
        now: When they came, in UTC.

    Raises:
        ValueError: a time is none.
        OverflowError: a time is out of this world.
    """
    text = " ".join(fields.get("text", "")[:LONGEST_TEXT].split())
    if not text:
        return None
    start = _utc(fields["start"]) if "start" in fields else _at(fields["at"]) if "at" in fields else now
    last = max(_utc(fields["end"]) if "end" in fields else start, now + timedelta(seconds=SHOWN_SECONDS))
    return Said(text, start, min(last, max(start, now) + timedelta(seconds=LONGEST_CUE_SECONDS)))


def _utc(seconds: str) -> datetime:
    number = float(seconds)
    if not math.isfinite(number):
        raise ValueError
    return datetime.fromtimestamp(number, UTC)


def _at(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
