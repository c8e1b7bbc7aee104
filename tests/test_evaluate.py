"""`evaluate` end to end on rendered clips with a tiny bundle, and its table.

`tiny_bundle` is a bundle of untrained networks: the figures mean nothing, but everyone can recompute them.
"""

import csv
import json
from pathlib import Path

import av
import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import average_precision_score, roc_auc_score

from models.spec import MODALITIES, Spec
from pipeline.config import Config
from pipeline.errors import LabelsError, SourceError
from pipeline.evaluate import OutputError, evaluate
from pipeline.summary import table

HEADER = "path,start_seconds,end_seconds,label,group\n"
SEEN_ONLY = "seen.mp4,,,fight,a\nstill.mp4,,,normal,b\n"


def render_video(path: Path, seconds: int, moves: bool) -> None:
    random = np.random.default_rng(seconds)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(seconds * 10):
            image = random.integers(0, 256, (64, 64, 3)) if moves else np.full((64, 64, 3), 90)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")))
        container.mux(stream.encode(None))


def render_sound(path: Path, seconds: int) -> None:
    sine = (np.sin(np.arange(seconds * 16_000) / 6) * 9000).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray(sine[None], format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def render_both(path: Path, seconds: int) -> None:
    """Pictures of noise and silence."""
    random = np.random.default_rng(seconds)
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("mpeg4", rate=10)
        pictures.width = pictures.height = 64
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for tenth in range(seconds * 10):
            image = random.integers(0, 256, (64, 64, 3), np.uint8)
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
            silence.sample_rate, silence.pts = 16_000, tenth * 1600
            container.mux(sound.encode(silence))
        container.mux(pictures.encode(None))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    render_video(folder / "seen.mp4", 5, moves=True)
    render_video(folder / "still.mp4", 4, moves=False)
    render_sound(folder / "heard.flac", 3)
    render_both(folder / "both.mkv", 3)
    (folder / "broken.mp4").write_text("not a video")
    return folder


def labelled(folder: Path, name: str, rows: str) -> Path:
    path = folder / f"{name}.csv"
    path.write_text(HEADER + rows)
    return path


def read_windows(out: Path) -> list[dict[str, str]]:
    with (out / "windows.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_figures_can_be_recomputed_from_the_windows(clips: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    rows = "seen.mp4,,,fight,a\nstill.mp4,,,normal,b\nheard.flac,,,normal,c\n"
    metrics = evaluate(labelled(clips, "three", rows), tiny_bundle, Config(), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == metrics
    windows = read_windows(tmp_path / "out")
    names = ["seen.mp4", "still.mp4", "heard.flac"]
    scores = [max(float(w["score"]) for w in windows if w["path"] == name) for name in names]
    assert metrics["clip"]["n"] == 3
    assert metrics["clip"]["auc"] == roc_auc_score([1, 0, 0], scores)
    assert metrics["clip"]["ap"] == pytest.approx(average_precision_score([1, 0, 0], scores))
    assert metrics["by_modality"]["audio"]["n"] == 1
    assert metrics["by_modality"]["video"]["n"] == 2
    assert list(metrics["by_condition"]) == ["video", "audio", "all"]
    seen = [max(float(w["with_video"]) for w in windows if w["path"] == name) for name in names[:2]]
    assert metrics["by_condition"]["video"]["auc"] == roc_auc_score([1, 0], seen)
    assert seen == pytest.approx(scores[:2])
    assert metrics["baselines"]["late_fusion_max"]["n"] == 3
    assert all(w["late_fusion_max"] == (w["video"] or w["audio"]) for w in windows)
    assert metrics["failed"] == []


def test_every_window_of_every_file_is_scored_once_and_in_order(clips: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    rows = "seen.mp4,0,2,fight,a\nseen.mp4,3,4,fight,a\nstill.mp4,,,normal,b\n"
    evaluate(labelled(clips, "twice", rows), tiny_bundle, Config(), tmp_path)
    windows = read_windows(tmp_path)
    assert [int(w["index"]) for w in windows if w["path"] == "seen.mp4"] == [0, 1, 2, 3]
    assert [int(w["index"]) for w in windows if w["path"] == "still.mp4"] == [0, 1, 2]
    assert all(float(w["start_seconds"]) == int(w["index"]) for w in windows)


def test_every_window_tells_its_kind_and_what_carried_it(clips: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    rows = "seen.mp4,,,fight,a\nheard.flac,,,normal,c\n"
    metrics = evaluate(labelled(clips, "carried", rows), tiny_bundle, Config(), tmp_path)
    windows = read_windows(tmp_path)
    assert [w["carrier"] for w in windows] == ["video"] * 4 + ["audio"] * 2
    assert {float(w["threshold"]) for w in windows} == {metrics["clip"]["threshold"]}
    assert {w["label"] for w in windows} <= set(Spec().labels)
    assert all(bool(w[name]) == bool(w[f"{name}_contribution"]) for w in windows for name in MODALITIES)


def test_files_at_work_together_score_as_files_alone(clips: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    labels = labelled(clips, "together", SEEN_ONLY)
    alone = Config.model_validate({"engine": {"max_batch": 1}})
    evaluate(labels, tiny_bundle, Config(), tmp_path / "together")
    evaluate(labels, tiny_bundle, alone, tmp_path / "alone")
    pairs = zip(read_windows(tmp_path / "together"), read_windows(tmp_path / "alone"), strict=True)
    for together, single in pairs:
        assert float(together["score"]) == pytest.approx(float(single["score"]), abs=1e-4)


def test_motion_is_measured_beside_the_model(clips: Path, tiny_bundle: Path) -> None:
    metrics = evaluate(labelled(clips, "motion", SEEN_ONLY), tiny_bundle, Config())
    assert metrics["baselines"]["frame_difference"]["auc"] == 1
    assert metrics["baselines"]["loudness"] == {"n": 0, "num_anomalies": 0, "auc": None, "ap": None, "pr_auc": None}
    assert metrics["reasons"]["baselines.loudness.auc"] == "nothing scored"


def test_a_file_that_cannot_be_read_is_told_and_does_not_stop_the_rest(clips: Path, tiny_bundle: Path) -> None:
    told: list[str] = []
    labels = labelled(clips, "broken", "broken.mp4,,,fight,x\n" + SEEN_ONLY)
    metrics = evaluate(labels, tiny_bundle, Config(), warn=told.append)
    assert metrics["clip"]["n"] == 2
    assert [failure["path"] for failure in metrics["failed"]] == ["broken.mp4"]
    assert told == [failure["error"] for failure in metrics["failed"]]
    assert "broken.mp4" in told[0]


def test_a_row_past_the_end_of_its_file_is_told(clips: Path, tiny_bundle: Path) -> None:
    told: list[str] = []
    labels = labelled(clips, "past", SEEN_ONLY + "still.mp4,30,40,fight,b\n")
    metrics = evaluate(labels, tiny_bundle, Config(), warn=told.append)
    assert metrics["clip"]["n"] == 2
    assert told == [
        f"labels: {clips / 'still.mp4'}: fight from 30 s: no window there, the file ends at 4.0 s; mend the row"
    ]


def test_no_readable_file_is_an_error_and_nothing_is_written(clips: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    labels = labelled(clips, "none", "broken.mp4,,,fight,x\n")
    with pytest.raises(SourceError, match=r"none of 1 files can be read; the first: .*broken\.mp4"):
        evaluate(labels, tiny_bundle, Config(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_wrong_labels_and_an_output_that_is_a_file_are_told_before_any_work(clips: Path, tmp_path: Path) -> None:
    no_bundle = tmp_path / "no-bundle"
    with pytest.raises(LabelsError):
        evaluate(tmp_path / "no.csv", no_bundle, Config())
    (tmp_path / "taken").touch()
    with pytest.raises(OutputError, match="taken: File exists; name a folder"):
        evaluate(labelled(clips, "early", SEEN_ONLY), no_bundle, Config(), tmp_path / "taken")


def test_progress_goes_up_to_all_files(clips: Path, tiny_bundle: Path) -> None:
    told: list[tuple[float, int]] = []
    labels = labelled(clips, "progress", SEEN_ONLY)
    evaluate(labels, tiny_bundle, Config(), progress=lambda done, everything: told.append((done, everything)))
    assert told == sorted(told)
    assert told[-1] == (2, 2)


def test_the_table_has_the_figures_and_why_others_are_missing(clips: Path, tiny_bundle: Path) -> None:
    metrics = evaluate(labelled(clips, "table", SEEN_ONLY), tiny_bundle, Config())
    console = Console(width=120)
    with console.capture() as capture:
        console.print(table(metrics))
    text = capture.get()
    assert metrics["bundle"]["sha256"][:12] in text
    assert f"{metrics['clip']['auc']:.3f} (" in text
    assert "no intervals: every anomaly row is a whole clip" in text
    assert "frame difference baseline" in text
    assert all(f"{name} alone" in text for name in MODALITIES)


def test_conditions_are_in_the_table_where_a_clip_has_more_than_one_modality(clips: Path, tiny_bundle: Path) -> None:
    labels = labelled(clips, "both", "both.mkv,,,fight,a\nstill.mp4,,,normal,b\n")
    metrics = evaluate(labels, tiny_bundle, Config())
    both = metrics["by_condition"]["video_audio"]
    assert (both["n"], list(both["alone"]), both["num_windows"]) == (1, ["video", "audio"], 2)
    console = Console(width=140)
    with console.capture() as capture:
        console.print(table(metrics))
    assert "AUC, given video only" in capture.get()
    assert "AUC, given video + audio only" in capture.get()
