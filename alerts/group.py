"""A consumer group: each alert to one consumer, until one has acknowledged it."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import redis
from redis.typing import EncodableT, FieldT

from alerts import keys
from alerts.alert import Alert
from alerts.errors import AlertFormatError
from alerts.link import BLOCK_MS, Entry, Link, T, entries, read_alert

_log = logging.getLogger(__name__)


def create_group(server: redis.Redis, group: str, start: str) -> None:
    """Makes the group, unless it exists.

    Args:
        server: Where.
        group: Its name.
        start: Id of the last entry it shall not get; `$` for the newest.

    Raises:
        redis.RedisError: Redis is away or refuses.
    """
    try:
        server.xgroup_create(keys.STREAM, group, start, mkstream=True)
    except redis.ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


def dismiss_gone(server: redis.Redis, group: str, seconds: float = keys.GONE_SECONDS) -> None:
    """Removes consumers that have long been away and owe nothing: most never come back under the same name.

    Args:
        server: Where.
        group: Its name.
        seconds: So long ago they asked for the last time; one that lives asks twice a second.

    Raises:
        redis.RedisError: Redis is away or refuses.
    """
    for consumer in server.xinfo_consumers(keys.STREAM, group):
        if consumer["pending"] == 0 and consumer["idle"] > seconds * 1000:
            server.xgroup_delconsumer(keys.STREAM, group, consumer["name"])


def shared(link: Link, group: str, consumer: str) -> Iterator[Alert]:
    """This consumer's alerts; each is acknowledged when the next one is asked for."""
    member = Member(link, group, consumer)
    with link.client:
        for entry_id, fields in member.deliveries():
            try:
                alert = read_alert(fields)
            except AlertFormatError as error:
                member.bury(entry_id, fields, str(error))
                continue
            yield alert
            member.acknowledge(entry_id)


class Member:
    """One consumer of a group.

    Entries are taken one at a time. Those of a batch would count as delivered, and grow stale, while the first of
    them is still being handled; and a consumer that brings itself down would bury its innocent neighbours.
    """

    def __init__(self, link: Link, group: str, consumer: str) -> None:
        self._link = link
        self._group = group
        self._consumer = consumer

    def deliveries(self) -> Iterator[Entry]:
        """Own ones left by an earlier run, stale ones of others, and new ones, until stopped."""
        claim_at = time.monotonic()
        while not self._link.stopped():
            if time.monotonic() >= claim_at and not self._claim():
                claim_at = time.monotonic() + keys.CLAIM_EVERY_SECONDS
            yield from self._own()
            yield from self._new()

    def acknowledge(self, entry_id: bytes) -> None:
        """Says that the entry is dealt with."""
        self._link.ask(lambda server: server.xack(keys.STREAM, self._group, entry_id))

    def bury(self, entry_id: bytes, fields: dict[bytes, bytes], reason: str) -> None:
        """Moves the entry to the dead letters."""
        _log.warning("redis: entry %s goes to %s: %s", entry_id.decode(), keys.DEAD, reason)
        letter: dict[FieldT, EncodableT] = {"entry": entry_id, "group": self._group, "reason": reason}
        letter.update(fields.items())

        self._link.ask(
            lambda server: server.xadd(keys.DEAD, letter, maxlen=keys.STREAM_LENGTH, approximate=True), keys.DEAD
        )
        self.acknowledge(entry_id)  # not in one transaction: in a cluster they may be on different nodes

    def _own(self) -> Iterator[Entry]:
        """What is delivered to this consumer and not acknowledged; each time counts as another delivery."""
        last = "0"
        while found := self._read(last):
            ((entry_id, fields),) = found
            last = entry_id.decode()
            if not fields:
                self.acknowledge(entry_id)
            elif self._num_deliveries(entry_id) > keys.MOST_DELIVERIES:
                self.bury(entry_id, fields, f"delivered {keys.MOST_DELIVERIES} times and never acknowledged")
            else:
                yield entry_id, fields

    def _read(self, after: str) -> list[Entry]:
        """The next entry after this id, if any, of this consumer's own ones."""
        group, consumer = self._group, self._consumer
        return entries(self._ask(lambda server: server.xreadgroup(group, consumer, {keys.STREAM: after}, count=1)))

    def _new(self) -> list[Entry]:
        """The next entry that no consumer has got, if one comes.

        Redis is asked once. An answer that was lost on its way may have held one: it is this consumer's own since
        then, and comes before the next.
        """
        was_asked = False

        def read(server: redis.Redis) -> Any:
            nonlocal was_asked
            if was_asked:
                server.ping()
                return []
            was_asked = True
            return server.xreadgroup(self._group, self._consumer, {keys.STREAM: ">"}, count=1, block=BLOCK_MS)

        return entries(self._ask(read))

    def _claim(self) -> bool:
        """Makes one entry that someone left unacknowledged this consumer's own; false if there is none."""
        idle_ms = keys.CLAIM_IDLE_SECONDS * 1000
        group, consumer = self._group, self._consumer
        return bool(
            self._ask(lambda server: server.xautoclaim(keys.STREAM, group, consumer, idle_ms, count=1, justid=True))
        )

    def _num_deliveries(self, entry_id: bytes) -> int:
        found = self._ask(lambda server: server.xpending_range(keys.STREAM, self._group, entry_id, entry_id, 1))
        return int(found[0]["times_delivered"]) if found else 0

    def _ask(self, call: Callable[[redis.Redis], T]) -> T | None:
        """The answer. A group that is gone, with the stream or with all of a Redis that keeps nothing, is made anew."""

        def asked(server: redis.Redis) -> T:
            try:
                return call(server)
            except redis.ResponseError as error:
                if not str(error).startswith(("NOGROUP", "UNBLOCKED")):
                    raise
                create_group(server, self._group, "0")
                return call(server)

        return self._link.ask(asked)
