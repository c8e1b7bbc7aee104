"""A TCP proxy that stands before a Redis, and cuts connections in the middle of a command."""

import contextlib
import selectors
import socket
import socketserver
import threading
from pathlib import Path
from typing import Final, Literal, Self

Direction = Literal["to", "from"]
"""Of bytes: to the server, or from it."""
_CHUNK: Final = 65536


class Proxy:
    """Listens on a port of this machine and passes everything on to a unix socket. A context manager."""

    def __init__(self, target: Path) -> None:
        self.num_cut = 0
        """Connections cut in the middle of what was being sent."""
        self._target = target
        self._lock = threading.Lock()
        self._left: dict[Direction, int] = {}
        self._connections: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), self)

    @property
    def url(self) -> str:
        """Of the Redis behind it."""
        return f"redis://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.cut_all()

    def cut_after(self, direction: Direction, num_bytes: int) -> None:
        """Cuts the connection on which this many more bytes have gone in this direction, right after them."""
        with self._lock:
            self._left = {direction: num_bytes}

    def cut_all(self) -> None:
        """Cuts every connection now."""
        for connection in list(self._connections):
            _shut(connection)

    def carry(self, client: socket.socket) -> None:
        """Passes everything between this client and the server, until either is gone or the connection is cut."""
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX) as server,
            selectors.DefaultSelector() as ready,
        ):
            server.connect(str(self._target))
            self._connections |= {client, server}
            ready.register(client, selectors.EVENT_READ, ("to", server))
            ready.register(server, selectors.EVENT_READ, ("from", client))
            while self._passed(ready):
                pass
            self._connections -= {client, server}

    def _passed(self, ready: selectors.BaseSelector) -> bool:
        """Passes what has come; false when the connection is over."""
        for key, _ in ready.select():
            direction, other = key.data
            assert isinstance(key.fileobj, socket.socket)
            data = key.fileobj.recv(_CHUNK)
            allowed = self._allowed(direction, len(data))
            other.sendall(data[:allowed])
            if not data or allowed < len(data):
                return False
        return True

    def _allowed(self, direction: Direction, num_bytes: int) -> int:
        """How many of these bytes go by."""
        with self._lock:
            if direction not in self._left:
                return num_bytes
            left = self._left[direction]
            if num_bytes <= left:
                self._left[direction] -= num_bytes
                return num_bytes
            self._left.clear()
            self.num_cut += 1
            return left


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], owner: Proxy) -> None:
        super().__init__(address, _Connection)
        self.owner = owner


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Until it is over; the connection is then closed."""
        self.server.owner.carry(self.request)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # already gone
        connection.shutdown(socket.SHUT_RDWR)
