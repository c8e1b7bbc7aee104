"""What sources announce of themselves in Redis, window by window."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Self

from alerts.connect import from_url
from alerts.errors import BrokerError
from alerts.subscriber import states

_POLL_SECONDS: Final = 0.05
Stretch = list["Announced"]
"""Windows that follow each other without a hole."""


@dataclass(frozen=True, slots=True)
class Announced:
    """One window of a source."""

    at: datetime
    """UTC at its end."""
    is_anomaly: bool
    """What the engine made of it."""


class Announcements:
    """Follows `heed:state:*` from a thread. A context manager."""

    def __init__(self, url: str) -> None:
        self._client = from_url(url)
        self._windows: defaultdict[str, list[Announced]] = defaultdict(list)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)
        self._client.close()

    def stretches(self, source: str, stride_seconds: float) -> Iterator[Stretch]:
        """Runs of the source's windows of which none was missed."""
        stretch: Stretch = []
        longest = timedelta(seconds=1.5 * stride_seconds)
        for window in self._windows[source]:
            if stretch and not timedelta(0) < window.at - stretch[-1].at < longest:
                yield stretch
                stretch = []
            stretch.append(window)
        if stretch:
            yield stretch

    def _follow(self) -> None:
        while not self._stop.wait(_POLL_SECONDS):
            with suppress(BrokerError):
                for source, state in states(self._client).items():
                    self._note(source, state)

    def _note(self, source: str, state: dict[str, str]) -> None:
        if "at" not in state:
            return  # a source that has given no window yet
        window = Announced(datetime.fromisoformat(state["at"]), state["state"] == "anomaly")
        known = self._windows[source]
        if not known or known[-1] != window:
            known.append(window)


def confirmed(stretch: Stretch) -> Iterator[tuple[datetime, datetime]]:
    """From where to where a stretch was anomalous for two windows or more: times when an event must have been told."""
    runs: list[Stretch] = [[]]
    for before, window in pairwise([*stretch[:1], *stretch]):
        if before.is_anomaly != window.is_anomaly:
            runs.append([])
        runs[-1].append(window)
    for run in runs:
        if len(run) >= 2 and run[0].is_anomaly:
            yield run[0].at, run[-1].at
