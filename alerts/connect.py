"""The way to Redis: a named one, or the embedded one; and what Redis says, in our words."""

import os
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from alerts import keys
from alerts.embedded import open_embedded
from alerts.errors import BrokerError

_OPTIONS: Final[dict[str, Any]] = {
    "socket_timeout": keys.SOCKET_SECONDS,
    "socket_connect_timeout": keys.SOCKET_SECONDS,
    "retry": Retry(NoBackoff(), 0),
    "protocol": 2,  # replies of the same shape from redis-py 5 to 8
}
_FIXED: Final = {"protocol", "decode_responses", "legacy_responses"}
"""Options that a URL may not set: they change what replies look like."""


def default_state() -> Path:
    """The state folder: `$HEED_STATE`, else `heed` in the user's XDG state folder."""
    if named := os.environ.get("HEED_STATE"):
        return Path(named)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "heed"


def connect(url: str | None, state: Path) -> redis.Redis:
    """A client of a Redis that answers. Close it: an embedded server runs until its last user has left.

    Args:
        url: `redis://`, `rediss://` or `unix://`; none means the embedded server.
        state: The state folder; the embedded server lives in its `redis/`.

    Raises:
        BrokerError: the URL is wrong, or Redis is not there, refuses or does not start.
    """
    client = open_embedded(state / "redis", _OPTIONS) if url is None else from_url(url)
    try:
        client.ping()
    except redis.RedisError as error:
        client.close()
        raise BrokerError(f"{complaint(client, error)}; {_remedy(error)}") from None
    return client


def from_url(url: str) -> redis.Redis:
    """A client with our timeouts, not connected yet.

    Raises:
        BrokerError: it is not a URL of a Redis.
    """
    try:
        if _FIXED & parse_qs(urlsplit(url).query).keys():
            raise ValueError
        client = redis.Redis.from_url(url, **_OPTIONS)
        client.connection_pool.make_connection()  # an unknown option of the URL comes out here
    except (ValueError, TypeError, redis.RedisError):
        raise BrokerError("redis: not a Redis URL; write redis://host:6379/0, rediss://… or unix:///path") from None
    return client


def place(client: redis.Redis) -> str:
    """Where the client connects to, without user and password."""
    options = client.get_connection_kwargs()
    if path := options.get("path"):
        return str(path)
    host = options.get("host", "localhost")
    return f"{f'[{host}]' if ':' in host else host}:{options.get('port', 6379)}/{options.get('db', 0)}"


def complaint(client: redis.Redis, error: redis.RedisError) -> str:
    """What failed, and where, on one line; never a password."""
    return f"redis: {place(client)}: {_reason(error, client.get_connection_kwargs())}"


def _remedy(error: redis.RedisError) -> str:
    match error:
        case redis.AuthenticationError():
            return "correct the URL"
        case redis.BusyLoadingError():
            return "try again in a moment"
        case redis.ConnectionError() | redis.TimeoutError():
            return "start it or leave --redis out"
        case _:
            return "correct the URL"


def _reason(error: redis.RedisError, options: dict[str, Any]) -> str:
    cause = error.__context__
    match error:
        case redis.AuthenticationError():
            return "user or password refused"
        case redis.BusyLoadingError():
            return "still loading its data"
        case redis.TimeoutError():
            return f"no answer within {options['socket_timeout']:g} s"
    if isinstance(cause, ssl.SSLError):
        return f"no TLS: {cause.reason or 'refused'}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    text = str(error).rpartition(" of pipeline caused error: ")[2]  # before it, the command: with the words of an alert
    said = " ".join(text.split())[:120].rstrip(".") or type(error).__name__
    password = options.get("password")
    return said.replace(password, "***") if password else said
