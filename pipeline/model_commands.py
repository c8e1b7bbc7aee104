"""Commands of a model's life: compose, train, export, verify."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from export.bundle import open_bundle
from pipeline.errors import ConfigError
from pipeline.terminal import JsonOption, err, out, progress_bar

app = typer.Typer()


class Precision(StrEnum):
    """Other than the reference's."""

    INT8 = "int8"
    FP16 = "fp16"


@app.command(
    epilog="Example: heed compose --video fights/test.csv --audio audio/test.csv --text lines/test.csv --out composed"
)
def compose(
    video: Annotated[Path, typer.Option(help="Labels file of clips to be seen.")],
    audio: Annotated[Path, typer.Option(help="Labels file of sounds to be heard.")],
    text: Annotated[Path, typer.Option(help="Labels file of subtitle lines to be read.")],
    to: Annotated[Path, typer.Option("--out", help="Folder for the files, labels.csv and composition.json.")],
    num: Annotated[int, typer.Option(help="How many files.")] = 60,
    seconds: Annotated[float, typer.Option(help="Length of each.")] = 40.0,
    normal: Annotated[float, typer.Option(help="Share of files in which nothing is wrong.")] = 0.2,
    double: Annotated[float, typer.Option(help="Share in which two senses show an anomaly together.")] = 0.1,
    missing: Annotated[float, typer.Option(help="Share without one or two of the senses that show none.")] = 0.3,
    snr_db: Annotated[tuple[float, float], typer.Option(help="Loudness of a sound over its bed.")] = (6.0, 20.0),
    seed: Annotated[int, typer.Option(min=0, help="Of all chance.")] = 0,
) -> None:
    """Mux real clips, sounds and lines into files in which a known sense shows the anomaly."""
    from pipeline.compose import Shares
    from pipeline.compose import compose as run

    shares = Shares(num, seconds, normal, double, missing, snr_db)
    with progress_bar() as bar:
        task = bar.add_task("files", total=num)
        made = run(
            {"video": video, "audio": audio, "text": text},
            shares,
            seed,
            to,
            progress=lambda done, _: bar.update(task, completed=done),
            on_skip=lambda line: err.print(f"heed: {line}"),
        )
    if made.skipped:
        err.print(f"heed: {len(made.skipped)} files or rows could not be used")
    wrong = sum(bool(plan.carriers) for plan in made.plans)
    out.print(f"{len(made.plans)} files, {wrong} with an anomaly\nnext: heed evaluate {made.labels} --out results")


