"""A webhook's receiver: a real HTTP server that answers as it is told."""

import http.server
import ssl
import threading
from collections.abc import Iterable
from email.message import Message
from pathlib import Path
from typing import Self


class Receiver:
    """A context manager, within which it listens on a port of this machine."""

    def __init__(self, answers: Iterable[int] = (), certificate: tuple[Path, Path] | None = None) -> None:
        """Listens, but answers nobody yet.

        Args:
            answers: Statuses of the first requests; those after them get 204.
            certificate: Files of a certificate and its key; then it speaks TLS.
        """
        self.got: list[tuple[Message, bytes]] = []
        """Headers and body of every request."""
        self.paths: list[str] = []
        self.may_answer = threading.Event()
        """Cleared, nobody gets an answer."""
        self.may_answer.set()
        self._answers = iter(answers)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._answering())
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if certificate is None else "https"
        self.port = int(self._server.server_address[1])
        self.url = f"{scheme}://localhost:{self.port}/hook"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answering(self) -> type[http.server.BaseHTTPRequestHandler]:
        receiver = self

        class Answering(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.paths.append(self.path)
                receiver.got.append((self.headers, body))
                receiver.may_answer.wait()
                self.send_response(next(receiver._answers, 204))
                self.send_header("location", receiver.url)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        return Answering
