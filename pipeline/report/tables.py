"""The tables of the page, out of whatever `metrics.json` holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from markupsafe import Markup

from pipeline.report.svg import drawing, element
from pipeline.report.words import interval, number, spoken

_HEADINGS: Final[Mapping[str, str]] = {
    "by_modality": "Each modality alone",
    "baselines": "Baselines: what a model must beat",
    "by_condition": "Fused, with modalities taken away",
    "by_label": "Each kind against normal",
}
"""Of the sections of the metrics. Others are headed by their key."""
_WHOLE: Final = {"clip": "fused, a clip", "frame": "fused, 0.1 s of labelled time"}
_RANKING: Final = ("auc", "ap", "pr_auc", "accuracy")


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure."""

    value: str
    """As written; a dash when there is none."""
    bounds: str
    """Its 95 % interval, or empty."""


@dataclass(frozen=True, slots=True)
class RankingLine:
    """How well one score tells anomalies from normal."""

    name: str
    """Whose score."""
    over: str
    """Over what."""
    cells: tuple[Cell, ...]
    """AUC, AP, PR AUC, accuracy."""
    plot: Markup | None
    """The AUC and its interval between 0 and 1."""
    reason: str | None
    """Why there is no AUC."""


@dataclass(frozen=True, slots=True)
class Group:
    """Lines under a heading."""

    heading: str
    """What they are."""
    lines: tuple[RankingLine, ...]
    """In order."""


@dataclass(frozen=True, slots=True)
class Line:
    """One figure."""

    name: str
    """In words."""
    cell: Cell
    """It."""
    reason: str | None
    """Why there is none."""


def ranking(metrics: Mapping[str, Any]) -> list[Group]:
    """Every part of the metrics that has an AUC."""
    groups = [Group("The model", tuple(_line(metrics, key, words, metrics[key]) for key, words in _WHOLE.items()))]
    for key, parts in metrics.items():
        if key not in _WHOLE and isinstance(parts, dict):
            lines = tuple(_lines(metrics, key, parts, ""))
            groups += [Group(_HEADINGS.get(key, spoken(key)), lines)] if lines else []
    return groups


def section(metrics: Mapping[str, Any], key: str) -> list[Line]:
    """The plain figures of one section; those that are missing for one reason share a line."""
    plain = [name for name, value in metrics[key].items() if value is None or isinstance(value, int | float)]
    lines = []
    for reason, names in groupby(plain, key=lambda name: metrics["reasons"].get(f"{key}.{name}")):
        if reason:
            lines.append(Line(", ".join(spoken(name, key) for name in names), Cell("–", ""), reason))
        else:
            lines += [Line(spoken(name, key), _cell(metrics[key], name), None) for name in names]
    return [*lines, *_within(metrics, key)]


def _within(metrics: Mapping[str, Any], key: str) -> Iterator[Line]:
    """The chief figure of each part of a section: of every kind, of every modality."""
    for inner, parts in metrics[key].items():
        for name, part in parts.items() if isinstance(parts, dict) else ():
            for figure in ("recall", "ece", "share"):
                if figure in part:
                    reason = metrics["reasons"].get(f"{key}.{inner}.{name}.{figure}")
                    yield Line(f"{spoken(figure, key)}, {spoken(name)}", _cell(part, figure), reason)


def figures(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, float | None]]:
    """Every figure of merit, for a comparison: dotted key, its last part, value."""
    for key in (*_WHOLE, "event", "calibration"):
        for name, value in metrics[key].items():
            if _is_merit(name, value):
                yield f"{key}.{name}", name, value
    for key, parts in metrics.items():
        for name, part in parts.items() if isinstance(parts, dict) else ():
            if isinstance(part, dict) and "auc" in part:
                yield f"{key}.{name}.auc", "auc", part["auc"]


def _is_merit(name: str, value: object) -> bool:
    is_number = value is None or isinstance(value, int | float)
    return is_number and name not in {"n", "threshold", "normal_hours"} and not name.startswith("num_")


def _lines(metrics: Mapping[str, Any], key: str, parts: Mapping[str, Any], words: str) -> Iterator[RankingLine]:
    """A line for every part that has an AUC, and for the parts within it."""
    for name, part in parts.items():
        if isinstance(part, dict):
            named = words if name == "alone" else f"{words}: {spoken(name)}" if words else spoken(name)
            named += " alone" if key.endswith(".alone") else ""
            if "auc" in part:
                yield _line(metrics, f"{key}.{name}", named, part)
            yield from _lines(metrics, f"{key}.{name}", part, named)


def _line(metrics: Mapping[str, Any], key: str, words: str, part: Mapping[str, Any]) -> RankingLine:
    auc, bounds = part["auc"], part.get("auc_ci95")
    return RankingLine(
        name=words,
        over=f"{part['num_anomalies']} of {part['n']}",
        cells=tuple(_cell(part, name) for name in _RANKING),
        plot=None if auc is None else _plot(auc, bounds),
        reason=metrics["reasons"].get(f"{key}.auc"),
    )


def _cell(part: Mapping[str, Any], name: str) -> Cell:
    return Cell(number(part[name]) if name in part else "", interval(part.get(f"{name}_ci95")))


def _plot(auc: float, bounds: list[float] | None) -> Markup:
    """A dot and its whiskers on a line from 0 to 1, chance marked."""
    parts = [element("path", class_="grid", d="M2 8H118"), element("path", class_="chance", d="M60 2V14")]
    if bounds is not None:
        low, high = (2 + 116 * bound for bound in bounds)
        parts.append(element("path", class_="line fused", d=f"M{low:.1f} 8H{high:.1f}"))
    parts.append(element("circle", class_="dot fused", cx=2 + 116 * auc, cy=8, r=3.5))
    return drawing(120, 16, f"AUC {number(auc)} {interval(bounds)}".strip(), *parts)
