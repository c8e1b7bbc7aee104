"""Events against labelled anomalies: found, missed, false, and how soon."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from pipeline.labels import Interval
from pipeline.metrics import TOLERANCE_SECONDS, UndefinedError, match_events, poisson_interval
from pipeline.reasons import Reasons, defined, share
from pipeline.scored import ScoredFile

RULE: Final = (
    "An event is right when the windows that made it begin overlap an anomaly, "
    f"widened by {TOLERANCE_SECONDS:g} s at both ends. "
    "In order of time each anomaly takes one event and each event one anomaly; kinds do not matter. "
    "A further event on an anomaly already found counts as neither right nor false. "
    "An event on no anomaly is a false alarm if those windows touch normal time."
)
"""How events are matched."""


class Anomaly(NamedTuple):
    """What became of a labelled anomaly."""

    labels: frozenset[str]
    """Its kinds: stretches that overlap or touch are one."""
    delay_seconds: float | None
    """From its start to the event's decision, 0 when that came first; none if it was missed."""


class Verdict(NamedTuple):
    """What became of all anomalies and all events."""

    anomalies: list[Anomaly]
    num_repeated: int
    """Events on an anomaly that had been found."""
    num_false: int
    """False alarms. An event on no anomaly in time that no row covers is none."""


def verdict(files: Iterable[ScoredFile]) -> Verdict:
    """Matches the events of each file with its anomalies, by `RULE`."""
    anomalies, num_repeated, num_false = list[Anomaly](), 0, 0
    for file in files:
        truth, raised = file.truth, [event.raised for event in file.events]
        matching = match_events(raised, truth.anomaly)
        found = {anomaly: event for event, anomaly in matching.pairs}
        for place, interval in enumerate(truth.anomaly):
            delay = max(0.0, raised[found[place]][1] - interval[0]) if place in found else None
            anomalies.append(Anomaly(_labels(file, interval), delay))
        num_repeated += len(matching.repeated)
        num_false += sum(_touches(raised[event], truth.normal) for event in matching.false)
    return Verdict(anomalies, num_repeated, num_false)


def normal_hours(files: Iterable[ScoredFile], confirm_windows: int) -> float:
    """Hours of normal time in the files that are long enough for an event to begin in them."""
    seconds = (
        end - start for file in files if len(file.windows) >= confirm_windows for start, end in file.truth.normal
    )
    return sum(seconds) / 3600


def event_figures(files: Sequence[ScoredFile], confirm_windows: int, reasons: Reasons) -> dict[str, Any]:
    """The part `event` of `metrics.json`."""
    anomalies, num_repeated, num_false = verdict(files)
    delays = [each.delay_seconds for each in anomalies if each.delay_seconds is not None]
    right, hours = len(delays), normal_hours(files, confirm_windows)
    compute: dict[str, Callable[[], float]] = {
        "precision": lambda: share(right, right + num_false, "no event"),
        "recall": lambda: share(right, len(anomalies), "no anomaly"),
        "f1": lambda: share(2 * right, len(anomalies) + right + num_false, "neither event nor anomaly"),
        "delay_seconds_p50": lambda: _percentile(delays, 50),
        "delay_seconds_p95": lambda: _percentile(delays, 95),
    }
    gap = _why_no_intervals(files)
    if gap:
        reasons |= {f"event.{name}": gap for name in compute}
    return {
        "rule": RULE,
        "num_anomalies": len(anomalies),
        "num_found": right,
        "num_repeated": num_repeated,
        "num_false": num_false,
        "normal_hours": hours,
        **{name: None if gap else defined(figure, f"event.{name}", reasons) for name, figure in compute.items()},
        **_false_alarms(num_false, hours, reasons),
        "by_label": {} if gap else _by_label(anomalies),
    }


def _false_alarms(num_false: int, hours: float, reasons: Reasons) -> dict[str, Any]:
    """Their rate, and between which rates the true one lies: few hours without any prove little."""
    reason, key = "no normal time long enough for an event", "event.false_alarms_per_hour"
    bounds = poisson_interval(num_false)
    return {
        "false_alarms_per_hour": defined(lambda: share(num_false, hours, reason), key, reasons),
        "false_alarms_per_hour_ci95": defined(
            lambda: [share(bound, hours, reason) for bound in bounds], f"{key}_ci95", reasons
        ),
    }


def _by_label(anomalies: Sequence[Anomaly]) -> dict[str, Any]:
    """Found of all, of each kind. False alarms have no kind that anyone knows."""
    everything = Counter(label for each in anomalies for label in each.labels)
    found = Counter(label for each in anomalies if each.delay_seconds is not None for label in each.labels)
    return {
        label: {"num_anomalies": count, "num_found": found[label], "recall": found[label] / count}
        for label, count in sorted(everything.items())
    }


def _why_no_intervals(files: Sequence[ScoredFile]) -> str | None:
    """Clips cut to their label say nothing of when: events need anomalies with times."""
    anomalies = [row for file in files for row in file.rows if not row.is_normal]
    if not anomalies:
        return "no anomaly rows"
    return "no intervals: every anomaly row is a whole clip" if all(row.is_whole for row in anomalies) else None


def _labels(file: ScoredFile, anomaly: Interval) -> frozenset[str]:
    rows = [row for row in file.rows if not row.is_normal]
    return frozenset(row.label for row in rows if _touches(row.interval(file.duration_seconds), [anomaly]))


def _percentile(values: Sequence[float], percent: float) -> float:
    if not values:
        raise UndefinedError("no anomaly found")
    return float(np.percentile(values, percent))


def _touches(interval: Interval, others: Iterable[Interval]) -> bool:
    return any(interval[0] < end and start < interval[1] for start, end in others)
