"""`heed serve` and `heed labels`."""

import getpass
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Final

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
    from pipeline.exposition import routes
    from pipeline.web import app as site
    from pipeline.web.board import Board
    from pipeline.web.password import read_password
    from pipeline.web.server import address, listening, serve_site

    folder = state or default_state()
    if set_password:
        _set_password(folder / _SCRYPT_FILE)
        return
    settings = merge_options(read_config(config) if config else Config(), redis=redis)
    url = settings.redis.plain_url
    log: StderrLog = context.obj
    log.use(log_format or LogFormat(settings.log.format), url_secrets(url) if url else [], settings.log.repeat_seconds)
    password = read_password(folder / _SCRYPT_FILE)
    if password is None and host not in _LOCAL:
        raise ServeError(f"serve: {host}: no password, and others could look; set one with `heed serve --set-password`")
    with Stop(tell_stop) as stop, listening(host, port) as server:
        client = connect(url, folder)
        alerts = subscribe(url, state=folder, from_start=True, stopped=stop.asked.is_set)
        with Board(client, alerts, stop.asked) as board:
            page = site(board, evidence or folder / "evidence", password, routes(client))
            stop.begin()
            _log.info("%s; Ctrl-C ends", address(server), extra={"event": "start"})
            serve_site(page, server, stop.asked)
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
