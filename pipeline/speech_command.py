"""`heed transcribe`."""

import logging
from typing import Annotated

import typer

from alerts.connect import connect, default_state
from pipeline.config import SourceConfig
from pipeline.errors import ConfigError
from pipeline.live_commands import tell_stop
from pipeline.log import LogFormat, StderrLog
from pipeline.redact import url_secrets
from pipeline.stop import Stop
from pipeline.terminal import LogFormatOption, RedisOption, StateOption

app = typer.Typer()
_log = logging.getLogger(__name__)


@app.command(epilog="Example: heed transcribe rtsp://camera/stream --name gate --model models/faster-whisper-base.en")
def transcribe(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A file, rtsp://, http(s):// or a device: whose sound is listened to.")],
    name: Annotated[str, typer.Option(help="What `heed watch` calls the source.")],
    model: Annotated[str, typer.Option(help="Folder of a faster-whisper model, or its name.")] = "base",
    download: Annotated[bool, typer.Option("--download", help="Fetch a named model that is not here yet.")] = False,
    redis: RedisOption = None,
    state: StateOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Write what is spoken at a source to Redis, where `heed watch` reads it. Needs heed[speech]."""
    from pipeline.speech import transcribe as run
    from pipeline.speech import whisper, writer

    log: StderrLog = context.obj
    log.use(log_format or LogFormat.TEXT, [secret for url in (source, redis) if url for secret in url_secrets(url)])
    try:
        SourceConfig.model_validate({"name": name, "url": source})
    except ValueError:  # pydantic's, whose text would tell the URL
        raise ConfigError("transcribe: --name: 1 to 64 letters, digits, _, . and -") from None
    with Stop(tell_stop) as stop, log.capturing():
        recognise = whisper(model, download=download)
        with connect(redis, state or default_state()) as client:
            stop.begin()
            _log.info("words for %s by %s; Ctrl-C ends", name, model, extra={"event": "start"})
            run(source, recognise, writer(client, name), stop.asked)
