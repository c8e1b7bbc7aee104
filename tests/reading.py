"""What tests of the subscribers share: alerts to read, and ways to read them."""

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any, Self

from conftest import RedisServer, make_alert

from alerts import keys
from alerts.alert import Alert
from alerts.subscriber import subscribe


def send(server: RedisServer, *numbers: int) -> list[bytes]:
    """Adds these alerts to the stream; returns the entries' ids."""
    return [server.client.xadd(keys.STREAM, {"alert": make_alert(number).to_json()}) for number in numbers]


def first(count: int, alerts: Iterator[Alert]) -> list[int]:
    """The sequence numbers of so many alerts, without asking for one more."""
    return [alert.sequence for alert in islice(alerts, count)]


class Reader:
    """A subscriber on a thread: what it got so far is in `numbers`."""

    def __init__(self, url: str, **options: Any) -> None:
        self.numbers: list[int] = []
        self._stop = threading.Event()
        self._alerts = subscribe(url, stopped=self._stop.is_set, **options)
        self._thread = threading.Thread(target=self._read)

    def _read(self) -> None:
        for alert in self._alerts:
            self.numbers.append(alert.sequence)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
