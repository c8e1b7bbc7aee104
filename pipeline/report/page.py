"""The page: everything put together and laid out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from models.spec import MODALITIES, Spec
from pipeline.config import EventConfig
from pipeline.labels import listed_name
from pipeline.report.chart import Figure
from pipeline.report.compare import comparison
from pipeline.report.curves import fused_series, is_ranked, other_series, precision_recall, roc
from pipeline.report.distributions import histogram, reliability, trade_off
from pipeline.report.evidence import Evidence, evidence
from pipeline.report.judged import JudgedRow, judged_files, judged_rows
from pipeline.report.runs import Run
from pipeline.report.tables import ranking, section
from pipeline.report.timeline import Timeline, timeline
from pipeline.report.words import sentences

_MOST_MISTAKES: Final = 9
"""Of each kind, with pictures."""
_MOST_OPEN: Final = 60
"""Timelines that are open when the page is."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A stretch as it stands among the worst ones."""

    name: str
    """The path as the labels file has it."""
    judged: JudgedRow
    """The stretch."""
    evidence: Evidence | None
    """Its highest window; none when the file can no longer be read."""
    senses: tuple[tuple[str, float], ...]
    """What each modality that is there says of that window alone."""


def page(run: Run, others: Sequence[Run], labels: Path, spec: Spec, config: EventConfig) -> str:
    """The page about a run.

    Args:
        run: the results.
        others: to compare them with.
        labels: the labels file.
        spec: how windows are cut.
        config: how windows become events.
    """
    parts = {**_top(run, labels), **_results(run, config), **_stretches(run, labels, spec)}
    others_too = comparison([run, *others], labels) if others else None
    html = _template().render(parts, comparison=others_too, style=Markup(_read("style.css")))  # noqa: S704 - our own
    return html.encode("utf-8", "replace").decode()  # a path may hold bytes that are no UTF-8


def _top(run: Run, labels: Path) -> dict[str, Any]:
    """What stands above and below."""
    rows = judged_rows(run.files, run.threshold)
    return {
        "title": f"{run.metrics['bundle']['name']} on {labels.name}",
        "sentences": [*sentences(run.metrics, _count(rows, False), _count(rows, True))],
        "made": [*_made(run, labels)],
        "command": run.metrics["run"]["command"],
        "failed": run.metrics["failed"],
        "threshold": run.threshold,
    }


def _results(run: Run, config: EventConfig) -> dict[str, Any]:
    """Tables and charts."""
    charts, missing = _charts(run, config)
    headings = {"event": "Events", "calibration": "Calibration", "attribution": "Attribution", "speed": "Speed"}
    return {
        "ranking": ranking(run.metrics),
        "sections": [(heading, section(run.metrics, key)) for key, heading in headings.items() if run.metrics.get(key)],
        "rule": run.metrics["event"].get("rule"),
        "charts": charts,
        "missing": missing,
    }


def _stretches(run: Run, labels: Path, spec: Spec) -> dict[str, Any]:
    """Mistakes and timelines."""
    judged = judged_files(run.files, run.threshold)
    rows = [row for each in judged for row in each.rows]
    return {
        "mistakes": _mistakes(rows, labels, spec),
        "num_wrong": sum(not row.is_right for row in rows),
        "num_rows": len(rows),
        "clips": _clips([timeline(each, listed_name(each.file.path, labels), run.threshold) for each in judged]),
    }


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_read("page.html"))


def _read(file: str) -> str:
    return (resources("pipeline.report") / file).read_text(encoding="utf-8")


def _count(rows: Sequence[JudgedRow], is_normal: bool) -> int:
    """Rows of a kind at or over the threshold."""
    return sum(row.row.is_normal == is_normal and row.score >= row.threshold for row in rows)


def _charts(run: Run, config: EventConfig) -> tuple[list[Figure], list[str]]:
    """The charts, and why others are missing."""
    fused, reasons = fused_series(run.files), run.metrics["reasons"]
    charts, missing = [], []
    if is_ranked(fused):
        series = [fused, *other_series(run.files)]
        thresholds = [run.threshold, *(None for _ in series[1:])]
        charts += [roc(series, thresholds), precision_recall(series, thresholds)]
    else:
        missing.append(f"No ROC and no precision-recall curve: {reasons.get('clip.auc', 'nothing scored')}.")
    charts.append(histogram(fused, run.threshold))
    if bins := run.metrics["calibration"].get("bins"):
        charts.append(reliability(bins, run.metrics["calibration"]["ece"]))
    if events := trade_off(run.files, config, run.threshold):
        charts.append(events)
    else:
        missing.append(f"No curve of false alarms an hour: {reasons.get('event.recall', 'no normal time')}.")
    return charts, missing


def _mistakes(rows: Sequence[JudgedRow], labels: Path, spec: Spec) -> list[tuple[str, list[Mistake]]]:
    worst = sorted(rows, key=lambda row: -row.wrongness)
    kinds = (
        ("Normal, scored highest", [row for row in worst if row.row.is_normal][:_MOST_MISTAKES]),
        ("Anomalies, scored lowest", [row for row in worst if not row.row.is_normal][:_MOST_MISTAKES]),
    )
    wanted: dict[Path, list[int]] = {}
    for row in (row for _, found in kinds for row in found):
        wanted.setdefault(row.row.path, []).append(row.peak.index)
    shown = evidence(wanted, spec)
    return [(heading, [_mistake(row, labels, shown) for row in found]) for heading, found in kinds]


def _mistake(row: JudgedRow, labels: Path, shown: dict[tuple[Path, int], Evidence]) -> Mistake:
    alone = row.peak.others
    senses = tuple((sense, score) for sense in MODALITIES if (score := alone.get(sense)) is not None)
    return Mistake(listed_name(row.row.path, labels), row, shown.get((row.row.path, row.peak.index)), senses)


def _clips(timelines: Sequence[Timeline]) -> Iterator[tuple[str, list[Timeline], bool]]:
    """Mistakes, then the rest; closed where opening them would fill the screen for long."""
    wrong = [each for each in timelines if not each.judged.is_right]
    right = [each for each in timelines if each.judged.is_right]
    yield "With a mistake", wrong, len(wrong) <= _MOST_OPEN
    yield "All right", right, len(timelines) <= _MOST_OPEN


def _made(run: Run, labels: Path) -> Iterator[tuple[str, Any]]:
    metrics, bundle, speed = run.metrics, run.metrics["bundle"], run.metrics["speed"]
    yield "Labels", labels
    yield "sha256 of the labels", metrics["labels"]["sha256"]
    yield "Files, windows", f"{len(run.files)} files, {sum(len(file.windows) for file in run.files)} windows"
    yield "Bundle", bundle["name"]
    yield "sha256 of the bundle", bundle["sha256"]
    yield "Ran on", bundle["provider"]
    factor = speed["real_time_factor"]
    keeping = "" if factor is None else f", {1 / factor:.1f} times as fast as the media play"
    yield "Speed", f"{speed['windows_per_second']:.1f} windows a second{keeping}"
    yield "When", metrics["run"]["at"]
    yield "Versions", ", ".join(f"{package} {version}" for package, version in metrics["run"]["versions"].items())
