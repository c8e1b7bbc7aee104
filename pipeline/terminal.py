"""What the commands share: the two consoles, options that mean the same everywhere, the progress bar."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.log import LogFormat

out = Console(highlight=False, markup=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

BundleOption = Annotated[
    Path | None, typer.Option("--bundle", help="Folder of the model; the shipped one if left out.")
]
ProviderOption = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, tensorrt or openvino. One named here and not used is an error.")
]
PrecisionOption = Annotated[
    str | None, typer.Option(help="auto, fp32, fp16 or int8, for every network that has a graph of it.")
]
AllowCpuOption = Annotated[bool, typer.Option("--allow-cpu", help="Run on the CPU when the provider cannot be used.")]
RedisOption = Annotated[str | None, typer.Option("--redis", help="redis://…; the embedded Redis if left out.")]
StateOption = Annotated[Path | None, typer.Option("--state", help="State folder (embedded Redis, outbox).")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="heed.toml; docs/configuration.md lists its keys.")]
LogFormatOption = Annotated[
    LogFormat | None, typer.Option("--log-format", help="What stderr says: text lines, or json, an object a line.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar on a terminal, nothing in a pipe."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal) as bar:
        yield bar


def silence_stdout() -> None:
    """Nobody is told anything more on stdout; not even the interpreter tries when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
