"""Whether the sense that carries an anomaly is the one that shows it, on cases worked by hand."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from models.spec import MODALITIES
from pipeline.attribution import attribution
from pipeline.figures import figures
from pipeline.labels import Row
from pipeline.reasons import Reasons
from pipeline.scored import ScoredFile, ScoredRow, ScoredWindow
from pipeline.summary import table


def window(score: float, *contributions: float | None) -> ScoredWindow:
    return ScoredWindow(
        index=0,
        start_seconds=0.0,
        end_seconds=2.0,
        score=score,
        threshold=0.5,
        label="fight",
        others={},
        contributions=dict(zip(MODALITIES, contributions, strict=True)),
    )


def shown(modality: str | None, *windows: ScoredWindow, label: str = "fight") -> ScoredRow:
    return Row(Path("a.mkv"), 0.0, 2.0, label, "a", modality), list(windows)


def test_the_window_with_the_highest_score_is_asked_for_what_carried_it() -> None:
    reasons: Reasons = {}
    rows = [
        shown("video", window(0.6, -1, 2, 0), window(0.9, 3, 1, None)),  # right
        shown("video", window(0.7, 1, 1.5, 0)),  # the ear is said to carry it
        shown("audio", window(0.5, None, 0.1, None)),  # right, just detected
        shown("audio", window(0.49, 0, 3, 0)),  # not detected
        shown("video+audio", window(0.9, 3, 1, 0)),  # two senses
        shown(None, window(0.9, 3, 1, 0)),
        shown("text", window(0.9, 3, 1, 0), label="normal"),
    ]
    assert attribution(rows, 0.5, reasons) == {
        "n": 3,
        "right": 2,
        "share": 2 / 3,
        "by_modality": {
            "video": {"n": 2, "right": 1, "share": 0.5},
            "audio": {"n": 1, "right": 1, "share": 1.0},
            "text": {"n": 0, "right": 0, "share": None},
        },
    }
    assert reasons == {"attribution.by_modality.text.share": "no such anomaly detected"}


def test_without_rows_that_name_one_sense_there_is_no_such_figure() -> None:
    reasons: Reasons = {}
    assert (
        attribution([shown(None, window(0.9, 1, 0, 0)), shown("audio+text", window(0.9, 1, 0, 0))], 0.5, reasons)
        is None
    )
    assert reasons == {"attribution": "no anomaly row names one modality"}


def test_the_figures_and_the_table_tell_it() -> None:
    row, windows = shown("video", window(0.9, 3, 1, 0))
    file = ScoredFile(path=row.path, rows=(row,), duration_seconds=2.0, windows=tuple(windows), events=())
    found = figures([file], 0.5, 0.5, 1)
    assert found["attribution"]["share"] == 1
    speed = {"windows_per_second": 1.0, "real_time_factor": 1.0, "media_seconds": 2.0, "wall_seconds": 2.0}
    text = StringIO()
    Console(file=text, width=200).print(
        table({"bundle": {"name": "a", "sha256": "0", "provider": "cpu"}, "speed": speed, **found})
    )
    assert "video 1 of 1, audio 0 of 0, text 0 of 0" in text.getvalue()
