"""`heed watch`: sources to windows to scores to events to alerts."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from alerts.alert import Alert, Modalities, Modality, Model, alert_id, rfc3339
from export.runtime import Runtime
from pipeline.camera import Cameras, OnState
from pipeline.config import Config
from pipeline.event import Event, EventTracker
from pipeline.intake import Ended
from pipeline.live import SourceState
from pipeline.score import Scorer, Scores
from pipeline.window import Window

Sink = Callable[[Alert], None]
"""Takes charge of an alert."""
Announce = Callable[[str, Mapping[str, str | float]], None]
"""Makes this the present state of a source."""
Observe = Callable[[Window, Scores], None]
"""Sees every window with its scores."""


@dataclass(slots=True)
class Summary:
    """What a watch came to."""

    num_windows: Counter[str] = field(default_factory=Counter)
    num_events: Counter[str] = field(default_factory=Counter)
    num_dropped: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Sources that were given up, and why."""


def watch(
    config: Config,
    runtime: Runtime,
    sink: Sink,
    stopped: threading.Event,
    *,
    announce: Announce = lambda _source, _state: None,
    observe: Observe = lambda _window, _scores: None,
    on_state: OnState = lambda _source, _state: None,
) -> Summary:
    """Watches the configured sources until all have ended or `stopped` is set.

    Args:
        config: sources, engine, events.
        runtime: the model.
        sink: gets every alert, in order for each source.
        stopped: set it to end.
        announce: gets every source's present state, window by window.
        observe: sees every window.
        on_state: told how sources are.
    """
    summary = Summary()

    def note_state(source: str, state: SourceState) -> None:
        if state.status == "failed":
            summary.failed[source] = state.reason
        on_state(source, state)

    thresholds = {source.name: source.threshold for source in config.source if source.threshold is not None}
    scorer = Scorer(runtime, thresholds)
    trackers = {source.name: EventTracker(config.event) for source in config.source}
    teller = Teller(runtime)
    with Cameras(config, runtime.spec, note_state) as cameras:
        for batch in cameras.batches(stopped):
            windows = [entry for entry in batch if isinstance(entry, Window)]
            for window, scores in zip(windows, scorer.score(windows) if windows else [], strict=True):
                summary.num_windows[window.source] += 1
                observe(window, scores)
                for event in trackers[window.source].push(scores):
                    _send(event, teller, sink, summary)
                announce(window.source, present_state(scores, runtime))
            for entry in batch:
                if isinstance(entry, Ended):
                    _finish(trackers[entry.source], teller, sink, summary)
        for tracker in trackers.values():
            _finish(tracker, teller, sink, summary)
        summary.num_dropped = cameras.num_dropped
    return summary


class Teller:
    """Makes alerts of events, with a sequence in each."""

    def __init__(self, runtime: Runtime) -> None:
        bundle = runtime.bundle
        self._model = Model(name=bundle.name, sha256=bundle.sha256, provider=runtime.provider)
        self._sequences: dict[str, Iterator[int]] = {}

    def alert(self, event: Event) -> Alert:
        """The alert that tells of this step of an event."""
        peak, identity = event.peak, alert_id(event.source, event.started_at)
        sequence = next(self._sequences.setdefault(identity, iter(range(1_000_000))))
        if event.kind == "end":
            del self._sequences[identity]
        parts = {
            name: Modality(present=own.present, score=own.score, contribution=own.contribution)
            for name, own in peak.modalities.items()
        }
        ended = None if event.ended_seconds is None else peak.origin + timedelta(seconds=event.ended_seconds)
        return Alert(
            version=1,
            id=identity,
            sequence=sequence,
            kind=event.kind,
            source=event.source,
            label=event.label,
            score=peak.anomaly,
            threshold=peak.threshold,
            started_at=event.started_at,
            ended_at=ended,
            peak_at=peak.origin + timedelta(seconds=peak.start_seconds),
            modalities=Modalities(**parts),
            text=peak.text or None,
            model=self._model,
            latency_seconds=max(0.0, time.monotonic() - event.closed_at),
            evidence=None,
        )


def present_state(scores: Scores, runtime: Runtime) -> dict[str, str | float]:
    """What a subscriber may ask of a source at any time: whether all is normal, by which score, and when."""
    at = scores.origin + timedelta(seconds=scores.end_seconds)
    return {
        "state": "anomaly" if scores.is_anomaly else "normal",
        "label": scores.label if scores.is_anomaly else "normal",
        "score": round(scores.anomaly, 4),
        "threshold": round(scores.threshold, 4),
        "at": rfc3339(at),
        "provider": runtime.provider,
        "latency_seconds": round(time.monotonic() - scores.closed_at, 4),
    }


def _send(event: Event, teller: Teller, sink: Sink, summary: Summary) -> None:
    if event.kind == "begin":
        summary.num_events[event.source] += 1
    sink(teller.alert(event))


def _finish(tracker: EventTracker, teller: Teller, sink: Sink, summary: Summary) -> None:
    for event in tracker.finish():
        _send(event, teller, sink, summary)
