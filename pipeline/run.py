"""`heed watch`: sources to windows to scores to events to alerts."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from alerts.alert import Alert, Modalities, Modality, Model, alert_id
from export.runtime import Runtime
from pipeline.camera import Cameras, OnState
from pipeline.config import Config
from pipeline.event import Event, EventTracker
from pipeline.exhibit import Kept
from pipeline.intake import Broken, Entry, Note
from pipeline.live import SourceState
from pipeline.present import Announce, Present
from pipeline.route import Router
from pipeline.score import Scorer, Scores
from pipeline.telemetry import Telemetry, camera_figures
from pipeline.window import Window
from pipeline.witness import Witness

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
    saved: dict[str, float] = field(default_factory=dict)
    """Share of encoder runs that routing found not needed; none for a source without windows, or unrouted."""
    failed: dict[str, str] = field(default_factory=dict)
    """Sources that were given up, and why."""

    def note_state(self, source: str, state: SourceState) -> None:
        """How a source is now."""
        if state.status == "failed":
            self.failed[source] = state.reason

    def finish(self, num_dropped: Mapping[str, int], router: Router | None) -> None:
        """What is known when all is over."""
        self.num_dropped = dict(num_dropped)
        if router is not None:
            shares = {source: router.saved(source=source) for source in num_dropped}
            self.saved = {source: share for source, share in shares.items() if share is not None}


def watch(
    config: Config,
    runtime: Runtime,
    sink: Sink,
    stopped: threading.Event,
    *,
    announce: Announce = lambda _source, _state: None,
    observe: Observe = lambda _window, _scores: None,
    on_state: OnState = lambda _source, _state: None,
    added: Callable[[Entry], Entry] = lambda entry: entry,
    telemetry: Telemetry | None = None,
    evidence: Path | None = None,
) -> Summary:
    """Watches the configured sources until all have ended or `stopped` is set.

    Args:
        config: sources, engine, events.
        runtime: the model.
        sink: gets every alert, in order for each event.
        stopped: set it to end.
        announce: gets every source's present state, window by window, with every change and every 20 s.
        observe: sees every window.
        on_state: told how sources are.
        added: gives a window with what is to be judged besides.
        telemetry: counts all that.
        evidence: folder for clips and snapshots; none: none are kept.
    """
    summary, counted = Summary(), telemetry or Telemetry()
    counted.note_start(config.engine.provider, runtime, [source.name for source in config.source])

    def note_state(source: str, state: SourceState) -> None:
        summary.note_state(source, state)
        present.note_state(source, state)
        counted.note_state(source, state)
        on_state(source, state)

    router = Router(config.route, config.event) if config.route.enabled else None
    cameras = Cameras(config, runtime.spec, note_state, evidence)
    witness = Witness(config.evidence, cameras.record if evidence else None, counted.timed(sink))
    scorer, warner = _scorer(config, runtime, router), Warner(config, runtime, witness, summary)
    counted.look_at(partial(camera_figures, cameras))
    ran_on = {"provider": runtime.provider, "precision": runtime.precision}
    present = Present([source.name for source in config.source], ran_on, cameras.num_dropped, announce)
    with present, cameras:
        batches = (list(map(added, batch)) for batch in cameras.batches(stopped))
        for window, scores in scored(batches, scorer, warner.note):
            counted.note_scores(scores)
            observe(window, scores)
            warner.push(scores)
            present.note_scores(scores)
        warner.finish_all()
        summary.finish(cameras.num_dropped, router)
    return summary


def scored(
    batches: Iterable[Sequence[Entry]], scorer: Scorer, noted: Callable[[Note], None]
) -> Iterator[tuple[Window, Scores]]:
    """Every window with its scores, in the order they came; tells in its turn what else came."""
    for batch in batches:
        windows = [entry for entry in batch if isinstance(entry, Window)]
        scores = iter(scorer.score(windows) if windows else [])
        for entry in batch:
            if isinstance(entry, Window):
                yield entry, next(scores)
            else:
                noted(entry)


def _scorer(config: Config, runtime: Runtime, router: Router | None) -> Scorer:
    thresholds = {source.name: source.threshold for source in config.source if source.threshold is not None}
    return Scorer(runtime, thresholds, router=router)


class Warner:
    """Scores of all sources to events to alerts, counted in the summary."""

    def __init__(self, config: Config, runtime: Runtime, witness: Witness, summary: Summary) -> None:
        self._trackers = {source.name: EventTracker(config.event) for source in config.source}
        self._teller = Teller(runtime)
        self._witness, self._summary = witness, summary

    def push(self, scores: Scores) -> None:
        """The next window of a source has been judged."""
        self._summary.num_windows[scores.source] += 1
        self._send(self._trackers[scores.source].push(scores))
        self._witness.look()

    def note(self, note: Note) -> None:
        """Evidence was kept, or no window follows on the source's last: its open event ends."""
        if isinstance(note, Kept):
            self._witness.note(note)
            return
        self._send(self._trackers[note.source].finish())
        if isinstance(note, Broken):
            self._witness.judged(note.source)
        else:
            self._witness.close(note.source)
        self._witness.look()

    def finish_all(self) -> None:
        """No window follows on any."""
        for tracker in self._trackers.values():
            self._send(tracker.finish())
        self._witness.close()

    def _send(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind == "begin":
                self._summary.num_events[event.source] += 1
            self._witness.push(event, self._teller.alert(event))


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
