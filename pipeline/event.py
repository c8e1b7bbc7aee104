"""Events: when we changed our mind about a source."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pipeline.config import EventConfig
from pipeline.score import Scores


@dataclass(frozen=True, slots=True)
class Event:
    """An anomaly on one source: it begins, may be updated, and ends."""

    kind: Literal["begin", "update", "end"]
    source: str
    label: str
    """The likeliest kind of anomaly when it began; stays the same."""
    started_seconds: float
    """Start of its first window."""
    ended_seconds: float | None
    """End of its last window that was not low; none until it ends."""
    decided_seconds: float
    """End of the window that made us say this."""
    closed_at: float
    """`time.monotonic()` when that window was complete."""
    peak: Scores
    """Of its highest window so far."""

    @property
    def started_at(self) -> datetime:
        """UTC of its start. Unlike the source's clock this is unique: a live clock restarts at 0."""
        return self.peak.origin + timedelta(seconds=self.started_seconds)


def events(scores: Iterable[Scores], config: EventConfig) -> Iterator[Event]:
    """The events of one source."""
    tracker = EventTracker(config)
    for each in scores:
        yield from tracker.push(each)
    yield from tracker.finish()


class EventTracker:
    """Hysteresis, confirmation, merging and cooldown on one source's scores."""

    def __init__(self, config: EventConfig) -> None:
        self._config = config
        self._rising: deque[Scores] = deque(maxlen=config.confirm_windows)
        self._last: Scores | None = None
        self._cool_until: dict[str, datetime] = {}
        self._open: Event | None = None
        self._high_until = 0.0
        self._told_seconds = 0.0

    def push(self, scores: Scores) -> list[Event]:
        """What the next window of the source changes; mostly nothing."""
        ended = []
        if self._last is not None and self._last.session != scores.session:
            ended = self.finish()
        elif self._open is not None and scores.start_seconds - self._high_until > self._config.merge_seconds:
            ended = [self._end(self._open, scores)]  # after a hole in the stream
        self._last = scores
        return ended + (self._begin(scores) if self._open is None else self._go_on(self._open, scores))

    def finish(self) -> list[Event]:
        """The source is at its end: so is its open event."""
        self._rising.clear()
        return [] if self._open is None or self._last is None else [self._end(self._open, self._last)]

    def _begin(self, scores: Scores) -> list[Event]:
        if self._rising and scores.index != self._rising[-1].index + 1:
            self._rising.clear()
        if not scores.is_anomaly:
            self._rising.clear()
            return []
        self._rising.append(scores)
        if len(self._rising) < self._config.confirm_windows:
            return []
        label, first = _label(self._rising), self._rising[0]
        if label in self._cool_until and _at(first, first.start_seconds) < self._cool_until[label]:
            return []
        peak = max(self._rising, key=lambda each: each.anomaly)
        self._open = Event(
            kind="begin",
            source=scores.source,
            label=label,
            started_seconds=first.start_seconds,
            ended_seconds=None,
            decided_seconds=scores.end_seconds,
            closed_at=scores.closed_at,
            peak=peak,
        )
        self._rising.clear()
        self._high_until = self._told_seconds = scores.end_seconds
        return [self._open]

    def _go_on(self, event: Event, scores: Scores) -> list[Event]:
        is_high = scores.anomaly >= self._config.release * scores.threshold
        if is_high:
            self._high_until = scores.end_seconds
        elif scores.end_seconds - self._high_until >= self._config.merge_seconds:
            return [self._end(event, scores)]
        peak = max(event.peak, scores, key=lambda each: each.anomaly)
        event = self._open = _told(event, scores, kind="update", peak=peak)
        if scores.end_seconds - event.started_seconds >= self._config.longest_seconds:
            return [self._end(event, scores)]
        if not is_high or scores.end_seconds - self._told_seconds < self._config.update_seconds:
            return []
        self._told_seconds = scores.end_seconds
        return [event]

    def _end(self, event: Event, scores: Scores) -> Event:
        self._open = None
        if scores.end_seconds - event.started_seconds < self._config.longest_seconds:
            self._cool_until[event.label] = _at(event.peak, self._high_until + self._config.cooldown_seconds)
        return _told(event, scores, kind="end", ended_seconds=self._high_until)


def _told(event: Event, scores: Scores, **changes: Any) -> Event:
    return replace(event, decided_seconds=scores.end_seconds, closed_at=scores.closed_at, **changes)


def _at(scores: Scores, seconds: float) -> datetime:
    """UTC of a time on the clock of these scores: a camera that drops out again and again stays in its cooldown."""
    return scores.origin + timedelta(seconds=seconds)


def _label(rising: Sequence[Scores]) -> str:
    """The likeliest kind over the windows that began an event."""
    kinds = dict.fromkeys(label for scores in rising for label in scores.classes)
    return max(kinds, key=lambda label: sum(scores.classes.get(label, 0.0) for scores in rising))
