"""The command line. The only place that prints and exits."""

import json
import logging
import shlex
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from alerts.connect import default_state
from alerts.errors import AlertsError
from export.errors import ExportError
from models.errors import ModelsError
from pipeline.annotations.read import Format
from pipeline.bench.command import app as bench_command
from pipeline.config import Config, read_config
from pipeline.engine import open_runtime
from pipeline.errors import HeedError
from pipeline.live_commands import app as live_commands
from pipeline.live_commands import tell_stop
from pipeline.log import StderrLog
from pipeline.model_commands import app as model_commands
from pipeline.options import merge_options
from pipeline.speech_command import app as speech_commands
from pipeline.stop import Stop
from pipeline.terminal import (
    AllowCpuOption,
    BundleOption,
    ConfigOption,
    JsonOption,
    PrecisionOption,
    ProviderOption,
    RedisOption,
    StateOption,
    err,
    out,
    progress_bar,
    silence_stdout,
)
from pipeline.web.command import app as web_commands

app = typer.Typer(
    help="Heed sees, hears and reads live streams, and warns.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for commands in (live_commands, web_commands, model_commands, bench_command, speech_commands):
    app.registered_commands += commands.registered_commands
_log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Runs the command line; errors become one line and an exit code."""
    with StderrLog() as log:
        try:
            app(obj=log)
        except (HeedError, AlertsError, ExportError, ModelsError) as error:
            _log.error("%s", error, extra={"event": "error"})
            sys.exit(error.exit_code)
        except BrokenPipeError:
            silence_stdout()  # who read us has gone; nothing is left to say
    sys.exit(0)


@app.command(epilog="Example: heed demo")
def demo(
    fast: Annotated[
        bool, typer.Option("--fast", help="As fast as the machine goes, not at the scene's own pace.")
    ] = False,
    bundle: BundleOption = None,
    provider: ProviderOption = None,
    precision: PrecisionOption = None,
    allow_cpu: AllowCpuOption = False,
) -> None:
    """Render a scripted street scene, stream it, and show what Heed sees, hears, reads and warns of."""
    from pipeline.demo.play import play
    from pipeline.scene import demo_scene

    settings = merge_options(Config(), bundle=bundle, provider=provider, precision=precision, allow_cpu=allow_cpu)
    runtime = open_runtime(settings.engine)
    with Stop(tell_stop) as stop, progress_bar() as bar:
        stop.begin()
        task = bar.add_task("drawing the scene", total=1.0)

        def drawn(share: float) -> None:
            bar.update(task, completed=share)
            if share >= 1:
                bar.stop()

        err.print(f"heed: drawing a street scene of {demo_scene().duration_seconds:.0f} s, then watching it live")
        has_passed = play(demo_scene(), runtime, out, stop.asked, pace="auto" if fast else "live", progress=drawn)
    if not has_passed and not stop.asked.is_set():
        raise typer.Exit(1)


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
    route: Annotated[
        bool, typer.Option("--route", help="Run only the encoders that windows need, as `heed watch` does.")
    ] = False,
    compare: Annotated[
        list[Path] | None, typer.Option(help="Folder of other results over the same labels; may be repeated.")
    ] = None,
    config: ConfigOption = None,
    bundle: BundleOption = None,
    provider: ProviderOption = None,
    precision: PrecisionOption = None,
    allow_cpu: AllowCpuOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the model on labelled clips, with the code that runs live."""
    from pipeline.evaluate import evaluate as run
    from pipeline.summary import table

    settings = merge_options(
        read_config(config) if config else Config(),
        bundle=bundle,
        provider=provider,
        precision=precision,
        allow_cpu=allow_cpu,
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
            route=route,
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
