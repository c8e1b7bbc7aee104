"""Results of `heed evaluate`: those at hand, and those in other folders that they are compared with."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import HeedError
from pipeline.labels import Row, listed_name
from pipeline.scored import ScoredFile, ScoredWindow


class CompareError(HeedError, ValueError):
    """A folder's results cannot be compared with."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Run:
    """Results over a labels file."""

    name: str
    """What the page calls it."""
    metrics: Mapping[str, Any]
    """What `metrics.json` holds."""
    files: Sequence[ScoredFile]
    """What was scored; of other runs without events."""

    @property
    def threshold(self) -> float:
        """At or over it a window is an anomaly."""
        return float(self.metrics["clip"]["threshold"])


def labels_sha256(rows: Mapping[Path, Sequence[Row]], labels: Path) -> str:
    """A hash of what the labels say, however their file is written and wherever it lies."""
    said = [
        (listed_name(row.path, labels), row.start_seconds, row.end_seconds, row.label, row.group)
        for found in rows.values()
        for row in found
    ]
    return hashlib.sha256("\n".join(sorted(map(repr, said))).encode("utf-8", "surrogateescape")).hexdigest()


def read_runs(
    folders: Sequence[Path], rows: Mapping[Path, Sequence[Row]], labels: Path, *, has_report: bool
) -> list[Run]:
    """Reads the results in folders that a report compares with.

    Raises:
        CompareError: one is not what it should be, or there will be no report.
    """
    if folders and not has_report:
        raise CompareError(f"compare: {folders[0]}: there is no report without --out; name its folder")
    return [read_run(folder, rows, labels) for folder in folders]


def read_run(folder: Path, rows: Mapping[Path, Sequence[Row]], labels: Path) -> Run:
    """Reads the results in a folder.

    Args:
        folder: what `heed evaluate --out` wrote.
        rows: the labels at hand, by file.
        labels: their file.

    Raises:
        CompareError: there are no results, they cannot be read, or they are of other labels.
    """
    metrics = _metrics(folder)
    if metrics["labels"]["sha256"] != labels_sha256(rows, labels):
        raise CompareError(f"compare: {folder}: results of other labels than {labels}; evaluate them with these")
    found = _windows(folder)
    files = [
        ScoredFile(path, tuple(rows[path]), max(window.end_seconds for window in mine), tuple(mine), ())
        for path in rows
        if (mine := found.get(listed_name(path, labels)))
    ]
    return Run(str(folder), metrics, files)


def _metrics(folder: Path) -> dict[str, Any]:
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"no metrics.json: {error.strerror}; name a folder that `heed evaluate --out` wrote"
        raise CompareError(f"compare: {folder}: {problem}") from None
    except ValueError:
        raise CompareError(f"compare: {folder}: metrics.json is not JSON; evaluate again") from None
    if not isinstance(metrics, dict) or "labels" not in metrics:
        raise CompareError(f"compare: {folder}: metrics.json does not say of which labels; evaluate again")
    return metrics


def _windows(folder: Path) -> dict[str, list[ScoredWindow]]:
    found: dict[str, list[ScoredWindow]] = {}
    try:
        with (folder / "windows.csv").open(encoding="utf-8", newline="") as file:
            for record in csv.DictReader(file):
                found.setdefault(record["path"], []).append(_window(record))
    except OSError as error:
        raise CompareError(f"compare: {folder}: no windows.csv: {error.strerror}; evaluate again") from None
    except (ValueError, KeyError, TypeError, csv.Error):
        raise CompareError(f"compare: {folder}: windows.csv is damaged; evaluate again") from None
    return found


def _window(record: Mapping[str, str]) -> ScoredWindow:
    return ScoredWindow(
        index=int(record["index"]),
        start_seconds=float(record["start_seconds"]),
        end_seconds=float(record["end_seconds"]),
        score=float(record["score"]),
        threshold=float(record["threshold"]),
        label=record["label"],
        others={},
        contributions={},
    )
