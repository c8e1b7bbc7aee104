"""The way to Redis: a named server, Sentinel or cluster, or the embedded one."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import parse_url
from redis.exceptions import RedisClusterException
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from alerts import keys
from alerts.complaint import FAILURES, Client, complaint, reason, remedy
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
_PORTS: Final = {"sentinel": 26379, "cluster": 6379}
"""Ports where a URL names none."""
_LOGIN: Final = ("username", "password")


def default_state() -> Path:
    """The state folder: `$HEED_STATE`, else `heed` in the user's XDG state folder."""
    if named := os.environ.get("HEED_STATE"):
        return Path(named)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "heed"


def connect(url: str | None, state: Path) -> Client:
    """A client of a Redis that answers. Close it: an embedded server runs until its last user has left.

    Args:
        url: As `from_url` takes it; none means the embedded server.
        state: The state folder; the embedded server lives in its `redis/`.

    Raises:
        BrokerError: the URL is wrong, or Redis is not there, refuses or does not start.
    """
    client = open_embedded(state / "redis", _OPTIONS) if url is None else from_url(url)
    try:
        client.ping()
    except FAILURES as error:
        client.close()
        raise BrokerError(f"{complaint(client, error)}; {remedy(error)}") from None
    return client


def from_url(url: str) -> Client:
    """A client with our timeouts; not connected yet, except to a cluster.

    Args:
        url: `redis://`, `rediss://` (TLS) or `unix://`; `redis+sentinel://user:password@one,two/master/0` with the
            addresses of Sentinels, whose own login are the options `sentinel_username` and `sentinel_password`;
            `redis+cluster://one,two` with some of the cluster's nodes; with TLS, `rediss+sentinel://` and so on.

    Raises:
        BrokerError: it is not a URL of a Redis, or no node of the cluster answers.
    """
    try:
        parts = _split(url)
        if _FIXED & parse_qs(parts.query).keys():
            raise ValueError
        match parts.scheme.partition("+"):
            case ["redis" | "rediss", _, "sentinel"]:
                return _sentinel_master(parts)
            case ["redis" | "rediss", _, "cluster"]:
                return _cluster(parts)
            case _:
                return _server(url)
    except (ValueError, TypeError, redis.RedisError):
        raise BrokerError("redis: not a Redis URL; write redis://host:6379/0, rediss://… or unix:///path") from None


def node(client: Client, key: str) -> redis.Redis:
    """The server that has the key: of a cluster, the master that is known to have it.

    Raises:
        redis.RedisError: no node of the cluster has it.
    """
    if isinstance(client, redis.Redis):
        return client
    try:
        return client.get_redis_connection(client.get_node_from_key(key))
    except RedisClusterException:
        raise redis.exceptions.ClusterDownError("no node has the alerts") from None


def may_fail_over(client: Client) -> bool:
    """Whether another server may take over, with what it has got by then."""
    return not isinstance(client, redis.Redis) or isinstance(client.connection_pool, SentinelConnectionPool)


def has_moved(client: Client, server: redis.Redis, key: str) -> bool:
    """Whether Sentinel or the cluster know another server by now than this one, which had the key.

    Raises:
        redis.RedisError: they do not answer.
    """
    if isinstance(client, redis.Redis):
        pool = client.connection_pool
        if not isinstance(pool, SentinelConnectionPool):
            return False
        before = pool.master_address
        return bool(before != pool.get_master_address())
    refresh(client)
    before, now = server.get_connection_kwargs(), node(client, key).get_connection_kwargs()
    return (before["host"], before["port"]) != (now["host"], now["port"])


def refresh(client: Client) -> None:
    """After a failure: connects anew, as addresses may lead elsewhere, and asks a cluster who has what."""
    if isinstance(client, redis.Redis):
        client.connection_pool.disconnect(inuse_connections=False)
        return
    with suppress(*FAILURES):  # the next attempt will tell
        client.nodes_manager.initialize()


def _server(url: str) -> redis.Redis:
    client = redis.Redis.from_url(url, **_OPTIONS)
    client.connection_pool.make_connection()  # an unknown option of the URL comes out here
    return client


def _sentinel_master(parts: SplitResult) -> redis.Redis:
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError
    options = _options(parts)
    login = {name: options.pop(f"sentinel_{name}", None) for name in _LOGIN}
    shared = {name: value for name, value in options.items() if name not in _LOGIN}
    sentinels = Sentinel(_hosts(parts), sentinel_kwargs=shared | login)
    client: redis.Redis = sentinels.master_for(unquote(service), db=int(database or 0), **options)
    client.connection_pool.make_connection()
    return client


def _cluster(parts: SplitResult) -> redis.RedisCluster:
    if parts.path.strip("/0"):
        raise ValueError  # a cluster has one database
    options = _options(parts)
    startup = [ClusterNode(host, port) for host, port in _hosts(parts)]
    try:
        return redis.RedisCluster(startup_nodes=startup, require_full_coverage=False, **options)
    except RedisClusterException as error:
        cause = error.__cause__ or error
        where = ",".join(f"{host}:{port}" for host, port in _hosts(parts))
        raise BrokerError(f"redis: {where}: {reason(cause, options)}; {remedy(cause)}") from None


def _split(url: str) -> SplitResult:
    """`urlsplit`, which takes an IPv6 address only where there is no other address before it."""
    scheme, mark, rest = url.partition("://")
    end = min((rest.find(sign) for sign in "/?#" if sign in rest), default=len(rest))
    return urlsplit(f"{scheme}{mark}{rest[end:]}")._replace(netloc=rest[:end])


def _hosts(parts: SplitResult) -> list[tuple[str, int]]:
    """All addresses of the URL."""
    port = _PORTS[parts.scheme.partition("+")[2]]
    found = [urlsplit(f"//{address}") for address in parts.netloc.rpartition("@")[2].split(",")]
    return [(unquote(each.hostname or "localhost"), each.port or port) for each in found]


def _options(parts: SplitResult) -> dict[str, Any]:
    """Ours, login and what else the URL says, without an address."""
    scheme, _, _ = parts.scheme.partition("+")
    login, at, _ = parts.netloc.rpartition("@")
    told: dict[str, Any] = parse_url(f"{scheme}://{login}{at}?{parts.query}")
    is_tls = told.pop("connection_class", None) is not None
    return _OPTIONS | told | ({"ssl": True} if is_tls else {})
