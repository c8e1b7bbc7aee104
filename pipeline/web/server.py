"""The server below the page: a socket, and uvicorn on a thread of its own, for signals are not its business."""

import socket
import threading
from typing import Final

import uvicorn
from starlette.applications import Starlette

from pipeline.errors import ServeError

_END_SECONDS: Final = 0.5
"""For answers that are under way when the program is to end; and then for them to be broken off."""


def listening(host: str, port: int) -> socket.socket:
    """A socket on which browsers may knock.

    Raises:
        ServeError: somebody else has it, or it is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        said = (error.strerror or str(error)) if isinstance(error, OSError) else "no such name"
        raise ServeError(f"serve: {host}:{port}: {said}; name another --port or --host") from None


def address(server: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = server.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve_site(site: Starlette, server: socket.socket, stopped: threading.Event) -> None:
    """Answers browsers until stopped."""
    config = uvicorn.Config(
        site, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False, proxy_headers=False
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, args=([server],), name="server", daemon=True)
    thread.start()
    stopped.wait()
    running.should_exit = True
    thread.join(_END_SECONDS)
    running.force_exit = True
    thread.join(_END_SECONDS)
