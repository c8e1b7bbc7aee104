"""Draws what routing saves and costs: python docs/routing.py NAME=LABELS… > table.md; writes docs/routing.svg.

Every window is read and encoded once; each tolerance has its own router, scorer and events over it. Needs heed[train].
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from export.bundle import open_bundle
from export.runtime import Runtime
from pipeline.annotations.read import Format, read_annotations
from pipeline.config import EventConfig, RouteConfig
from pipeline.event import events
from pipeline.event_figures import verdict
from pipeline.labels import Row, rows_by_path
from pipeline.media import open_media
from pipeline.metrics import roc_auc
from pipeline.offline import found_events
from pipeline.route import Router
from pipeline.score import Scorer, Scores
from pipeline.scored import ScoredFile, ScoredWindow, fused, row_scores, row_windows
from pipeline.window import Window, windows

TOLERANCES: Final = (0, 3, 8, 20, 1000)
OUT: Final = Path(__file__).with_suffix(".svg")
EVENT: Final = EventConfig()

Encode = Callable[[Any], NDArray[np.float32]]


class OnceRuntime(Runtime):
    """Encodes the same window once, however many scorers ask for it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """As `Runtime`."""
        super().__init__(*arguments, **options)
        self._tokens: dict[int, NDArray[np.float32]] = {}

    def video(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Frames (B, T, H, W, 3) to tokens (B, D)."""
        return self._once(super().video, frames)

    def audio(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Samples (B, S) to tokens (B, D)."""
        return self._once(super().audio, samples)

    def text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Words of B windows to tokens (B, D)."""
        return self._once(super().text, texts)

    def _once(self, encode: Encode, parts: Any) -> NDArray[np.float32]:
        (part,) = parts
        key = hash(part if isinstance(part, str) else part.tobytes())
        if key not in self._tokens:
            self._tokens = dict(list(self._tokens.items())[-8:]) | {key: encode(parts)}
        return self._tokens[key]


@dataclass(slots=True)
class Judged:
    """A labels file under one tolerance."""

    router: Router | None
    scorer: Scorer
    files: list[ScoredFile] = field(default_factory=list)

    def push(self, path: Path, rows: Sequence[Row], scores: Sequence[Scores]) -> None:
        """Adds a file."""
        kept = [_kept(each) for each in scores]
        told = found_events(events(scores, EVENT))
        self.files.append(ScoredFile(path, tuple(rows), kept[-1].end_seconds, tuple(kept), told))

    def auc(self) -> float | None:
        """Over rows, as `heed evaluate` has it; None for material of one kind."""
        rows = [(row, mine) for file in self.files for row in file.rows if (mine := row_windows(row, file.windows))]
        scores, positive = row_scores(rows, fused)
        return float(roc_auc(scores, positive)) if 0 < positive.sum() < len(positive) else None

    def num_found(self) -> int:
        """Anomalies that an event told of."""
        return sum(each.delay_seconds is not None for each in verdict(self.files).anomalies)


def measure(labels: Path, runtime: Runtime) -> list[Judged]:
    """Judges a labels file without routing, and then with each tolerance."""
    routers = [None, *(Router(RouteConfig(tolerance=value), EVENT) for value in TOLERANCES)]
    judged = [Judged(router, Scorer(runtime, router=router)) for router in routers]
    for path, rows in rows_by_path(read_annotations(labels, Format.AUTO)).items():
        scores = [_score(window, judged) for window in _windows(path, runtime)]
        for each, mine in zip(judged, zip(*scores, strict=True), strict=True):
            each.push(path, rows, mine)
            each.scorer.forget(str(path))
    return judged


def draw(measured: dict[str, list[Judged]]) -> Figure:
    """Share saved against AUC lost, and against the tolerance."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    cost, share = figure.subplots(1, 2)
    for number, (name, (whole, *routed)) in enumerate(measured.items()):
        style = {"marker": "o", "color": f"C{number}"}
        saved = [100 * _saved(each) for each in routed]
        share.plot(range(len(TOLERANCES)), saved, label=name, **style)
        if (auc := whole.auc()) is not None:
            lost = [100 * (auc - (each.auc() or 0)) for each in routed]
            cost.plot(saved, lost, label=f"{name}: AUC {auc:.3f} with everything", **style)
    cost.axhline(0.5, color="grey", linestyle=":")
    cost.set(xlabel="encoder runs saved, %", ylabel="AUC points lost")
    share.set(xlabel="tolerance", ylabel="encoder runs saved, %", ylim=(0, 100))
    share.set_xticks(range(len(TOLERANCES)), map(str, TOLERANCES))
    cost.legend(fontsize="small")
    share.legend(fontsize="small")
    return figure


def table(measured: dict[str, list[Judged]]) -> str:
    """The same in Markdown."""
    lines = ["| material | tolerance | runs saved | of video | AUC | anomalies told |", "|---|---|---|---|---|---|"]
    for name, (whole, *routed) in measured.items():
        lines.append(f"| {name} | everything computed | – | – | {_auc(whole)} | {whole.num_found()} |")
        for tolerance, each in zip(TOLERANCES, routed, strict=True):
            shares = f"{_saved(each):.1%} | {_saved(each, 'video'):.1%}"
            lines.append(f"| | {tolerance} | {shares} | {_auc(each)} | {each.num_found()} |")
    return "\n".join(lines) + "\n"


def _windows(path: Path, runtime: Runtime) -> list[Window]:
    with open_media(str(path), runtime.spec) as media:
        return list(windows(media, str(path), runtime.spec, datetime.now(UTC)))


def _score(window: Window, judged: Sequence[Judged]) -> list[Scores]:
    return [each.scorer.score([window])[0] for each in judged]


def _kept(scores: Scores) -> ScoredWindow:
    times = (scores.index, scores.start_seconds, scores.end_seconds)
    return ScoredWindow(*times, scores.anomaly, scores.threshold, scores.label, {}, {})


def _saved(judged: Judged, modality: str | None = None) -> float:
    return (judged.router and judged.router.saved(modality=modality)) or 0.0


def _auc(judged: Judged) -> str:
    auc = judged.auc()
    return "–" if auc is None else f"{auc:.4f}"


if __name__ == "__main__":
    runtime = OnceRuntime(open_bundle(None), "cpu")
    pairs = (argument.partition("=") for argument in sys.argv[1:])
    measured = {name: measure(Path(labels), runtime) for name, _, labels in pairs}
    draw(measured).savefig(OUT)
    sys.stdout.write(table(measured))
