"""Commands that run until they are stopped: watch, subscribe, forward."""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import typer

from alerts.alert import Alert
from alerts.connect import connect, default_state
from alerts.errors import OutboxError
from alerts.redis_stream import Publisher
from alerts.show import describe
from alerts.subscriber import subscribe as alerts_of
from pipeline.config import Config, read_config
from pipeline.engine import open_runtime
from pipeline.errors import ConfigError
from pipeline.feed import Feed
from pipeline.forks import start_server
from pipeline.live import SourceState
from pipeline.log import LogFormat, StderrLog, escaped
from pipeline.options import merge_options
from pipeline.overview import Overview, overview
from pipeline.present import trace
from pipeline.redact import url_secrets
from pipeline.run import Summary
from pipeline.score import Scores
from pipeline.stop import Stop
from pipeline.telemetry import Telemetry, published
from pipeline.terminal import (
    AllowCpuOption,
    BundleOption,
    ConfigOption,
    JsonOption,
    LogFormatOption,
    PrecisionOption,
    ProviderOption,
    RedisOption,
    StateOption,
    silence_stdout,
)
from pipeline.window import Window

app = typer.Typer()
_log = logging.getLogger(__name__)
_LEVELS: Final = {
    "failed": logging.ERROR,
    "reconnecting": logging.WARNING,
    "stalled": logging.WARNING,
    "unauthorised": logging.WARNING,
}


