"""The other end: alerts as they come, for one reader or shared out to a group; and the present states."""

import asyncio
import os
import socket
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypedDict, Unpack

from redis.exceptions import NoPermissionError

from alerts import keys
from alerts.alert import Alert
from alerts.complaint import FAILURES, Client, complaint
from alerts.connect import connect, default_state, node
from alerts.errors import BrokerError, SubscriberError
from alerts.follower import followed, kept, newest
from alerts.group import create_group, dismiss_gone, shared
from alerts.link import Link, as_text


class Options(TypedDict, total=False):
    """How to subscribe. All may be left out."""

    group: str | None
    """Share the alerts with all consumers of this group: each goes to one of them, and again, to any, until one
    acknowledges it by asking for the next. Without it, this reader gets all."""
    consumer: str | None
    """Name within the group, unique in it; none means host and process."""
    resume: str | None
    """Name of this reader, without a group: it goes on after the last alert that it was done with, that is, after which
    it asked for the next. Redis keeps the place."""
    from_start: bool
    """Begin with the oldest alert that Redis has, not with the next one. A group or a reader with a name that has begun
    goes on where it was."""
    repeats: bool
    """Also give alerts that came before, sent or delivered again after a failure: the same id and sequence."""
    state: Path | None
    """The state folder; none means `default_state()`."""


def never() -> bool:
    """For who does not stop."""
    return False


def subscribe(
    url: str | None = None, *, stopped: Callable[[], bool] = never, **options: Unpack[Options]
) -> Iterator[Alert]:
    """Alerts as they come. A Redis that goes away is waited for, and nothing that comes meanwhile is missed.

    Args:
        url: As `alerts.connect.from_url` takes it; none means the embedded server.
        stopped: Asked about twice a second; the alerts end when it says so.
        options: See `Options`.

    Raises:
        BrokerError: Redis is not there at the start, or refuses at any time.
        SubscriberError: a reader of a group wants a place of its own.
    """
    group, resume = options.get("group"), options.get("resume")
    if group is not None and resume is not None:
        raise SubscriberError("subscribe: group and resume: a group goes on where it was by itself; leave one out")
    client = connect(url, options.get("state") or default_state())
    link = Link(client, stopped)
    try:
        alerts = _followed(link, resume, options) if group is None else _shared(link, group, options)
    except FAILURES as error:
        client.close()
        raise BrokerError(complaint(client, error)) from None
    return alerts if options.get("repeats") else distinct(alerts)


async def asubscribe(url: str | None = None, **options: Unpack[Options]) -> AsyncIterator[Alert]:
    """Alerts as they come, for asyncio: `subscribe` on a thread of its own, which ends when the iteration does.

    Args:
        url: As `alerts.connect.from_url` takes it; none means the embedded server.
        options: See `Options`. The subscription begins when the first alert is asked for.

    Raises:
        BrokerError: Redis is not there at the start, or refuses at any time.
        SubscriberError: a reader of a group wants a place of its own.
    """
    stopped = threading.Event()

    def alerts() -> Generator[Alert, None, None]:
        yield from subscribe(url, stopped=stopped.is_set, **options)

    source = alerts()
    thread = ThreadPoolExecutor(1, thread_name_prefix="subscriber")
    loop = asyncio.get_running_loop()
    try:
        while (alert := await loop.run_in_executor(thread, next, source, None)) is not None:
            yield alert
    finally:
        stopped.set()
        closed = loop.run_in_executor(thread, source.close)  # after the read that is under way: half a second at most
        thread.shutdown(wait=False)
        await closed


def _followed(link: Link, resume: str | None, options: Options) -> Iterator[Alert]:
    first = "0-0" if options.get("from_start") else newest(node(link.client, keys.STREAM))
    last = first if resume is None else kept(node(link.client, keys.READERS), resume, first)
    return followed(link, last, resume)


def _shared(link: Link, group: str, options: Options) -> Iterator[Alert]:
    server = node(link.client, keys.STREAM)
    create_group(server, group, "0" if options.get("from_start") else "$")
    with suppress(NoPermissionError):  # a tidy group is not worth a right more
        dismiss_gone(server, group)
    return shared(link, group, options.get("consumer") or f"{socket.gethostname()}-{os.getpid()}")


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
    except FAILURES as error:
        raise BrokerError(complaint(client, error)) from None
    return {
        as_text(name).removeprefix(keys.STATE): {as_text(field): as_text(value) for field, value in found.items()}
        for name, found in zip(names, hashes, strict=True)
        if found  # empty if it ended in between
    }
