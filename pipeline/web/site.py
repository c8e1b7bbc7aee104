"""The page's addresses. No path of a request reaches the disk: files are found by the id of an event."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import BaseRoute, Route

from alerts.alert import Evidence
from alerts.errors import BrokerError
from pipeline.web.board import END, Board
from pipeline.web.guard import COOKIE, Guard
from pipeline.web.password import SESSION_SECONDS, Password
from pipeline.web.told import VERDICTS

_ASSETS: Final = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"/{name}.js": (f"{name}.js", "text/javascript")
        for name in ("page", "parts", "cameras", "draw", "events", "filters", "detail")
    },
}
_TYPES: Final = {".mp4": "video/mp4", ".mkv": "video/x-matroska", ".jpg": "image/jpeg"}
"""Files of the evidence that are shown."""
_HEARTBEAT_SECONDS: Final = 15.0
"""A browser that has gone is noticed within this, and proxies keep the connection."""
_MOST_WAITING: Final = 500
"""Messages for a browser that does not take them; then it must come anew."""
_LONGEST_BODY: Final = 4096
"""Bytes of what a browser sends."""


def site(board: Board, evidence: Path, password: Password | None = None, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The page as an ASGI application.

    Args:
        board: what it shows.
        evidence: folder of clips and snapshots.
        password: what a browser must know; none means that only this machine may look.
        routes: further addresses.
    """
    pages = [Route(path, _asset(*about)) for path, about in _ASSETS.items()]
    looks = _Looks(board, evidence)
    login = _Login(password)
    ours = [
        Route("/stream", looks.stream),
        Route("/picture", looks.picture),
        Route("/evidence", looks.file),
        Route("/acknowledge", looks.acknowledge, methods=["POST"]),
        Route("/login", login.form, methods=["GET"]),
        Route("/login", login.enter, methods=["POST"]),
        Route("/logout", login.leave, methods=["POST"]),
    ]
    return Starlette(routes=[*pages, *ours, *routes], middleware=[Middleware(Guard, password=password)])


class _Looks:
    """What is seen of the board."""

    def __init__(self, board: Board, evidence: Path) -> None:
        self._board, self._evidence = board, evidence

    async def stream(self, _: Request) -> Response:
        """Server-sent events: everything, then every change."""
        headers = {"x-accel-buffering": "no"}
        return StreamingResponse(_messages(self._board), media_type="text/event-stream", headers=headers)

    async def picture(self, request: Request) -> Response:
        """The latest picture of a source."""
        try:
            picture = await run_in_threadpool(self._board.picture, request.query_params.get("source", ""))
        except BrokerError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return Response(status_code=204) if picture is None else Response(picture, media_type="image/jpeg")

    async def file(self, request: Request) -> Response:
        """Clip, snapshot or strip of an event; nothing, and no error, when it has been removed to make room."""
        identity, part = (request.query_params.get(name, "") for name in ("id", "part"))
        evidence = self._board.evidence(identity)
        if evidence is None:
            return PlainTextResponse("no such event\n", 404)
        path = await run_in_threadpool(self._path, evidence, part)
        if path is None:
            return Response(status_code=204)
        return FileResponse(path, media_type=_TYPES[path.suffix])

    async def acknowledge(self, request: Request) -> Response:
        """What a person says of an event."""
        said = await _json(request)
        identity, verdict = (said.get("id"), said.get("verdict"))
        if not isinstance(identity, str) or (verdict is not None and verdict not in VERDICTS):
            return PlainTextResponse("an id and a verdict, please\n", 400)
        by = request.client.host if request.client else ""
        try:
            is_there = await run_in_threadpool(self._board.acknowledge, identity, verdict, by)
        except BrokerError as error:
            return PlainTextResponse(f"{error}\n", 503)
        return JSONResponse({"verdict": verdict}) if is_there else PlainTextResponse("no such event\n", 404)

    def _path(self, evidence: Evidence, part: str) -> Path | None:
        name = evidence.clip if part == "clip" else evidence.snapshot
        if name is None or part not in {"clip", "snapshot", "strip"}:
            return None
        if part == "strip":
            name = name.removesuffix(".jpg") + ".strip.jpg"
        return evidence_file(self._evidence, name)


def evidence_file(folder: Path, name: str) -> Path | None:
    """The file of that name in the evidence folder; none if it is not there, or lies elsewhere, or is no such file."""
    try:
        path = (folder / name).resolve()
        is_ours = path.is_relative_to(folder.resolve()) and path.suffix in _TYPES and path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return None
    return path if is_ours else None


class _Login:
    """The way in and out."""

    def __init__(self, password: Password | None) -> None:
        self._password = password
        self._page = (files(__package__) / "login.html").read_text(encoding="utf-8")

    async def form(self, _: Request) -> Response:
        """Asks for the password."""
        if self._password is None:
            return RedirectResponse("/", 303)
        return Response(self._page.replace("<!-- said -->", ""), media_type="text/html")

    async def enter(self, request: Request) -> Response:
        """Lets in who knows it."""
        given = parse_qs((await _body(request)).decode(errors="replace")).get("password", [""])[0]
        if self._password is None or not await run_in_threadpool(self._password.is_right, given):
            said = '<p role="alert">That is not the password.</p>'
            return Response(self._page.replace("<!-- said -->", said), 403, media_type="text/html")
        answer = RedirectResponse("/", 303)
        is_secure = request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, self._password.session(), SESSION_SECONDS, httponly=True, samesite="strict", secure=is_secure
        )
        return answer

    async def leave(self, _: Request) -> Response:
        """Forgets who was let in."""
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE)
        return answer


def _asset(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = (files(__package__) / name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return answer


async def _messages(board: Board) -> AsyncIterator[str]:
    """What a browser is told. One that does not listen fast enough is cut off: it comes again, and gets everything."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[str | None] = asyncio.Queue(_MOST_WAITING)

    def put(message: str | None) -> None:
        if queue.full():
            leave()
            queue.get_nowait()
            queue.put_nowait(None)
        else:
            queue.put_nowait(message)

    def tell(name: str, data: str) -> None:
        loop.call_soon_threadsafe(put, None if name == END else f"event: {name}\ndata: {data}\n\n")

    leave = board.listen(tell)
    try:
        yield "retry: 1000\n\n"
        while True:
            try:
                message = await asyncio.wait_for(queue.get(), _HEARTBEAT_SECONDS)
            except TimeoutError:
                message = ": still here\n\n"
            if message is None:
                return
            yield message
    finally:
        leave()


async def _body(request: Request) -> bytes:
    """What was sent; cut off where it is longer than anything that our page sends."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_BODY:
            return b""
    return body


async def _json(request: Request) -> dict[str, object]:
    try:
        said = json.loads(await _body(request))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
