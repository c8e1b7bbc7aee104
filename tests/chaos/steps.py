"""What is wrong with the alerts that a subscriber has got."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from alerts.alert import Alert
from alerts.show import describe
from alerts.subscriber import distinct


@dataclass(frozen=True, slots=True)
class Told:
    """An event, as all its alerts together tell it."""

    source: str
    """Its name."""
    started_at: datetime
    """UTC."""
    ended_at: datetime | None
    """UTC; none if nobody said so."""

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Whether it was going on at any time between these."""
        return self.started_at <= end and (self.ended_at is None or self.ended_at >= start)


@dataclass(frozen=True, slots=True)
class Steps:
    """The alerts of a subscriber that drops what came before, and what came before."""

    alerts: list[Alert]
    """Without repetitions."""
    num_redelivered: int
    """Alerts that came again, which is allowed."""
    num_contradictory: int
    """Pairs of different alerts with one id and sequence: de-duplication loses one of them."""

    @classmethod
    def of(cls, delivered: Sequence[Alert]) -> Self:
        """Takes what came, in order."""
        alerts = list(distinct(delivered))
        versions = {(alert.id, alert.sequence, alert.to_json()) for alert in delivered}
        keys = {(alert.id, alert.sequence) for alert in delivered}
        return cls(alerts, len(delivered) - len(alerts), len(versions) - len(keys))

    @property
    def events(self) -> list[Told]:
        """Every event, in the order they began."""
        ends = {alert.id: alert.ended_at for alert in self.alerts if alert.kind == "end"}
        begins = {alert.id: alert for alert in reversed(self.alerts)}.values()
        return sorted(
            (Told(alert.source, alert.started_at, ends.get(alert.id)) for alert in begins),
            key=lambda told: told.started_at,
        )

    @property
    def num_duplicated(self) -> int:
        """Alerts that came twice in spite of de-duplication."""
        return len(self.alerts) - len({(alert.id, alert.sequence) for alert in self.alerts})

    @property
    def num_missing(self) -> int:
        """Steps that are not there though a later one of the same event is, and steps hidden by another."""
        sequences: defaultdict[str, set[int]] = defaultdict(set)
        for alert in self.alerts:
            sequences[alert.id].add(alert.sequence)
        return self.num_contradictory + sum(max(found) + 1 - len(found) for found in sequences.values())

    @property
    def faults(self) -> list[str]:
        """What is wrong with events that came whole: steps out of order or after the end, no end."""
        latest: dict[str, int] = {}
        ends = {alert.id: alert.sequence for alert in self.alerts if alert.kind == "end"}
        found = [f"{event.source} {event.started_at}: never ended" for event in self.events if event.ended_at is None]
        for alert in self.alerts:
            if alert.sequence < latest.get(alert.id, 0):
                found.append(f"{alert.id}: {alert.sequence} came after {latest[alert.id]}")
            if alert.sequence > ends.get(alert.id, alert.sequence):
                found.append(f"{alert.id}: {alert.sequence} is after its end")
            latest[alert.id] = alert.sequence
        return found

    def num_unseen(self, shown: Iterable[str]) -> int:
        """Lines shown for people whose alert has not come."""
        return (Counter(shown) - Counter(map(describe, self.alerts))).total()
