"""The command `heed bench`."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from pipeline.bench.parts import Part
from pipeline.config import Config
from pipeline.engine import open_runtime
from pipeline.errors import ConfigError
from pipeline.live_commands import tell_stop
from pipeline.options import merge_options
from pipeline.stop import Stop
from pipeline.terminal import AllowCpuOption, BundleOption, JsonOption, ProviderOption, err

app = typer.Typer()


@app.command(epilog="Example: heed bench --only cameras --cameras 16")
def bench(
    only: Annotated[list[Part] | None, typer.Option(help="A part alone; may be repeated.")] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="Of each comparison; all take some forty times as long.")
    ] = 20,
    most_cameras: Annotated[int, typer.Option("--cameras", min=1, help="More are not tried.")] = 64,
    to: Annotated[Path | None, typer.Option("--out", help="Folder for bench.md and bench.json.")] = None,
    bundle: BundleOption = None,
    provider: ProviderOption = None,
    allow_cpu: AllowCpuOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure this machine, all in one run: encoders, the whole line, live cameras, alerts. Leave it alone then."""
    from pipeline.bench.report import markdown
    from pipeline.bench.run import bench as run

    settings = merge_options(Config(), bundle=bundle, provider=provider, allow_cpu=allow_cpu)
    if to is not None:
        _make(to)
    with ExitStack() as opened:
        stop = opened.enter_context(Stop(tell_stop))
        status = err.status("")
        if err.is_terminal:
            opened.enter_context(status)
        runtime = open_runtime(settings.engine)
        stop.begin()
        report = run(
            runtime, only or list(Part), stop.asked, seconds=seconds, most_cameras=most_cameras, tell=status.update
        )
    figures, page = json.dumps(report, indent=2, allow_nan=False) + "\n", markdown(report)
    if to is not None:
        (to / "bench.json").write_text(figures, encoding="utf-8")
        (to / "bench.md").write_text(page, encoding="utf-8")
    sys.stdout.write(figures if as_json else page)


def _make(folder: Path) -> None:
    """Before anything is measured: a wrong name should not cost half an hour."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"bench: {folder}: {error.strerror}; name a folder that can be written to") from None