@app.command(epilog="Example: heed watch rtsp://camera/stream door.mp4 --redis redis://localhost:6379")
def watch(
    context: typer.Context,
    sources: Annotated[list[str] | None, typer.Argument(help="Files, rtsp://, http(s):// or /dev/video0.")] = None,
    config: ConfigOption = None,
    bundle: BundleOption = None,
    provider: ProviderOption = None,
    precision: PrecisionOption = None,
    allow_cpu: AllowCpuOption = False,
    pace: Annotated[str, typer.Option(help="auto: files as fast as they go; live: at their own speed.")] = "auto",
    redis: RedisOption = None,
    state: StateOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Watch sources and send alerts to Redis."""
    log: StderrLog = context.obj
    log.use(log_format or LogFormat.TEXT, _secrets([*(sources or []), redis]))
    with Stop(tell_stop) as stop:
        settings = merge_options(
            read_config(config) if config else Config(),
            sources=sources or [],
            bundle=bundle,
            provider=provider,
            precision=precision,
            allow_cpu=allow_cpu,
            pace=pace,
            redis=redis,
        )
        if not settings.source:
            raise ConfigError("watch: no source; name a file or URL, or a --config with [[source]]")
        secrets = _secrets([*(source.url.get_secret_value() for source in settings.source), settings.redis.plain_url])
        log.use(log_format or LogFormat(settings.log.format), secrets, settings.log.repeat_seconds)
        with log.capturing():
            summary = _watch(settings, state, stop, log)
    if summary.failed:
        raise typer.Exit(1)


@app.command(epilog="Example: heed subscribe --json --group guards | while read -r alert; do …; done")
def subscribe(
    context: typer.Context,
    redis: RedisOption = None,
    state: StateOption = None,
    group: Annotated[
        str | None, typer.Option(help="Consumer group: each alert to one of its members, until read.")
    ] = None,
    consumer: Annotated[str | None, typer.Option(help="Name in the group; this host and process if left out.")] = None,
    resume: Annotated[
        str | None, typer.Option(help="Name of this reader: it goes on after the last alert that it read.")
    ] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest alert that is kept.")] = False,
    as_json: JsonOption = False,
    log_format: LogFormatOption = None,
) -> None:
    """Print alerts as they come."""
    log: StderrLog = context.obj
    log.use(log_format or LogFormat.TEXT, _secrets([redis]))
    with Stop(tell_stop) as stop:
        stream = alerts_of(
            redis,
            group=group,
            consumer=consumer,
            resume=resume,
            state=state,
            from_start=from_start,
            stopped=stop.asked.is_set,
        )
        stop.begin()
        for alert in stream:
            sys.stdout.write((escaped(alert.to_json()) if as_json else describe(alert)) + "\n")
            sys.stdout.flush()


@app.command(epilog="Example: heed forward --config heed.toml")
def forward(
    context: typer.Context,
    config: ConfigOption = None,
    redis: RedisOption = None,
    state: StateOption = None,
    log_format: LogFormatOption = None,
) -> None:
    """Take alerts to the webhooks and the MQTT broker of the configuration."""
    from pipeline.forward import forward as run
    from pipeline.forward import secrets_of

    log: StderrLog = context.obj
    log.use(log_format or LogFormat.TEXT, _secrets([redis]))
    with Stop(tell_stop) as stop:
        settings = merge_options(read_config(config) if config else Config(), redis=redis)
        secrets = [*_secrets([settings.redis.plain_url]), *secrets_of(settings)]
        log.use(log_format or LogFormat(settings.log.format), secrets, settings.log.repeat_seconds)

        def begun(num_targets: int) -> None:
            stop.begin()
            _log.info("alerts go to %d target(s); Ctrl-C ends", num_targets, extra={"event": "start"})

        run(settings, state or default_state(), stop.asked, begun)


def _watch(settings: Config, state: Path | None, stop: Stop, log: StderrLog) -> Summary:
    with suppress(OSError):  # the machine is out of something: each camera tries again, and says so
        start_server()  # it loads while we do
    from pipeline.run import watch as run

    runtime = open_runtime(settings.engine)
    names = [source.name for source in settings.source]
    telemetry = Telemetry()
    with (
        _publisher(settings, state, telemetry) as publisher,
        published(telemetry, publisher, settings.engine.name),
        _feed(settings, state) as feed,
        overview(names, runtime.spec, log) as lines,
    ):
        stop.begin()
        about = (runtime.bundle.name, runtime.provider, runtime.precision, len(settings.source))
        _log.info("%s on %s in %s, %d source(s); Ctrl-C ends", *about, extra={"event": "start"})
        if settings.engine.provider not in {"auto", runtime.provider}:
            asked = settings.engine.provider
            _log.warning("provider: %s: it cannot be used here; running on %s", asked, runtime.provider)
        sink, on_state = partial(_take, publisher, lines), partial(_tell_state, lines)

        def show(window: Window, scores: Scores) -> None:
            publisher.show(window.source, trace(scores), window.picture)
            lines.note_scores(window, scores)

        summary = run(
            settings,
            runtime,
            sink,
            stop.asked,
            announce=publisher.announce,
            observe=show,
            on_state=on_state,
            telemetry=telemetry,
            added=feed.added,
            evidence=(state or default_state()) / "evidence",
        )
    for source in summary.num_windows:
        _tell_summary(summary, source)
    return summary


@contextmanager
def _feed(settings: Config, state: Path | None) -> Iterator[Feed]:
    """Words for the sources, by a client of its own: who waits for Redis here holds up no alert."""
    with (
        connect(settings.redis.plain_url, state or default_state()) as client,
        Feed(client, [source.name for source in settings.source]) as feed,
    ):
        yield feed


@contextmanager
def _publisher(settings: Config, state: Path | None, telemetry: Telemetry) -> Iterator[Publisher]:
    folder = state or default_state()
    client = connect(settings.redis.plain_url, folder)
    try:
        with Publisher(client, folder, telemetry.note_sent) as publisher:
            yield publisher
    finally:
        client.close()


def _take(publisher: Publisher, lines: Overview, alert: Alert) -> None:
    """To the outbox, and on stdout: a full disk must not blind the other cameras."""
    try:
        publisher(alert)
    except OutboxError as error:
        _log.error("%s", error, extra={"event": "outbox"})
    try:
        lines.show(alert)
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_stdout()
        _log.warning("stdout: %s; alerts go to Redis, and are no longer shown here", error.strerror)


def _secrets(urls: Iterable[str | None]) -> list[str]:
    return [secret for url in urls if url for secret in url_secrets(url)]


def tell_stop(line: str) -> None:
    """Says that the program ends."""
    _log.info("%s", line, extra={"event": "stop"})


def _tell_state(lines: Overview, source: str, state: SourceState) -> None:
    lines.note_state(source, state)
    message = f"{state.status}: {state.reason}" if state.reason else state.status
    told = {"event": "source_state", "source": source, "status": state.status, "reason": state.reason}
    _log.log(_LEVELS.get(state.status, logging.INFO), "%s", message, extra=told)


def _tell_summary(summary: Summary, source: str) -> None:
    windows, events = summary.num_windows[source], summary.num_events[source]
    dropped, saved = summary.num_dropped.get(source, 0), summary.saved.get(source, 0.0)
    told = {"event": "summary", "source": source, "windows": windows, "events": events, "dropped": dropped}
    line = "%d windows, %d event(s), %d dropped, %.0f %% of encoder runs saved"
    _log.info(line, windows, events, dropped, 100 * saved, extra={**told, "saved": round(saved, 3)})
