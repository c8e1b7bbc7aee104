"""The page, served from a real Redis, on a port of this machine."""

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import RedisServer
from starlette.routing import BaseRoute

from alerts import keys
from alerts.alert import Alert
from alerts.connect import from_url
from alerts.subscriber import subscribe
from pipeline.web import app
from pipeline.web.board import Board
from pipeline.web.password import Password
from pipeline.web.server import address, listening, serve_site


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Served:
    """A page, and the Redis that it shows."""

    url: str
    redis: RedisServer
    evidence: Path
    board: Board

    def send(self, *alerts: Alert) -> None:
        """Puts alerts where the page finds them."""
        for alert in alerts:
            self.redis.client.xadd(keys.STREAM, {keys.FIELD: alert.to_json()})

    def ask(self, path: str, body: str | None = None, **headers: str) -> Answer:
        """A request; one with a body is a POST."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request("GET" if body is None else "POST", path, body, named)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def acknowledge(self, identity: str, verdict: str | None) -> Answer:
        """As the buttons of the page do."""
        return self.ask("/acknowledge", json.dumps({"id": identity, "verdict": verdict}))


@contextmanager
def served(
    redis: RedisServer, evidence: Path, password: Password | None = None, *routes: BaseRoute
) -> Iterator[Served]:
    """The page until the end of the block."""
    stopped = threading.Event()
    alerts = subscribe(redis.url, from_start=True, stopped=stopped.is_set)
    with listening("127.0.0.1", 0) as server, Board(from_url(redis.url), alerts, stopped) as board:
        page = app(board, evidence, password, routes)
        thread = threading.Thread(target=serve_site, args=(page, server, stopped))
        thread.start()
        try:
            yield Served(address(server), redis, evidence, board)
        finally:
            stopped.set()
            thread.join()
