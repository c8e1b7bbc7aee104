"""`heed evaluate`: how right the model is on labelled files, and the files that say so."""

import csv
import io
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from export.runtime import Runtime
from models.spec import MODALITIES
from pipeline.annotations.read import Format, read_annotations
from pipeline.config import Config
from pipeline.engine import open_runtime
from pipeline.errors import HeedError, SourceError
from pipeline.figures import BASELINES, figures
from pipeline.labels import listed_name, rows_by_path
from pipeline.offline import Progress, score_files
from pipeline.report.runs import Run, labels_sha256, read_runs
from pipeline.route import Router
from pipeline.score import CONDITIONS
from pipeline.scored import ScoredFile, ScoredWindow, row_windows
from pipeline.versions import versions

Warn = Callable[[str], None]
"""Told in one line what went wrong without stopping the rest."""

WINDOW_COLUMNS: Final = (
    *("path", "index", "start_seconds", "end_seconds", "score", "threshold", "label", "carrier"),
    *MODALITIES,
    *(f"{name}_contribution" for name in MODALITIES),
    *BASELINES,
    *(f"with_{name}" for name in CONDITIONS),
)
"""Columns of `windows.csv`."""


class OutputError(HeedError, OSError):
    """Results cannot be written."""


def evaluate(
    labels: Path,
    bundle: Path | None,
    config: Config,
    out: Path | None = None,
    *,
    kind: Format = Format.AUTO,
    strict: bool = False,
    route: bool = False,
    compare: Sequence[Path] = (),
    command: str | None = None,
    progress: Progress = lambda _done, _all: None,
    warn: Warn = lambda _line: None,
) -> dict[str, Any]:
    """Scores every labelled file once and computes what `metrics.json` holds.

    Args:
        labels: a labels file, the annotations of a data set, or a folder of folders named by label.
        bundle: folder of the model; none means the configuration's.
        config: `engine`, `event` and, to route, `route` are used.
        out: folder for `report.html`, `metrics.json` and `windows.csv`; none writes nothing.
        kind: form of the labels; `auto` tells it by what is in them.
        strict: whether a file that is not there or cannot be read is an error.
        route: compute only what routing asks for, as `heed watch` does.
        compare: folders of other results over the same labels, for the report.
        command: how this was asked for, for the report.
        progress: called after every batch.
        warn: called for files that are not there, every file that cannot be read and every row without a window.

    Raises:
        LabelsError: the labels are wrong.
        SourceError: not one file can be read, or `strict` and one cannot.
        BundleError: the bundle is wrong.
        ProviderError: the configured provider cannot be used.
        OutputError: `out` cannot be written.
        CompareError: a folder of `compare` holds no results over these labels, or there is no `out`.
    """
    rows = rows_by_path(read_annotations(labels, kind, strict=strict, warn=warn))
    if out is not None:
        _make_folder(out)
    others = read_runs(compare, rows, labels, has_report=out is not None)
    runtime = open_runtime(config.engine, bundle)
    router = Router(config.route, config.event) if route else None
    began = time.perf_counter()
    files, unread = score_files(rows, runtime, config, progress, strict=strict, router=router)
    speed = _speed(files, time.perf_counter() - began)
    failed = [*unread.items(), *((file.path, error) for file in files for error in _rows_without_window(file))]
    for _, error in failed:
        warn(error)
    if not files:
        raise SourceError(f"evaluate: {labels}: none of {len(rows)} files can be read; the first: {failed[0][1]}")
    manifest = runtime.bundle.manifest
    metrics = {
        "bundle": _ran(runtime),
        **figures(files, manifest.threshold, manifest.calibration.prior, config.event.confirm_windows),
        "speed": speed,
        "routing": None if router is None else _routing(router),
        "labels": {"path": str(labels), "sha256": labels_sha256(rows, labels)},
        "run": {"command": command, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC", "versions": versions()},
        "failed": [{"path": listed_name(path, labels), "error": error} for path, error in failed],
    }
    if out is not None:
        _write(out / "windows.csv", _windows_csv(files, labels))
        _write(out / "metrics.json", json.dumps(metrics, indent=2, allow_nan=False) + "\n")
        _write(out / "report.html", _report(Run("this run", metrics, files), others, labels, runtime, config))
    return metrics


def _ran(runtime: Runtime) -> dict[str, str]:
    """What judged, and on what."""
    bundle = runtime.bundle
    return {
        "name": bundle.name,
        "sha256": bundle.sha256,
        "provider": runtime.provider,
        "precision": runtime.precision,
    }


def _report(run: Run, others: Sequence[Run], labels: Path, runtime: Runtime, config: Config) -> str:
    from pipeline.report.page import page  # only who wants a report waits for what draws it

    return page(run, others, labels, runtime.spec, config.event)


def _rows_without_window(file: ScoredFile) -> Iterator[str]:
    for row in file.rows:
        if not row_windows(row, file.windows):
            stretch = f"{row.label} from {row.start_seconds or 0:g} s"
            ends = f"no window there, the file ends at {file.duration_seconds:.1f} s"
            yield f"labels: {file.path}: {stretch}: {ends}; mend the row"


def _speed(files: Sequence[ScoredFile], seconds: float) -> dict[str, float | None]:
    """Of reading and scoring together. The real-time factor is time taken over time of media: below 1 keeps up."""
    media_seconds = sum(file.duration_seconds for file in files)
    return {
        "windows_per_second": sum(len(file.windows) for file in files) / seconds,
        "real_time_factor": seconds / media_seconds if media_seconds else None,
        "media_seconds": media_seconds,
        "wall_seconds": seconds,
    }


def _routing(router: Router) -> dict[str, Any]:
    """Shares of encoder runs that were not needed."""
    return {"saved": router.saved(), "by_modality": {name: router.saved(modality=name) for name in MODALITIES}}


def _windows_csv(files: Sequence[ScoredFile], labels: Path) -> str:
    """Every window and its scores, for who wants to compute something else."""
    text = io.StringIO()
    writer = csv.DictWriter(text, WINDOW_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for file in files:
        path = listed_name(file.path, labels)
        writer.writerows({"path": path, **_window_record(window)} for window in file.windows)
    return text.getvalue()


def _window_record(window: ScoredWindow) -> dict[str, object]:
    return {
        "index": window.index,
        "start_seconds": window.start_seconds,
        "end_seconds": window.end_seconds,
        "score": window.score,
        "threshold": window.threshold,
        "label": window.label,
        "carrier": window.carrier,
        **window.others,
        **{f"{name}_contribution": value for name, value in window.contributions.items()},
        **{f"with_{name}": value for name, value in window.conditions.items()},
    }


def _make_folder(out: Path) -> None:
    """Before the work, not after it."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"evaluate: {out}: {error.strerror}; name a folder that can be written") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise OutputError(f"evaluate: {out}: not writable; name a folder that can be written")


def _write(path: Path, text: str) -> None:
    """All of the file or none of it."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise OutputError(f"evaluate: {path}: {error.strerror}; free some space or name another folder") from None
