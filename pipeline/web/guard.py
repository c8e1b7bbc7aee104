"""Who may ask the page for what, and what every answer forbids the browser."""

import logging
from typing import Final
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.web.password import Password

COOKIE: Final = "heed"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing from elsewhere, nothing inline; and no text becomes HTML, whatever the page's own script does."""
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_OPEN: Final = frozenset({"/login", "/page.css", "/icon.svg", "/healthz", "/readyz"})
"""What needs no password: the way to give it, and whether the server is well."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Names of this machine. Without a password, a page elsewhere must not reach us by a name that leads here."""
_log = logging.getLogger(__name__)


class Guard:
    """Lets in who may come in, and sets the headers of every answer."""

    def __init__(self, app: ASGIApp, password: Password | None) -> None:
        """Without a password only who names this machine comes in."""
        self._app, self._password = app, password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = await self._refusal(HTTPConnection(scope), scope["method"])
        await (refusal or self._app)(scope, receive, send_guarded)

    async def _refusal(self, asked: HTTPConnection, method: str) -> Response | None:
        host = asked.headers.get("host", "")
        if self._password is None and _name(host) not in _LOCAL:
            return PlainTextResponse("not a name of this machine\n", 421)
        if method not in {"GET", "HEAD"} and not _is_same(asked.headers, host):
            return PlainTextResponse("from another page\n", 403)
        if self._password is None or asked.url.path in _OPEN or await self._is_known(asked, self._password):
            return None
        if "text/html" in asked.headers.get("accept", ""):
            return RedirectResponse("/login", 303)
        return PlainTextResponse("password needed\n", 401)

    async def _is_known(self, asked: HTTPConnection, password: Password) -> bool:
        if password.is_session(asked.cookies.get(COOKIE, "")):
            return True
        login = asked.headers.get("authorization")
        return login is not None and await run_in_threadpool(password.is_basic, login)


def _name(host: str) -> str | None:
    """The host without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_same(headers: Headers, host: str) -> bool:
    """Whether a request that changes something comes from our own page, or from no page at all."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == host
