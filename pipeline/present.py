"""How every source is now, for who asks: announced with every change, and again and again, for an answer expires."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self

from alerts.alert import rfc3339
from pipeline.live import SourceState
from pipeline.score import Scores

REFRESH_SECONDS: Final = 20.0
"""Between two announcements of a source that nothing happens to: a third of the time that Redis keeps them."""
_JUDGED: Final = frozenset({"running", "ended"})
"""A source that is in no such status is not judged: what its last window said is no news of it."""

Announce = Callable[[str, Mapping[str, str | float]], None]
"""Makes this the present state of a source."""


class Present:
    """The present state of every source. A context manager, within which it is announced. Safe for several threads."""

    def __init__(
        self,
        sources: Iterable[str],
        ran_on: Mapping[str, str],
        num_dropped: Mapping[str, int],
        announce: Announce,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """All sources are starting.

        Args:
            sources: their names.
            ran_on: the provider and precision of the model.
            num_dropped: windows that each source lost so far; looked at with every announcement.
            announce: called from any thread.
            refresh_seconds: how often all are announced again.
        """
        starting = SourceState("starting", "", datetime.now(UTC))
        self._states = dict.fromkeys(sources, starting)
        self._judgements: dict[str, dict[str, str | float]] = {}
        self._ran_on, self._num_dropped, self._announce = ran_on, num_dropped, announce
        self._refresh_seconds = refresh_seconds
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._refresher = threading.Thread(target=self._refresh, name="present", daemon=True)

    def __enter__(self) -> Self:
        self._tell_all()
        self._refresher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._refresher.join()

    def note_state(self, source: str, state: SourceState) -> None:
        """The source is so from now on; it is since the first time that it was told so in a row."""
        with self._lock:
            before = self._states[source]
            self._states[source] = replace(state, since=before.since) if state.status == before.status else state
            if state.status not in _JUDGED:
                self._judgements.pop(source, None)
            self._tell(source)

    def note_scores(self, scores: Scores) -> None:
        """What the model thinks of the source's latest window."""
        judgement = {**judged(scores), **self._ran_on}
        with self._lock:
            self._judgements[scores.source] = judgement
            self._tell(scores.source)

    def _refresh(self) -> None:
        while not self._over.wait(self._refresh_seconds):
            self._tell_all()

    def _tell_all(self) -> None:
        with self._lock:
            for source in self._states:
                self._tell(source)

    def _tell(self, source: str) -> None:
        state = self._states[source]
        judgement = self._judgements.get(source, {}) if state.status in _JUDGED else {}
        about: dict[str, str | float] = {
            "state": "unknown",
            **judgement,
            "status": state.status,
            "reason": state.reason,
            "since": rfc3339(state.since),
            "dropped": self._num_dropped[source],
        }
        self._announce(source, about)


def trace(scores: Scores) -> dict[str, str | float]:
    """What was thought of one window, for a line of many: all together, and each sense alone where it is there."""
    own = {name: modality.score for name, modality in scores.modalities.items()}
    return {
        "at": rfc3339(scores.origin + timedelta(seconds=scores.end_seconds)),
        "score": round(scores.anomaly, 4),
        "threshold": round(scores.threshold, 4),
        **{name: "" if score is None else round(score, 4) for name, score in own.items()},
    }


def judged(scores: Scores) -> dict[str, str | float]:
    """Whether all is normal, by which score, and when."""
    at = scores.origin + timedelta(seconds=scores.end_seconds)
    return {
        "state": "anomaly" if scores.is_anomaly else "normal",
        "label": scores.label if scores.is_anomaly else "normal",
        "score": round(scores.anomaly, 4),
        "threshold": round(scores.threshold, 4),
        "at": rfc3339(at),
        "latency_seconds": round(time.monotonic() - scores.closed_at, 4),
    }
