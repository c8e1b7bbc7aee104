"""`heed watch`: sources to windows to scores to events to alerts."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from alerts.alert import Alert, Modalities, Modality, Model, alert_id
from export.runtime import Runtime
from pipeline.camera import Cameras, OnState
from pipeline.config import Config
from pipeline.event import Event, EventTracker
from pipeline.live import SourceState
from pipeline.present import Announce, Present
from pipeline.score import Scorer, Scores
from pipeline.window import Window

Sink = Callable[[Alert], None]
"""Takes charge of an alert."""
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
        announce: gets every source's present state, window by window, with every change and every 20 s.
        observe: sees every window.
        on_state: told how sources are.
    """
    summary = Summary()

    def note_state(source: str, state: SourceState) -> None:
        if state.status == "failed":
            summary.failed[source] = state.reason
        present.note_state(source, state)
        on_state(source, state)

    thresholds = {source.name: source.threshold for source in config.source if source.threshold is not None}
    scorer = Scorer(runtime, thresholds)
    trackers = {source.name: EventTracker(config.event) for source in config.source}
    teller = Teller(runtime)
    cameras = Cameras(config, runtime.spec, note_state)
    present = Present([source.name for source in config.source], runtime.provider, cameras.num_dropped, announce)
    with present, cameras:
        for batch in cameras.batches(stopped):
            windows = [entry for entry in batch if isinstance(entry, Window)]
            judged = iter(scorer.score(windows) if windows else [])
            for entry in batch:
                if not isinstance(entry, Window):
                    _finish(trackers[entry.source], teller, sink, summary)
                    continue
                scores = next(judged)
                summary.num_windows[entry.source] += 1
                observe(entry, scores)
                for event in trackers[entry.source].push(scores):
                    _send(event, teller, sink, summary)
                present.note_scores(scores)
        for tracker in trackers.values():
            _finish(tracker, teller, sink, summary)
        summary.num_dropped = dict(cameras.num_dropped)
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


def _send(event: Event, teller: Teller, sink: Sink, summary: Summary) -> None:
    if event.kind == "begin":
        summary.num_events[event.source] += 1
    sink(teller.alert(event))


def _finish(tracker: EventTracker, teller: Teller, sink: Sink, summary: Summary) -> None:
    for event in tracker.finish():
        _send(event, teller, sink, summary)
