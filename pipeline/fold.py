"""Repeats folded: what was said is counted for a while instead of being said again."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?")
"""What may differ between two times that the same is said: seconds, counts, addresses of memory."""
_MOST_MESSAGES: Final = 20
"""Different messages of one topic within the window; what comes after them is counted together."""
_OVERFLOW: Final = "says too much: the rest is only counted"


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log, before it takes a form."""

    at: float
    """Seconds since 1970."""
    level: Literal["info", "warning", "error"]
    event: str
    """What kind of thing happened."""
    source: str | None
    """Which source it is about."""
    message: str
    """One line, without secrets, harmless on a terminal."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """What else a program may want to know of it."""
    repeats: int = 0
    """How many times it was held back; the rest is the last of them."""
    seconds: float = 0
    """Within how long."""


@dataclass(slots=True)
class _Topic:
    """What was said about one source by one kind of event."""

    since: float
    """When its window began."""
    said: dict[str, Entry] = field(default_factory=dict)
    """By the message without its numbers, the latest at the end. What came again is held back, with its count."""

    def tell(self, now: float) -> list[Entry]:
        """What was held back, in the order of its last time; it is counted anew."""
        told = [replace(entry, seconds=now - self.since) for entry in self.said.values() if entry.repeats]
        self.said = {key: replace(entry, repeats=0) for key, entry in self.said.items()}
        return told


class Folding:
    """Says a message once within `seconds`; then, or when something else happens there, how often it came again.

    The last line about a source thus tells how it is, at the latest when the window ends. Times are a monotonic
    clock's seconds.
    """

    def __init__(self, seconds: float) -> None:
        """Remembers nothing yet."""
        self.seconds = seconds
        self._topics: dict[tuple[str, str | None], _Topic] = {}

    def push(self, entry: Entry, now: float) -> list[Entry]:
        """What is to be said now that this entry has come."""
        due = self.due(now)
        topic = self._topics.setdefault((entry.event, entry.source), _Topic(now))
        key = _NUMBER.sub("#", entry.message)
        if key not in topic.said and len(topic.said) >= _MOST_MESSAGES:
            key, entry = _OVERFLOW, replace(entry, message=_OVERFLOW)
        before = topic.said.pop(key, None)
        if before is not None:
            topic.said[key] = replace(entry, repeats=before.repeats + 1)
            return due
        told = topic.tell(now)
        topic.said[key] = entry
        return [*due, *told, entry]

    def due(self, now: float) -> list[Entry]:
        """What was held back in windows that have ended."""
        told: list[Entry] = []
        for name, topic in list(self._topics.items()):
            if now - topic.since < self.seconds:
                continue
            repeated = [key for key, entry in topic.said.items() if entry.repeats]
            told += topic.tell(now)
            if repeated:
                self._topics[name] = _Topic(now, {key: topic.said[key] for key in repeated})
            else:
                del self._topics[name]
        return told

    def rest(self, now: float) -> list[Entry]:
        """All that is still held back."""
        return [entry for topic in self._topics.values() for entry in topic.tell(now)]