@app.command(epilog="Example: heed train models/recipe.toml --data data --out runs/first")
def train(
    recipe: Annotated[
        Path, typer.Argument(help="TOML: data, networks, stages; or labelled files, as `heed evaluate` takes them.")
    ],
    to: Annotated[Path, typer.Option("--out", help="Folder of the run. One that was cut off goes on.")],
    data: Annotated[Path | None, typer.Option(help="Folder the recipe's labels files are relative to.")] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Several, as 0,1,2: a run of each in RUN/seed-0 …")] = None,
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Cross-validate: a run of each part in RUN/fold-0 …, one of everything in RUN/all."),
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the recipe, as video.epochs=8; may be repeated.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on a file that cannot be read.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train the networks: encoders alone, alignment, fusion. Under torchrun, in several processes."""
    learning = _training("train")
    # Of the processes that torchrun starts, one tells.
    out.quiet = err.quiet = not learning.parallel.is_first()
    runs, last = _runs(to, seed, seeds, folds), to / "all" if folds else None
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def progress(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done, total=total)

        reports = learning.learn(
            recipe,
            data,
            runs,
            progress,
            lambda line: err.print(f"heed: {line}"),
            is_strict=strict,
            changes=changes or (),
            last=last,
        )
    if len(reports) == 1:
        found, lines = reports[0], _auc_lines(reports[0], to)
    else:
        found = {"spread": learning.spread(reports[: len(runs)]), "runs": reports}
        lines = _spread_lines(found["spread"], len(runs), last or next(iter(runs)))
    if not as_json:
        out.print(lines)
    elif learning.parallel.is_first():
        sys.stdout.write(json.dumps(found, indent=2) + "\n")


@app.command(
    epilog="Example: heed export runs/first --out bundle --probe clip.mkv --metrics fights=results/metrics.json"
)
def export(
    run: Annotated[Path, typer.Argument(help="Folder that `heed train` wrote.")],
    to: Annotated[Path, typer.Option("--out", help="Folder of the bundle.")],
    probe: Annotated[
        str | None, typer.Option(help="File whose windows prove the bundle; a drawn scene if left out.")
    ] = None,
    metrics: Annotated[
        list[str] | None, typer.Option(help="NAME=metrics.json for the model card; may be repeated.")
    ] = None,
    notes: Annotated[
        Path | None, typer.Option(help="Markdown for the model card.", exists=True, dir_okay=False)
    ] = None,
    precision: Annotated[
        list[Precision] | None, typer.Option(help="Of further graphs beside the float32 ones; may be repeated.")
    ] = None,
    calibrate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[MODALITY=]LABELS",
            help="Labels file of training files to calibrate and measure these with; may be repeated.",
        ),
    ] = None,
) -> None:
    """Write a bundle of ONNX graphs from a training run."""
    learning = _training("export")
    figures = dict(_named_file(text) for text in metrics or [])
    if bool(precision) != bool(calibrate):
        raise ConfigError("export: --precision and --calibrate: one without the other; give both")
    materials = [learning.material(text) for text in calibrate or []]
    with learning.probe_source(probe) as source, progress_bar() as bar:
        task = bar.add_task("calibration", visible=bool(precision))
        name = learning.export_run(
            run,
            to,
            source,
            figures,
            notes,
            precisions=precision or (),
            materials=materials,
            progress=lambda _, done, total: bar.update(task, completed=done, total=total),
            say=lambda line: err.print(f"heed: {line}"),
        )
    out.print(f"{name} -> {to}\nnext: heed verify {to} --run {run}")


@app.command(epilog="Example: heed verify bundle --run runs/first")
def verify(
    bundle: Annotated[Path | None, typer.Argument(help="Folder of the bundle; the shipped one if left out.")] = None,
    run: Annotated[Path | None, typer.Option(help="Compare with this run's torch networks, computed now.")] = None,
    probe: Annotated[str | None, typer.Option(help="With --run: file whose windows are compared.")] = None,
    provider: Annotated[
        str | None, typer.Option(help="cpu, openvino, cuda or tensorrt; every one that runs here if left out.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Labelled files, for the AUC of each as well.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that every graph of a bundle judges here as its torch networks did."""
    from export.parity import check
    from pipeline.agreement import agreements, table

    opened, expected = open_bundle(bundle), None
    if run is not None:
        learning = _training("verify --run")
        with learning.probe_source(probe) as source:
            expected = learning.torch_reference(run, opened.folder, source)
    found = list(agreements(opened, expected, provider, labels))
    if as_json:
        sys.stdout.write(json.dumps([agreement.to_json() for agreement in found]) + "\n")
    else:
        against = "torch, computed now" if run is not None else "torch, as recorded in the bundle"
        windows = found[0].parity.num_windows
        out.print(f"{opened.name}: largest difference from {against}, over {windows} windows; tokens, then probability")
        for line in table(found):
            out.print(line)
    check(opened, [agreement.parity for agreement in found])


def _runs(to: Path, seed: int | None, seeds: str | None, folds: int | None) -> dict[Path, dict[str, int]]:
    """What each run has otherwise than the recipe, by its folder."""
    given = {} if seed is None else {"seed": seed}
    if folds is not None:
        if seeds is not None:
            raise ConfigError("train: --folds and --seeds: both; give one of them")
        return {to / f"fold-{fold}": given | {"folds": folds, "fold": fold} for fold in range(folds)}
    if seeds is None:
        return {to: given}
    try:
        numbers = [int(part) for part in seeds.split(",")]
    except ValueError:
        raise ConfigError(f"train: --seeds {seeds}: not whole numbers; write them as 0,1,2") from None
    if len(set(numbers)) < 2 or len(set(numbers)) < len(numbers):
        raise ConfigError(f"train: --seeds {seeds}: fewer than two, or one twice; write them as 0,1,2")
    return {to / f"seed-{number}": {"seed": number} for number in numbers}


def _auc_lines(report: dict[str, Any], run: Path) -> str:
    figures = ", ".join(f"{name} {auc:.3f}" for name, auc in report["validation_auc"].items())
    return f"validation AUC: {figures}\nnext: heed export {run} --out BUNDLE"


def _spread_lines(spread: dict[str, dict[str, float]], num_runs: int, run: Path) -> str:
    figures = ", ".join(f"{name} {auc['mean']:.3f} ± {auc['deviation']:.3f}" for name, auc in spread.items())
    return f"validation AUC of {num_runs} runs: {figures}\nnext: heed export {run} --out BUNDLE"


def _named_file(text: str) -> tuple[str, Path]:
    name, mark, path = text.partition("=")
    if not mark or not Path(path).is_file():
        raise ConfigError(f"export: --metrics {text}: write NAME=FILE, an existing metrics.json")
    return name, Path(path)


def _training(command: str) -> Any:
    """The training half, which the slim install does not have."""
    try:
        from pipeline import learn
    except ModuleNotFoundError as error:
        raise ConfigError(f"{command}: {error.name}: not installed; pip install 'heed[train]'") from None
    return learn
