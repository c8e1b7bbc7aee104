"""The command line. The only place that prints and exits."""

import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from alerts.alert import Alert
from alerts.connect import connect, default_state
from alerts.errors import AlertsError, OutboxError
from alerts.redis_stream import Publisher
from alerts.show import describe
from alerts.subscribe import subscribe as alerts_of
from export.bundle import open_bundle
from export.errors import ExportError
from export.runtime import Runtime
from models.errors import ModelsError
from pipeline.annotations.read import Format
from pipeline.config import Config, read_config
from pipeline.errors import ConfigError, HeedError
from pipeline.live import SourceState
from pipeline.model_commands import app as model_commands
from pipeline.options import merge_options
from pipeline.terminal import (
    AllowCpuOption,
    BundleOption,
    ConfigOption,
    JsonOption,
    ProviderOption,
    RedisOption,
    StateOption,
    err,
    out,
    progress_bar,
)

app = typer.Typer(
    help="Heed sees, hears and reads live streams, and warns.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.registered_commands += model_commands.registered_commands


def main() -> NoReturn:
    """Runs the command line; errors become one line and an exit code."""
    try:
        app()
    except (HeedError, AlertsError, ExportError, ModelsError) as error:
        err.print(f"heed: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read us has gone; nothing is left to say
    sys.exit(0)


@app.command(epilog="Example: heed watch rtsp://camera/stream door.mp4 --redis redis://localhost:6379")
def watch(
    sources: Annotated[list[str] | None, typer.Argument(help="Files, rtsp://, http(s):// or /dev/video0.")] = None,
    config: ConfigOption = None,
    bundle: BundleOption = None,
    provider: ProviderOption = None,
    allow_cpu: AllowCpuOption = False,
    pace: Annotated[str, typer.Option(help="auto: files as fast as they go; live: at their own speed.")] = "auto",
    redis: RedisOption = None,
    state: StateOption = None,
) -> None:
    """Watch sources and send alerts to Redis."""
    from pipeline.run import watch as run

    settings = merge_options(
        read_config(config) if config else Config(),
        sources=sources or [],
        bundle=bundle,
        provider=provider,
        allow_cpu=allow_cpu,
        pace=pace,
        redis=redis,
    )
    if not settings.source:
        raise ConfigError("watch: no source; name a file or URL, or a --config with [[source]]")
    runtime = _runtime(settings)
    with _stop_signals() as stopped, _publisher(settings, state) as publisher:

        def sink(alert: Alert) -> None:
            try:
                publisher(alert)
            except OutboxError as error:
                err.print(f"heed: {error}")  # a full disk must not blind the other cameras; the alert is still shown
            out.print(describe(alert))

        err.print(f"heed: {runtime.bundle.name} on {runtime.provider}, {len(settings.source)} source(s); Ctrl-C ends")
        summary = run(settings, runtime, sink, stopped, announce=publisher.announce, on_state=_print_state)
    for source, count in summary.num_windows.items():
        dropped = summary.num_dropped.get(source, 0)
        err.print(f"heed: {source}: {count} windows, {summary.num_events[source]} event(s), {dropped} dropped")
    if summary.failed:
        raise typer.Exit(1)


@app.command(epilog="Example: heed demo")
def demo(
    fast: Annotated[
        bool, typer.Option("--fast", help="As fast as the machine goes, not at the scene's own pace.")
    ] = False,
    bundle: BundleOption = None,
    provider: ProviderOption = None,
    allow_cpu: AllowCpuOption = False,
) -> None:
    """Render a scripted street scene, stream it, and show what Heed sees, hears, reads and warns of."""
    from pipeline.demo.play import play
    from pipeline.scene import demo_scene

    settings = merge_options(Config(), bundle=bundle, provider=provider, allow_cpu=allow_cpu)
    runtime = _runtime(settings)
    with _stop_signals() as stopped, progress_bar() as bar:
        task = bar.add_task("drawing the scene", total=1.0)

        def drawn(share: float) -> None:
            bar.update(task, completed=share)
            if share >= 1:
                bar.stop()

        err.print(f"heed: drawing a street scene of {demo_scene().duration_seconds:.0f} s, then watching it live")
        has_passed = play(demo_scene(), runtime, out, stopped, pace="auto" if fast else "live", progress=drawn)
    if not has_passed and not stopped.is_set():
        raise typer.Exit(1)


@app.command(epilog="Example: heed subscribe --json --group guards | while read -r alert; do …; done")
def subscribe(
    redis: RedisOption = None,
    state: StateOption = None,
    group: Annotated[
        str | None, typer.Option(help="Consumer group: each alert to one of its members, until read.")
    ] = None,
    consumer: Annotated[str | None, typer.Option(help="Name in the group; this host and process if left out.")] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest alert that is kept.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print alerts as they come."""
    with _stop_signals() as stopped:
        stream = alerts_of(
            redis, group=group, consumer=consumer, state=state, from_start=from_start, stopped=stopped.is_set
        )
        for alert in stream:
            sys.stdout.write((alert.to_json() if as_json else describe(alert)) + "\n")
            sys.stdout.flush()


@app.command(epilog="Example: heed evaluate clips/test.csv --out results")
def evaluate(
    labels: Annotated[
        Path,
        typer.Argument(
            help="CSV: path,start_seconds,end_seconds,label,group; or annotations of XD-Violence, UCF-Crime or UCSD "
            "Ped2; or a folder with normal/, anomaly/ or others named by label."
        ),
    ],
    kind: Annotated[
        Format, typer.Option("--format", help="Form of the labels; auto tells it by what is in them.")
    ] = Format.AUTO,
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail on a file that is missing or cannot be read, instead of skipping it.")
    ] = False,
    to: Annotated[
        Path | None, typer.Option("--out", help="Folder for report.html, metrics.json and windows.csv.")
    ] = None,
    compare: Annotated[
        list[Path] | None, typer.Option(help="Folder of other results over the same labels; may be repeated.")
    ] = None,
    config: ConfigOption = None,
    bundle: BundleOption = None,
    provider: ProviderOption = None,
    allow_cpu: AllowCpuOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the model on labelled clips, with the code that runs live."""
    from pipeline.evaluate import evaluate as run
    from pipeline.summary import table

    settings = merge_options(
        read_config(config) if config else Config(), bundle=bundle, provider=provider, allow_cpu=allow_cpu
    )
    with progress_bar() as bar:
        task = bar.add_task("files", total=None)
        metrics = run(
            labels,
            bundle,
            settings,
            to,
            kind=kind,
            strict=strict,
            compare=compare or [],
            command=shlex.join(["heed", *sys.argv[1:]]),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            warn=lambda line: err.print(f"heed: {line}"),
        )
    if as_json:
        sys.stdout.write(json.dumps(metrics, indent=2) + "\n")
    else:
        out.print(table(metrics))


@app.command(epilog="Example: heed doctor --json")
def doctor(
    bundle: BundleOption = None, redis: RedisOption = None, state: StateOption = None, as_json: JsonOption = False
) -> None:
    """Show what this machine has: decoders, providers really in use, Redis, bundle."""
    from pipeline.doctor import examine, lines

    report = examine(bundle, redis, state or default_state())
    if as_json:
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        for line in lines(report):
            out.print(line)
    if not report["healthy"]:
        raise typer.Exit(1)


def _runtime(settings: Config) -> Runtime:
    engine = settings.engine
    return Runtime(open_bundle(engine.bundle), engine.provider, allow_cpu=engine.allow_cpu, threads=engine.threads)


@contextmanager
def _publisher(settings: Config, state: Path | None) -> Iterator[Publisher]:
    folder = state or default_state()
    url = settings.redis.url
    client = connect(url.get_secret_value() if url else None, folder)
    try:
        with Publisher(client, folder) as publisher:
            yield publisher
    finally:
        client.close()


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, instead of tearing the program down."""
    stopped = threading.Event()
    old = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _print_state(source: str, state: SourceState) -> None:
    err.print(f"{source}: {state.status}{f': {state.reason}' if state.reason else ''}")
