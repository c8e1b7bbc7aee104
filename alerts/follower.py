"""A reader of its own: every alert, and where it was."""

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import redis

from alerts import keys
from alerts.alert import Alert
from alerts.errors import AlertFormatError
from alerts.link import BLOCK_MS, Link, as_text, entries, read_alert

_log = logging.getLogger(__name__)


def newest(server: redis.Redis) -> str:
    """Id of the newest entry."""
    found = server.xrevrange(keys.STREAM, count=1)
    return as_text(found[0][0] or b"0-0") if found else "0-0"


def kept(server: redis.Redis, name: str, first: str) -> str:
    """The place of the reader of this name: the entry it was done with last, or, for a new one, `first`."""
    server.hsetnx(keys.READERS, name, first)
    return as_text(server.hget(keys.READERS, name) or first)


def followed(link: Link, last: str, name: str | None) -> Iterator[Alert]:
    """Everything after an entry.

    Args:
        link: Where.
        last: Id of the entry.
        name: Keep under this name how far the reader has come: past each alert when it asks for the next one.
    """
    num_skipped = 0
    with link.client:
        while not link.stopped():
            found = entries(link.ask(partial(_after, last)))
            if not found:
                last = _rewound(last, link.ask(newest) or last)
            for entry_id, fields in found:
                last = as_text(entry_id)
                try:
                    yield read_alert(fields)
                except AlertFormatError as error:
                    num_skipped += 1
                    _log.warning("%s; entry %s skipped, %d so far", error, last, num_skipped)
                if name is not None:
                    link.ask(partial(_keep, name, last), keys.READERS)


def _after(last: str, server: redis.Redis) -> Any:
    return server.xread({keys.STREAM: last}, count=keys.BATCH, block=BLOCK_MS)


def _keep(name: str, last: str, server: redis.Redis) -> None:
    server.hset(keys.READERS, name, last)


def _rewound(last: str, newest: str) -> str:
    """Where to go on: ids are times of the server, and one that was emptied or replaced may be behind."""
    if _order(newest) >= _order(last):
        return last
    return f"{max(0, _order(newest)[0] - keys.REWIND_SECONDS * 1000)}-0"


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
