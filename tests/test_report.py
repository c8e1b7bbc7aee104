"""`report.html`, through a real evaluation of small files with the tiny bundle, and parsed as a browser would."""

import base64
import csv
import json
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from media_files import level, write_media

from models.spec import Spec
from pipeline.config import Config
from pipeline.evaluate import evaluate
from pipeline.report.evidence import evidence
from pipeline.report.runs import CompareError

HOSTILE = "<img src=x onerror=alert(1)>&amp;\"'.mp4"
LABEL = "<script>alert(2)</script>"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """What a browser would find."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Into an element."""
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without anything in it."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Out of an element."""
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        """Words."""
        if data.strip() and "style" not in self.open:
            self.words.append(data.strip())

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a name."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        """All words."""
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_media(folder / "both.mp4", 4)
    write_media(folder / HOSTILE, 3, has_audio=False)
    write_media(folder / "heard.mka", 3, has_video=False)
    (folder / "read.srt").write_text("1\n00:00:00,500 --> 00:00:02,500\nGive me <the> money & run\n")
    (folder / "broken.mp4").write_text("not a video")
    quoted = HOSTILE.replace('"', '""')
    rows = ["both.mp4,0,1.5,fight,a", "both.mp4,1.5,4,normal,a", f'"{quoted}",,,{LABEL},b', "heard.mka,,,normal,c"]
    rows += ["read.srt,,,threat,d", "broken.mp4,,,normal,e"]
    (folder / "labels.csv").write_text("\n".join(["path,start_seconds,end_seconds,label,group", *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def results(clips: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("results")
    evaluate(clips / "labels.csv", tiny_bundle, Config(), out, command="heed evaluate 'my labels.csv' --out here")
    return out


@pytest.fixture(scope="module")
def page(results: Path) -> Page:
    return Page((results / "report.html").read_text())


def test_the_page_needs_nothing_beside_itself_and_runs_nothing(page: Page) -> None:
    addresses = [value for _, attributes in page.tags for key in ("src", "href") if (value := attributes.get(key))]
    assert addresses
    assert [address for address in addresses if not address.startswith(("data:image/jpeg;base64,", "#"))] == []
    assert page.named("script") == page.named("link") == []
    policies = [meta["content"] for meta in page.named("meta") if "http-equiv" in meta]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert not [key for _, attributes in page.tags for key in attributes if key.startswith("on")]


def test_the_page_is_well_formed_and_its_links_lead_somewhere(page: Page) -> None:
    assert page.unbalanced == page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"] for link in page.named("a")} <= {f"#{each}" for each in ids}
    assert all(image.get("alt") for image in page.named("img"))
    assert all(drawing.get("aria-label") or drawing.get("aria-hidden") for drawing in page.named("svg"))


def test_names_and_labels_are_words_never_markup(page: Page) -> None:
    assert HOSTILE in page.text
    assert LABEL in page.text
    assert "Give me money & run" in page.text  # <the> was mark-up of the subtitle
    assert all(image["src"] != "x" for image in page.named("img"))


def test_every_file_has_a_timeline_and_what_could_not_be_read_is_told(page: Page) -> None:
    assert len([item for item in page.named("li") if "clip" in (item.get("class") or "").split()]) == 4
    assert all(name in page.words for name in ("both.mp4", "heard.mka", "read.srt", HOSTILE))
    assert "Not used: 1" in page.text
    assert "broken.mp4" in page.text


def test_the_page_says_how_it_was_made(page: Page, results: Path) -> None:
    metrics = json.loads((results / "metrics.json").read_text())
    assert metrics["run"]["command"] == "heed evaluate 'my labels.csv' --out here"
    for told in (metrics["bundle"]["sha256"], metrics["labels"]["sha256"], metrics["run"]["command"]):
        assert told in page.text
    assert f"ONNX Runtime {metrics['run']['versions']['ONNX Runtime']}" in page.text


def test_every_score_of_the_metrics_is_in_the_table_with_its_figure_or_its_reason(page: Page, results: Path) -> None:
    metrics = json.loads((results / "metrics.json").read_text())
    for section in ("by_modality", "baselines", "by_label"):
        for name, part in metrics[section].items():
            shown = metrics["reasons"][f"{section}.{name}.auc"] if part["auc"] is None else f"{part['auc']:.3f}"
            assert f"{name.replace('_', ' ')} {part['num_anomalies']} of {part['n']}" in page.text
            assert shown in page.text


def test_a_window_is_shown_with_its_own_pictures_sound_and_words(clips: Path) -> None:
    shown = evidence({clips / "both.mp4": [1], clips / "read.srt": [0], clips / "gone.mp4": [0]}, Spec())
    assert shown.keys() == {(clips / "both.mp4", 1), (clips / "read.srt", 0)}
    both, words = shown[clips / "both.mp4", 1], shown[clips / "read.srt", 0]
    assert both.pictures is not None
    strip = decoded(both.pictures)
    first, last = strip[:, : strip.shape[1] // 3], strip[:, -strip.shape[1] // 3 :]
    assert strip.shape == (120, 3 * 180, 3)  # 96 x 64, as wide as it is
    assert np.median(first) == pytest.approx(level(25), abs=6)
    assert np.median(last) == pytest.approx(level(25 + 47), abs=6)
    assert both.spectrogram is not None
    assert both.text is None
    assert words.pictures is words.spectrogram is None
    assert words.text is not None
    assert "money & run" in words.text


def test_a_tone_is_a_line_at_its_place_in_the_spectrogram(clips: Path) -> None:
    shown = evidence({clips / "heard.mka": [0]}, Spec())[clips / "heard.mka", 0]
    assert shown.spectrogram is not None
    picture = decoded(shown.spectrogram).astype(float).sum(axis=2)
    brightest = int(picture.sum(axis=1).argmax())
    assert 8000 * (1 - (brightest + 0.5) / len(picture)) == pytest.approx(1000, abs=150)  # the beeps of media_files


def turned(results: Path, folder: Path) -> Path:
    """Other results: what scored high scores low."""
    shutil.copytree(results, folder)
    with (folder / "windows.csv").open(newline="") as file:
        records = list(csv.DictReader(file))
    with (folder / "windows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, records[0])
        writer.writeheader()
        writer.writerows({**record, "score": 1 - float(record["score"])} for record in records)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["clip"] |= {"auc": 1.0, "threshold": 0.5}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def test_other_results_stand_beside(clips: Path, tiny_bundle: Path, results: Path, tmp_path: Path) -> None:
    other = turned(results, tmp_path / "other")
    metrics = evaluate(clips / "labels.csv", tiny_bundle, Config(), tmp_path / "out", compare=[other, results])
    page = Page((tmp_path / "out" / "report.html").read_text())
    assert f"less {other}" in page.text
    assert f"less {results}" in page.text
    assert f"clip · AUC {metrics['clip']['auc']:.3f} 1.000 {metrics['clip']['auc']:.3f}" in page.text
    changed = num_changed(tmp_path / "out", other, metrics["clip"]["threshold"])
    assert f"Clips judged differently: {changed}" in page.text
    assert page.unbalanced == []


def num_changed(mine: Path, other: Path, threshold: float) -> int:
    """Whole files whose side of the threshold differs, and the two stretches of both.mp4, by hand."""
    tables: list[dict[tuple[str, int], float]] = []
    for folder in (mine, other):
        with (folder / "windows.csv").open(newline="") as file:
            tables.append({(r["path"], int(r["index"])): float(r["score"]) for r in csv.DictReader(file)})
    rows: list[tuple[str, Any]] = [("both.mp4", {0}), ("both.mp4", {1, 2, 3})]
    rows += [(name, range(9)) for name in (HOSTILE, "heard.mka", "read.srt")]
    verdicts = [
        [
            max(score for (path, index), score in table.items() if path == name and index in indices) >= limit
            for name, indices in rows
        ]
        for table, limit in zip(tables, (threshold, 0.5), strict=True)
    ]
    return sum(a != b for a, b in zip(*verdicts, strict=True))


def test_folders_that_cannot_be_compared_with_are_refused_before_any_work(
    clips: Path, results: Path, tmp_path: Path
) -> None:
    no_bundle, labels = tmp_path / "no-bundle", clips / "labels.csv"
    with pytest.raises(CompareError, match=r"empty: no metrics\.json: No such file or directory; name a folder"):
        evaluate(labels, no_bundle, Config(), tmp_path / "out", compare=[tmp_path / "empty"])
    with pytest.raises(CompareError, match="there is no report without --out"):
        evaluate(labels, no_bundle, Config(), compare=[results])
    fewer = clips / "fewer.csv"
    fewer.write_text("path,start_seconds,end_seconds,label,group\nboth.mp4,,,fight,a\n")
    with pytest.raises(CompareError, match="results of other labels than"):
        evaluate(fewer, no_bundle, Config(), tmp_path / "out", compare=[results])
    damaged = tmp_path / "damaged"
    shutil.copytree(results, damaged)
    (damaged / "windows.csv").write_text("path,index\na.mp4,nought\n")
    with pytest.raises(CompareError, match=r"windows\.csv is damaged; evaluate again"):
        evaluate(labels, no_bundle, Config(), tmp_path / "out", compare=[damaged])
    (damaged / "metrics.json").write_text("{}")
    with pytest.raises(CompareError, match=r"metrics\.json does not say of which labels; evaluate again"):
        evaluate(labels, no_bundle, Config(), tmp_path / "out", compare=[damaged])
    (damaged / "metrics.json").write_text("{")
    with pytest.raises(CompareError, match=r"metrics\.json is not JSON; evaluate again"):
        evaluate(labels, no_bundle, Config(), tmp_path / "out", compare=[damaged])


def test_one_class_only_is_said_and_drawn_without_curves(clips: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    labels = clips / "one.csv"
    labels.write_text("path,start_seconds,end_seconds,label\nheard.mka,,,normal\n")
    evaluate(labels, tiny_bundle, Config(), tmp_path)
    page = Page((tmp_path / "report.html").read_text())
    assert "No ROC and no precision-recall curve: one class only: normal." in page.text
    assert "Scores of normal and anomalous clips" in page.text
    assert page.unbalanced == []


def test_who_wants_no_report_does_not_load_what_draws_it() -> None:
    script = "import sys, pipeline.evaluate; print('jinja2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def decoded(uri: str) -> Any:
    """The picture in a data: URI, (H, W, 3)."""
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
