"""The figures of `metrics.json` on small cases worked by hand."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

from models.spec import MODALITIES
from pipeline.event_figures import RULE
from pipeline.figures import BASELINES, figures
from pipeline.labels import Row
from pipeline.score import CONDITIONS
from pipeline.scored import FoundEvent, ScoredFile, ScoredWindow, row_windows

NOTHING: dict[str, float | None] = dict.fromkeys((*MODALITIES, *BASELINES))


def row(start: float | None, end: float | None, label: str, group: str | None = None) -> Row:
    return Row(Path("a.mp4"), start, end, label, group)


def window(
    index: int, score: float, conditions: dict[str, float] | None = None, **others: float | None
) -> ScoredWindow:
    return ScoredWindow(
        index=index,
        start_seconds=float(index),
        end_seconds=index + 2.0,
        score=score,
        threshold=0.5,
        label="fight",
        others={**NOTHING, **others},
        contributions={name: None if others.get(name) is None else 0.0 for name in MODALITIES},
        conditions={**dict.fromkeys(CONDITIONS, score), **(conditions or {})},
    )


def clip(name: str, label: str, *windows: ScoredWindow) -> ScoredFile:
    """A file that is one row."""
    return ScoredFile(Path(name), (row(None, None, label, name),), len(windows) + 1, windows, ())


def scored(
    rows: list[Row], scores: list[float], duration: float, events: list[tuple[float, float, float]] | None = None
) -> ScoredFile:
    return ScoredFile(
        path=Path("a.mp4"),
        rows=tuple(rows),
        duration_seconds=duration,
        windows=tuple(window(index, score) for index, score in enumerate(scores)),
        events=tuple(FoundEvent((start, end), decided) for start, end, decided in events or ()),
    )


def measured(*files: ScoredFile, threshold: float = 0.5) -> dict[str, Any]:
    result = figures(files, threshold, prior=0.5, confirm_windows=2)
    json.dumps(result, allow_nan=False)
    return result


def test_a_row_owns_the_windows_with_their_centre_in_it() -> None:
    windows = [window(index, 0) for index in range(8)]  # centres 1, 2, … 8
    assert [w.index for w in row_windows(row(2, 5, "fight"), windows)] == [1, 2, 3]
    assert [w.index for w in row_windows(row(None, None, "fight"), windows)] == list(range(8))
    assert [w.index for w in row_windows(row(7.5, None, "fight"), windows)] == [7]


def test_a_row_without_a_centre_owns_the_window_that_overlaps_it_most() -> None:
    windows = [window(index, 0) for index in range(4)]
    assert [w.index for w in row_windows(row(4.2, 4.9, "fight"), windows)] == [3]
    assert row_windows(row(5.5, 6, "fight"), windows) == []
    assert row_windows(row(0, 1, "fight"), []) == []


def test_the_modality_that_contributes_most_carries_a_window() -> None:
    heard = replace(window(0, 0.9), contributions={"video": -0.5, "audio": 2.0, "text": None})
    assert heard.carrier == "audio"
    assert replace(heard, contributions={"video": -0.5, "audio": -2.0, "text": None}).carrier == "video"
    assert replace(heard, contributions=dict.fromkeys(MODALITIES)).carrier is None


def test_a_clip_scores_as_its_highest_window() -> None:
    whole = measured(
        scored([row(None, None, "fight", "a")], [0.1, 0.9], 3),
        scored([row(None, None, "fight", "b")], [0.3, 0.2], 3),
        scored([row(None, None, "normal", "c")], [0.0, 0.4], 3),
        scored([row(None, None, "normal", "d")], [0.2, 0.1], 3),
    )["clip"]
    truth, scores = [1, 1, 0, 0], [0.9, 0.3, 0.4, 0.2]
    assert (whole["n"], whole["num_anomalies"]) == (4, 2)
    assert whole["auc"] == roc_auc_score(truth, scores)
    assert whole["ap"] == pytest.approx(average_precision_score(truth, scores))
    precision, recall, _ = precision_recall_curve(truth, scores)
    assert whole["pr_auc"] == pytest.approx(auc(recall, precision))
    assert whole["accuracy"] == 0.75
    assert whole["auc_ci95"][0] <= whole["auc"] <= whole["auc_ci95"][1]


def test_one_class_only_is_null_with_a_reason() -> None:
    result = measured(scored([row(None, None, "fight")], [0.9, 0.9], 3))
    assert result["clip"]["auc"] is None
    assert result["clip"]["auc_ci95"] is None
    assert result["clip"]["accuracy"] == 1
    assert result["reasons"]["clip.auc"] == "one class only: anomaly"
    assert result["reasons"]["frame.ap"] == "one class only: anomaly"
    assert result["reasons"]["by_label.fight.auc"] == "one class only: anomaly"
    assert result["reasons"]["by_modality.audio.auc"] == "nothing scored"
    assert result["reasons"]["event.recall"] == "no intervals: every anomaly row is a whole clip"
    assert result["reasons"]["event.false_alarms_per_hour"] == "no normal time long enough for an event"


def test_every_null_has_a_reason_and_every_reason_a_null() -> None:
    result = measured(scored([row(1, 2, "fight")], [0.9, 0.9], 3), scored([row(None, None, "normal")], [0.1], 1))
    nulls = set[str]()

    def walk(value: object, key: str) -> None:
        if isinstance(value, dict):
            for name, inner in value.items():
                walk(inner, f"{key}.{name}" if key else name)
        elif value is None:
            nulls.add(key)

    walk(result, "")
    assert nulls == set(result["reasons"])
    assert "by_modality.video.auc" in nulls


def test_a_cell_of_time_scores_the_mean_of_the_windows_over_it() -> None:
    # 0-1 s: 0.2; 1-2 s: mean of 0.2 and 0.8; 2-3 s: 0.8. Anomaly from 2 s on.
    frame = measured(scored([row(2, 3, "fight")], [0.2, 0.8], 3))["frame"]
    truth, scores = np.repeat([0, 0, 1], 10), np.repeat([0.2, 0.5, 0.8], 10)
    assert frame["n"] == 30
    assert frame["auc"] == roc_auc_score(truth, scores) == 1
    frame = measured(scored([row(1, 2, "fight")], [0.2, 0.8], 3))["frame"]
    assert frame["auc"] == roc_auc_score(np.repeat([0, 1, 0], 10), scores) == 0.5


def test_time_that_no_row_covers_counts_for_nothing_when_normal_is_labelled() -> None:
    frame = measured(scored([row(0, 1, "fight"), row(1, 2, "normal")], [0.2, 0.8, 0.9, 0.9], 5))["frame"]
    assert frame["n"] == 20
    frame = measured(scored([row(0, 1, "fight")], [0.2, 0.8, 0.9, 0.9], 5))["frame"]
    assert frame["n"] == 50


def test_time_that_no_window_covers_has_no_score() -> None:
    assert measured(scored([row(0, 1, "fight")], [0.2], 10))["frame"]["n"] == 20


def test_events_are_matched_counted_and_timed() -> None:
    hour = 3600.0
    event = measured(
        scored([row(10, 20, "fight"), row(100, 110, "fire")], [0.1] * 2, hour, [(11, 21, 13), (500, 503, 502)]),
        scored([row(50, 60, "fight")], [0.1] * 2, hour, [(48, 70, 49), (61.5, 75, 63)]),
    )["event"]
    assert (event["num_anomalies"], event["num_found"], event["num_false"]) == (3, 2, 1)
    assert event["precision"] == pytest.approx(2 / 3)
    assert event["recall"] == pytest.approx(2 / 3)
    assert event["f1"] == pytest.approx(2 / 3)
    assert event["false_alarms_per_hour"] == pytest.approx(1 / (2 - 30 / hour))
    assert event["delay_seconds_p50"] == 1.5  # 3 s late and, decided before it began, 0
    assert event["delay_seconds_p95"] == pytest.approx(2.85)


def test_the_rule_of_matching_is_told_in_seconds() -> None:
    event = measured(scored([row(1, 2, "fight")], [0.1] * 2, 10))["event"]
    assert event["rule"] == RULE
    assert "2 s at both ends" in RULE


def test_an_event_that_began_long_before_an_anomaly_has_not_found_it() -> None:
    lasting = scored([row(100, 110, "fight")], [0.1] * 2, 400, [(0, 300, 3)])
    event = measured(lasting)["event"]
    assert (event["num_found"], event["num_false"]) == (0, 1)
    assert event["delay_seconds_p50"] is None
    early = measured(scored([row(100, 110, "fight")], [0.1] * 2, 400, [(96, 130, 99)]))["event"]
    assert (early["num_found"], early["num_false"]) == (1, 0)  # it was decided 1 s before, within the 2 s


def test_a_further_event_on_a_found_anomaly_is_neither_right_nor_false() -> None:
    event = measured(scored([row(10, 30, "fight")], [0.1] * 2, 60, [(10, 14, 13), (22, 30, 25)]))["event"]
    assert (event["num_found"], event["num_repeated"], event["num_false"]) == (1, 1, 0)
    assert (event["precision"], event["delay_seconds_p50"]) == (1, 3)


def test_of_each_kind_it_is_told_how_many_were_found() -> None:
    rows = [row(10, 20, "fight"), row(18, 25, "gun_shot"), row(50, 55, "fight"), row(80, 85, "fire")]
    event = measured(scored(rows, [0.1] * 2, 200, [(11, 15, 14), (80, 84, 83)]))["event"]
    assert event["by_label"] == {
        "fight": {"num_anomalies": 2, "num_found": 1, "recall": 0.5},
        "fire": {"num_anomalies": 1, "num_found": 1, "recall": 1},
        "gun_shot": {"num_anomalies": 1, "num_found": 1, "recall": 1},  # one stretch with the first fight
    }
    assert (event["num_anomalies"], event["num_found"]) == (3, 2)


def test_few_minutes_without_a_false_alarm_prove_little() -> None:
    event = measured(scored([row(None, None, "normal")], [0.1] * 2, 204))["event"]
    assert event["false_alarms_per_hour"] == 0
    assert event["false_alarms_per_hour_ci95"] == pytest.approx([0, 65.1], abs=0.05)  # 3.689 in 3.4 minutes


def test_an_event_in_unlabelled_time_is_no_false_alarm() -> None:
    rows = [row(10, 20, "fight"), row(40, 50, "normal")]
    event = measured(scored(rows, [0.1] * 2, 100, [(80, 85, 82)]))["event"]
    assert event["num_false"] == 0
    event = measured(scored(rows, [0.1] * 2, 100, [(48, 85, 82)]))["event"]
    assert event["num_false"] == 1
    assert event["false_alarms_per_hour"] == pytest.approx(360)


def test_files_too_short_for_an_event_add_no_normal_hours() -> None:
    event = measured(scored([row(None, None, "normal")], [0.1], 2.5), scored([row(0, 1, "fight")], [0.1], 2))["event"]
    assert event["normal_hours"] == 0
    assert event["false_alarms_per_hour"] is None


def test_calibration_takes_the_windows_centred_in_labelled_time() -> None:
    # centres 1, 2, 3, 4: two in the anomaly, one in the normal row, one in neither
    calibration = measured(scored([row(0, 2.5, "fight"), row(2.5, 3.5, "normal")], [1, 0.5, 0.5, 0], 5))["calibration"]
    assert calibration["n"] == 3
    assert calibration["brier"] == pytest.approx((0 + 0.25 + 0.25) / 3)
    assert calibration["ece"] == pytest.approx(0)  # of the two halves one happened
    assert measured(scored([row(None, None, "fight")], [1], 0.5))["calibration"]["n"] == 1


def test_calibration_is_told_in_bins_and_apart_for_modalities_and_kinds() -> None:
    calibration = measured(
        clip("a", "siren", window(0, 1.0, audio=0.8)),
        clip("b", "fight", window(0, 0.6, audio=0.2, video=0.9)),
        clip("c", "normal", window(0, 0.62, video=0.1)),
    )["calibration"]
    low, high = calibration["bins"]
    assert (low["lower"], low["upper"], low["n"]) == (pytest.approx(9 / 15), pytest.approx(10 / 15), 2)
    assert (low["mean_probability"], low["share_anomalous"]) == (pytest.approx(0.61), 0.5)
    assert (high["lower"], high["upper"], high["n"]) == (pytest.approx(14 / 15), 1, 1)
    assert calibration["ece"] == pytest.approx(2 / 3 * 0.11)
    assert "15 bins of equal width" in calibration["binning"]
    assert calibration["by_modality"]["video"] == {
        "n": 2,
        "num_anomalies": 1,
        "ece": pytest.approx(0.1),
        "brier": pytest.approx(0.01),
        "ece_at_share": pytest.approx(0.1),
    }
    assert calibration["by_modality"]["audio"]["brier"] == pytest.approx((0.04 + 0.64) / 2)
    assert calibration["by_modality"]["text"]["ece"] is None
    assert calibration["by_label"]["siren"]["n"] == 2
    assert calibration["by_label"]["siren"]["brier"] == pytest.approx(0.62**2 / 2)
    assert calibration["by_label"]["fight"]["brier"] == pytest.approx((0.4**2 + 0.62**2) / 2)


def test_a_missing_modality_is_measured_beside_what_is_left_on_the_same_rows() -> None:
    result = measured(
        clip("a", "siren", window(0, 0.9, {"video": 0.2, "audio": 0.8}, video=0.3, audio=0.9)),
        clip("b", "normal", window(0, 0.1, {"video": 0.5, "audio": 0.1}, video=0.4, audio=0.1)),
        clip("c", "normal", window(0, 0.6, video=0.6)),
    )["by_condition"]
    assert {name: part["n"] for name, part in result.items()} == {"video": 3, "audio": 2, "video_audio": 2, "all": 3}
    assert (result["video"]["auc"], result["video"]["accuracy"]) == (0, 0)
    assert (result["audio"]["auc"], result["audio"]["accuracy"]) == (1, 1)
    both = result["video_audio"]
    assert (both["auc"], both["ap"], both["pr_auc"], both["accuracy"]) == (1, 1, 1, 1)
    assert (both["ece"], both["brier"]) == (pytest.approx(0.1), pytest.approx(0.01))
    assert (both["alone"]["video"]["auc"], both["alone"]["audio"]["auc"]) == (0, 1)  # 0.3 against 0.4, 0.9 against 0.1
    assert (both["late_fusion_max"]["auc"], both["late_fusion_mean"]["auc"]) == (1, 1)
    assert result["all"]["accuracy"] == pytest.approx(2 / 3)


def test_a_row_has_a_modality_that_one_of_its_windows_has() -> None:
    said = clip("a", "threat", window(0, 0.1, {"text": 0.9}), window(1, 0.2, {"text": 0.3}, text=0.8))
    calm = clip("b", "normal", window(0, 0.1, {"text": 0.6}, text=0.1))
    text = measured(said, calm)["by_condition"]["text"]
    assert (text["n"], text["auc"]) == (2, 1)  # 0.9 against 0.6: without a word, too, fusion has its say
    assert text["num_windows"] == 2
    assert text["brier"] == pytest.approx((0.7**2 + 0.6**2) / 2)


def test_a_modality_is_measured_where_it_is_present() -> None:
    files = [
        clip("a", "siren", window(0, 0.1, audio=0.9, video=0.3)),
        clip("b", "normal", window(0, 0.2, audio=0.4)),
        clip("c", "normal", window(0, 0.3, video=0.1, loudness=-3)),
    ]
    result = measured(*files)
    assert {name: part["n"] for name, part in result["by_modality"].items()} == {"video": 2, "audio": 2, "text": 0}
    assert result["by_modality"]["audio"]["auc"] == 1
    assert result["clip"]["auc"] == 0
    assert result["baselines"]["loudness"]["n"] == 1


def test_a_label_is_measured_against_the_normal_rows() -> None:
    result = measured(
        scored([row(None, None, "siren")], [0.9], 2),
        scored([row(None, None, "fight")], [0.1], 2),
        scored([row(None, None, "normal")], [0.5], 2),
    )
    assert result["by_label"]["siren"]["auc"] == 1
    assert result["by_label"]["fight"]["auc"] == 0
    assert list(result["by_label"]) == ["fight", "siren"]
