"""What all readers share: a client that outlasts Redis, and the entries of the stream."""

import logging
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

import redis

from alerts import keys
from alerts.alert import Alert
from alerts.complaint import FAILURES, Client, complaint, is_passing
from alerts.connect import node, refresh
from alerts.errors import AlertFormatError, BrokerError

_log = logging.getLogger(__name__)
T = TypeVar("T")

Entry = tuple[bytes, dict[bytes, bytes]]
"""Id and fields of a stream entry; no fields if the stream was cut since the entry was delivered."""

BLOCK_MS: Final = round(keys.BLOCK_SECONDS * 1000)


class Link:
    """A client that waits for Redis to come back."""

    def __init__(self, client: Client, stopped: Callable[[], bool]) -> None:
        self.client = client
        self.stopped = stopped

    def ask(self, call: Callable[[redis.Redis], T], key: str = keys.STREAM) -> T | None:
        """What Redis answers, tried until it does; none if stopped before.

        Args:
            call: Asks the server it is given.
            key: What it is about.

        Raises:
            BrokerError: Redis refuses: it would again.
        """
        pause = keys.FIRST_PAUSE_SECONDS
        failures = 0
        while True:
            try:
                answer = call(node(self.client, key))
            except FAILURES as error:
                if not is_passing(error):
                    raise BrokerError(complaint(self.client, error)) from None
                failures += 1
                if failures == keys.QUIET_FAILURES + 1:
                    _log.warning("%s; trying again", complaint(self.client, error))
                refresh(self.client)
            else:
                if failures > keys.QUIET_FAILURES:
                    _log.warning("redis: back after %d failed attempts", failures)
                return answer
            if self._has_stopped_within(pause):
                return None
            pause = min(2 * pause, keys.LONGEST_PAUSE_SECONDS)

    def _has_stopped_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not self.stopped():
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, keys.BLOCK_SECONDS))
        return True


def entries(reply: Any) -> list[Entry]:
    """The entries in the answer to a read of the one stream; none came if there is no answer."""
    return list(reply[0][1]) if reply else []


def as_text(data: bytes | str) -> str:
    """What Redis holds, as text."""
    return data if isinstance(data, str) else data.decode(errors="replace")


def read_alert(fields: dict[bytes, bytes]) -> Alert:
    """The alert in an entry.

    Raises:
        AlertFormatError: there is none, or it is malformed.
    """
    if keys.FIELD.encode() not in fields:
        raise AlertFormatError(f"alert: no field {keys.FIELD!r} in the entry")
    return Alert.from_json(fields[keys.FIELD.encode()])
