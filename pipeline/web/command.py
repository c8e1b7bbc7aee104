"""`heed serve` and `heed labels`."""

import getpass
import logging
import os
import socket
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from alerts.connect import connect, default_state
from alerts.private import make_private
from pipeline.config import Config, read_config
from pipeline.errors import ServeError
from pipeline.live_commands import tell_stop
from pipeline.log import LogFormat, StderrLog
from pipeline.options import merge_options
from pipeline.redact import url_secrets
from pipeline.stop import Stop
from pipeline.terminal import ConfigOption, LogFormatOption, RedisOption, StateOption, err

app = typer.Typer()
_log = logging.getLogger(__name__)
EvidenceOption = Annotated[
    Path | None,
    typer.Option("--evidence", help="Folder of clips and snapshots; evidence in the state folder if left out."),
]
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SCRYPT_FILE: Final = "web-password"
"""In the state folder."""
_END_SECONDS: Final = 0.8
"""For connections that are still open when the program is to end."""


@app.command(epilog="Example: heed serve --port 8770")
def serve(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Port of the page.", min=0, max=65535)] = 8770,
    host: Annotated[
        str, typer.Option(help="Address to listen on; other than this machine's own it needs a password.")
    ] = "127.0.0.1",
    evidence: EvidenceOption = None,
    set_password: Annotated[
        bool, typer.Option("--set-password", help="Ask for a password, keep its scrypt in the state folder, and end.")
    ] = False,
    config: ConfigOption = None,
    redis: RedisOption = None,
    state: StateOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Show cameras and events on a web page."""
    from alerts.subscriber import subscribe
    from pipeline.web import app as site
    from pipeline.web.board import Board
    from pipeline.web.password import read_password

    folder = state or default_state()
    if set_password:
        _set_password(folder / _SCRYPT_FILE)
        return
    settings = merge_options(read_config(config) if config else Config(), redis=redis)
    url = settings.redis.url.get_secret_value() if settings.redis.url else None
    log: StderrLog = context.obj
    log.use(log_format or LogFormat(settings.log.format), url_secrets(url) if url else [], settings.log.repeat_seconds)
    password = read_password(folder / _SCRYPT_FILE)
    if password is None and host not in _LOCAL:
        raise ServeError(f"serve: {host}: no password, and others could look; set one with `heed serve --set-password`")
    with Stop(tell_stop) as stop, _listening(host, port) as listening:
        client = connect(url, folder)
        alerts = subscribe(url, state=folder, from_start=True, stopped=stop.asked.is_set)
        with Board(client, alerts, stop.asked) as board:
            page = site(board, evidence or folder / "evidence", password)
            stop.begin()
            _tell_address(listening)
            _serve(page, listening, stop.asked)
        if board.failure is not None:
            raise board.failure


@app.command(epilog="Example: heed labels --out answers.csv && heed evaluate answers.csv")
def labels(
    to: Annotated[Path, typer.Option("--out", help="CSV file to write; what was there is replaced.")],
    evidence: EvidenceOption = None,
    redis: RedisOption = None,
    state: StateOption = None,
) -> None:
    """Write what people said of events as a labels file: their clips, real or `normal`."""
    from pipeline.web.answers import answered, as_csv

    folder = state or default_state()
    with connect(redis, folder) as client:
        answers = answered(client, evidence or folder / "evidence", to)
    try:
        to.write_text(as_csv(answers), encoding="utf-8")
    except OSError as error:
        raise ServeError(f"labels: {to}: {error.strerror}; name another file") from None
    err.print(f"heed: {to}: {len(answers.rows)} clip(s); {answers.num_without_clip} answered event(s) have none")


def _set_password(path: Path) -> None:
    from pipeline.web.password import scrypt

    given = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    stored = scrypt(given)
    try:
        make_private(path.parent)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(stored + "\n")
    except OSError as error:
        raise ServeError(f"serve: {path}: {error.strerror}; name another --state") from None
    err.print("heed: password set; whoever was logged in is asked again")


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not a name"
        raise ServeError(f"serve: {host}:{port}: {said}; name another --port or --host") from None


def _tell_address(listening: socket.socket) -> None:
    host, port = listening.getsockname()[:2]
    where = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _log.info("%s; Ctrl-C ends", where, extra={"event": "start"})


def _serve(page: Any, listening: socket.socket, stopped: threading.Event) -> None:
    """Until stopped. The server has a thread of its own: signals are ours."""
    import uvicorn

    config = uvicorn.Config(
        page,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    sockets: Sequence[socket.socket] = [listening]
    thread = threading.Thread(target=server.run, args=(list(sockets),), name="server", daemon=True)
    thread.start()
    while not stopped.wait(0.5) and thread.is_alive():
        pass
    server.should_exit = server.force_exit = True
    thread.join(_END_SECONDS)
