"""The other end: alerts as they come, for one reader or shared out to a group; and the present states."""

import logging
import os
import socket
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import redis

from alerts import keys
from alerts.alert import Alert
from alerts.complaint import Client, complaint
from alerts.connect import connect, default_state, node
from alerts.errors import AlertFormatError, BrokerError
from alerts.group import create_group, shared
from alerts.link import BLOCK_MS, Link, entries, read_alert

_log = logging.getLogger(__name__)


def never() -> bool:
    """For who does not stop."""
    return False


def subscribe(
    url: str | None = None,
    *,
    group: str | None = None,
    consumer: str | None = None,
    state: Path | None = None,
    from_start: bool = False,
    stopped: Callable[[], bool] = never,
) -> Iterator[Alert]:
    """Alerts as they come. A Redis that goes away is waited for, and nothing that comes meanwhile is missed.

    Args:
        url: `redis://`, `rediss://` or `unix://`; none means the embedded server.
        group: Share the alerts with all consumers of this group: each goes to one of them, and again, to any, until
            one acknowledges it by asking for the next. Without it, this reader gets all.
        consumer: Name within the group, unique in it; none means host and process.
        state: The state folder; none means `default_state()`.
        from_start: Begin with the oldest alert that Redis has, not with the next one. A group that exists goes on
            where it was.
        stopped: Asked about twice a second; the alerts end when it says so.

    Raises:
        BrokerError: Redis is not there at the start, or refuses at any time.
    """
    client = connect(url, state or default_state())
    link = Link(client, stopped)
    try:
        server = node(client, keys.STREAM)
        if group is None:
            return _followed(link, "0-0" if from_start else _newest(server))
        create_group(server, group, "0" if from_start else "$")
    except redis.RedisError as error:
        client.close()
        raise BrokerError(complaint(client, error)) from None
    return shared(link, group, consumer or f"{socket.gethostname()}-{os.getpid()}")


def distinct(alerts: Iterable[Alert]) -> Iterator[Alert]:
    """Drops what came before: an alert sent, or delivered, again after a failure."""
    seen: OrderedDict[tuple[str, int], None] = OrderedDict()
    for alert in alerts:
        step = (alert.id, alert.sequence)
        if step in seen:
            continue
        seen[step] = None
        if len(seen) > keys.REMEMBERED:
            seen.popitem(last=False)
        yield alert


def states(client: Client) -> dict[str, dict[str, str]]:
    """The present state of every source that is being watched, by its name.

    Raises:
        BrokerError: Redis does not answer.
    """
    try:
        names = sorted(client.scan_iter(keys.STATE + "*", count=1000, _type="hash"))
        pipeline = client.pipeline(transaction=False)
        for name in names:
            pipeline.hgetall(name)
        hashes = pipeline.execute()
    except redis.RedisError as error:
        raise BrokerError(complaint(client, error)) from None
    return {
        _text(name).removeprefix(keys.STATE): {_text(field): _text(value) for field, value in found.items()}
        for name, found in zip(names, hashes, strict=True)
        if found  # empty if it ended in between
    }


def _newest(server: redis.Redis) -> str:
    newest = server.xrevrange(keys.STREAM, count=1)
    return _text(newest[0][0] or b"0-0") if newest else "0-0"


def _followed(link: Link, last: str) -> Iterator[Alert]:
    """Everything after the entry `last`."""
    num_skipped = 0
    with link.client:
        while not link.stopped():
            for entry_id, fields in entries(link.ask(partial(_after, last))):
                last = _text(entry_id)
                try:
                    alert = read_alert(fields)
                except AlertFormatError as error:
                    num_skipped += 1
                    _log.warning("%s; entry %s skipped, %d so far", error, last, num_skipped)
                    continue
                yield alert


def _after(last: str, server: redis.Redis) -> Any:
    return server.xread({keys.STREAM: last}, count=keys.BATCH, block=BLOCK_MS)


def _text(data: bytes | str) -> str:
    return data if isinstance(data, str) else data.decode(errors="replace")
