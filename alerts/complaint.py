"""What Redis says, in our words; and whether it will pass."""

import ssl
from typing import Any, Final

import redis
from redis.exceptions import OutOfMemoryError, RedisClusterException, TryAgainError
from redis.sentinel import MasterNotFoundError, SentinelConnectionPool

Client = redis.Redis | redis.RedisCluster
"""A server, the master that Sentinel names, or a cluster."""
Failure = redis.RedisError | RedisClusterException
"""What redis-py raises; that of a cluster is no `RedisError`."""
FAILURES: Final = (redis.RedisError, RedisClusterException)

_PASSING: Final = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,
    redis.exceptions.ClusterDownError,
    RedisClusterException,
    redis.exceptions.AskError,
    TryAgainError,
    OutOfMemoryError,
)
_PASSING_CODES: Final = ("MISCONF ", "NOREPLICAS ", "BUSY ")
"""A full disk, too few replicas, a script that takes long: redis-py has no types for them."""


_SAID: Final = (
    (MasterNotFoundError, "no Sentinel knows a master"),
    (redis.AuthenticationError, "user or password refused"),
    (redis.BusyLoadingError, "still loading its data"),
    (redis.ReadOnlyError, "a replica, which takes no alerts"),
    (OutOfMemoryError, "out of memory"),
    (RedisClusterException, "no node of a cluster answers"),
)


def is_passing(error: Failure) -> bool:
    """Whether Redis may say something else in a while: it restarts, fails over, or is short of something."""
    return isinstance(error, _PASSING) or str(error).startswith(_PASSING_CODES)


def place(client: Client) -> str:
    """Where the client connects to, without user and password."""
    if isinstance(client, redis.RedisCluster):
        nodes = list(client.nodes_manager.startup_nodes.values())  # all, once one of them has told of the others
        return ",".join(sorted(f"{_in_url(node.host)}:{node.port}" for node in nodes))
    pool, options = client.connection_pool, client.get_connection_kwargs()
    if isinstance(pool, SentinelConnectionPool):
        asked = [sentinel.get_connection_kwargs() for sentinel in pool.sentinel_manager.sentinels]
        places = sorted(f"{_in_url(each['host'])}:{each['port']}" for each in asked)
        return f"{','.join(places)}/{pool.service_name}/{options.get('db', 0)}"
    if path := options.get("path"):
        return str(path)
    return f"{_in_url(options.get('host', 'localhost'))}:{options.get('port', 6379)}/{options.get('db', 0)}"


def complaint(client: Client, error: Failure) -> str:
    """What failed, and where, on one line; never a password."""
    return f"redis: {place(client)}: {reason(error, client.get_connection_kwargs())}"


def remedy(error: BaseException | None) -> str:
    """What to do about it."""
    if error is not None and isinstance(error.__context__, ssl.SSLError):
        return "name its authority in the URL, ?ssl_ca_certs=FILE"
    match error:
        case MasterNotFoundError():
            return "start one, or correct the URL"
        case redis.AuthenticationError():
            return "correct the URL"
        case redis.BusyLoadingError():
            return "try again in a moment"
        case redis.ConnectionError() | redis.TimeoutError():
            return "start it or leave --redis out"
        case _:
            return "correct the URL"


def reason(error: BaseException, options: dict[str, Any]) -> str:
    """What failed.

    Args:
        error: Of redis-py.
        options: Of the connection; its password is left out of what the server said.
    """
    cause = error.__context__
    for kind, said in _SAID:
        if isinstance(error, kind):
            return said
    if isinstance(error, redis.TimeoutError):
        seconds = options.get("socket_timeout")
        return f"no answer within {seconds:g} s" if seconds else "no answer in time"
    if isinstance(cause, ssl.SSLError):
        return f"no TLS: {(cause.reason or 'refused').replace('_', ' ').lower()}"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    text = str(error).rpartition(" of pipeline caused error: ")[2]  # before it, the command: with the words of an alert
    said = " ".join(text.split())[:120].rstrip(".") or type(error).__name__
    password = options.get("password")
    return said.replace(password, "***") if password else said


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
