"""Scores of a bundle of untrained networks: they mean nothing, but are different for different windows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.bundle import Calibration, open_bundle
from export.runtime import Runtime
from models.spec import MODALITIES
from pipeline.score import CONDITIONS, Scorer, Scores
from pipeline.window import Window

ORIGIN = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def runtime(tiny_bundle: Path) -> Runtime:
    """Its calibration is so gentle that probabilities differ where logits do: the network knows its few windows."""
    bundle = open_bundle(tiny_bundle)
    lines = {"video": (0.2, 0.1), "audio": (0.3, -0.1), "text": (0.25, 0.0)}
    calibration = Calibration(anomaly=(0.2, 0.1), late=0.5, modalities=lines)
    gentle = replace(bundle, manifest=bundle.manifest.model_copy(update={"calibration": calibration}))
    return Runtime(gentle, "cpu", threads=1)


def window(source: str, index: int, *, session: int = 0, has: Sequence[str] = MODALITIES) -> Window:
    """A window of noise; the same for the same source and index."""
    random = np.random.default_rng([ord(source), index])
    frames = random.integers(0, 256, (16, 80, 80, 3), np.uint8)
    samples = random.normal(0, 0.1, 32_000).astype(np.float32)
    return Window(
        source=source,
        session=session,
        index=index,
        start_seconds=float(index),
        end_seconds=index + 2.0,
        origin=ORIGIN,
        frames=frames if "video" in has else None,
        samples=samples if "audio" in has else None,
        text=f"word number {index} of {source}" if "text" in has else None,
        closed_at=7.0,
    )


def score_singly(runtime: Runtime, windows: Sequence[Window]) -> list[Scores]:
    scorer = Scorer(runtime)
    return [scores for each in windows for scores in scorer.score([each])]


def assert_same(found: Sequence[Scores], expected: Sequence[Scores]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one.source, one.index, one.text) == (other.source, other.index, other.text)
        np.testing.assert_allclose(figures(one), figures(other), rtol=0, atol=1e-5)


def figures(scores: Scores) -> list[float]:
    """All numbers of it; what is absent is -1."""
    parts = [part for own in scores.modalities.values() for part in (own.score, own.contribution)]
    return [scores.anomaly, *scores.classes.values(), *(-1.0 if part is None else part for part in parts)]


def differ(one: Scores, other: Scores) -> bool:
    return float(np.abs(np.subtract(figures(one), figures(other))).max()) > 1e-4


def tokens_by_hand(runtime: Runtime, past: dict[int, Window]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """What fusion takes, from windows by their age."""
    tokens = np.zeros((1, 8, 3, 256), np.float32)
    present = np.zeros((1, 8, 3), np.bool_)
    for age, each in past.items():
        if each.frames is not None:
            tokens[0, 7 - age, 0], present[0, 7 - age, 0] = runtime.video(each.frames[None])[0], True
        if each.samples is not None:
            tokens[0, 7 - age, 1], present[0, 7 - age, 1] = runtime.audio(each.samples[None])[0], True
        if each.text:
            tokens[0, 7 - age, 2], present[0, 7 - age, 2] = runtime.text([each.text])[0], True
    return tokens, present


def by_hand(runtime: Runtime, past: dict[int, Window]) -> tuple[float, dict[str, float]]:
    """Logit of a window and contribution of each modality, from windows by their age, through the graphs alone."""
    tokens, present = tokens_by_hand(runtime, past)
    logit = calibrated(runtime, tokens, present)
    falls = {}
    for m, name in enumerate(MODALITIES):
        without = present.copy()
        without[..., m] = False
        falls[name] = logit - calibrated(runtime, tokens, without)
    return logit, falls


def calibrated(runtime: Runtime, tokens: NDArray[np.float32], present: NDArray[np.bool_]) -> float:
    calibration, judged = runtime.bundle.manifest.calibration, runtime.fusion(tokens, present)
    lines = [calibration.modalities[name] for name in MODALITIES]
    own = [
        scale * logit + bias
        for (scale, bias), logit, here in zip(lines, judged.modalities[0], present[0, -1], strict=True)
        if here
    ]
    if len(own) == 1:
        return float(own[0])
    scale, bias = calibration.anomaly
    loudest = np.log(np.exp(own).sum()) if own else -3.0
    return float(scale * judged.anomaly[0] + bias + calibration.late * loudest)


def test_windows_score_the_same_in_one_batch_as_one_by_one(runtime: Runtime) -> None:
    windows = [window(source, index) for index in range(2) for source in "abc"]
    windows.append(window("c", 2, has=["audio"]))
    assert_same(Scorer(runtime).score(windows), score_singly(runtime, windows))


def test_sources_do_not_influence_each_other(runtime: Runtime) -> None:
    alone = score_singly(runtime, [window("a", 0), window("a", 1)])
    among_others = score_singly(runtime, [window("a", 0), window("b", 0), window("b", 1), window("a", 1)])
    assert_same([among_others[0], among_others[3]], alone)


def test_a_window_is_judged_with_those_before_it(runtime: Runtime) -> None:
    first, second = score_singly(runtime, [window("a", 0), window("a", 1)])
    assert differ(second, score_singly(runtime, [window("a", 1)])[0])
    logit, _ = by_hand(runtime, {1: window("a", 0), 0: window("a", 1)})
    assert second.anomaly == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
    assert not differ(first, score_singly(runtime, [window("a", 0)])[0])


def test_a_new_session_and_a_clock_set_back_forget(runtime: Runtime) -> None:
    fresh = score_singly(runtime, [window("a", 1, session=1)])
    assert_same(score_singly(runtime, [window("a", 0), window("a", 1, session=1)])[1:], fresh)
    assert_same(score_singly(runtime, [window("a", 5), window("a", 1)])[1:], fresh)
    scorer = Scorer(runtime)
    scorer.score([window("a", 0)])
    scorer.forget("a")
    assert_same(scorer.score([window("a", 1)]), fresh)


def test_a_dropped_window_leaves_a_gap_of_its_age(runtime: Runtime) -> None:
    found = score_singly(runtime, [window("a", 0), window("a", 3)])[1]
    with_gap, without = (by_hand(runtime, {age: window("a", 0), 0: window("a", 3)})[0] for age in (3, 1))
    assert found.anomaly == pytest.approx(1 / (1 + np.exp(-with_gap)), abs=2e-6)
    assert abs(1 / (1 + np.exp(-with_gap)) - 1 / (1 + np.exp(-without))) > 1e-5


def test_a_window_older_than_the_context_is_forgotten(runtime: Runtime) -> None:
    fresh = score_singly(runtime, [window("a", 8)])
    assert_same(score_singly(runtime, [window("a", 0), window("a", 8)])[1:], fresh)
    assert differ(score_singly(runtime, [window("a", 1), window("a", 8)])[1], fresh[0])


@pytest.mark.parametrize("has", [["video"], ["audio", "text"], list(MODALITIES)])
def test_a_contribution_is_how_much_the_logit_falls_without_the_modality(runtime: Runtime, has: list[str]) -> None:
    past = {1: window("a", 0, has=has), 0: window("a", 1, has=has)}
    found = score_singly(runtime, [past[1], past[0]])[1]
    logit, falls = by_hand(runtime, past)
    assert found.anomaly == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
    for name, own in found.modalities.items():
        assert own.present == (name in has)
        assert own.contribution == (pytest.approx(falls[name], abs=1e-4) if name in has else None)
        assert (own.score is not None) == (name in has)


@pytest.mark.parametrize("name", CONDITIONS)
def test_a_condition_is_judged_as_a_source_that_has_those_modalities_only(runtime: Runtime, name: str) -> None:
    scorer = Scorer(runtime, conditions=CONDITIONS)
    everything = [scorer.score([window("a", index)])[0] for index in range(2)]
    expected = score_singly(runtime, [window("a", index, has=CONDITIONS[name]) for index in range(2)])
    for found, alone in zip(everything, expected, strict=True):
        assert found.conditions[name] == pytest.approx(alone.anomaly, abs=1e-5)


def test_conditions_leave_all_else_as_it_is_and_are_judged_only_when_asked_for(runtime: Runtime) -> None:
    windows = [window("a", 0), window("b", 0, has=["audio"])]
    plain = Scorer(runtime).score(windows)
    asked = Scorer(runtime, conditions={"deaf": ["video", "text"]}).score(windows)
    assert_same(asked, plain)
    assert [each.conditions for each in plain] == [{}, {}]
    assert [list(each.conditions) for each in asked] == [["deaf"], ["deaf"]]


def test_the_score_of_a_modality_alone_does_not_change_with_the_others(runtime: Runtime) -> None:
    everything = score_singly(runtime, [window("a", 0), window("a", 1)])[1].modalities
    for name in MODALITIES:
        alone = score_singly(runtime, [window("a", 1, has=[name])])[0].modalities[name]
        assert everything[name].score == pytest.approx(alone.score, abs=1e-5)
        assert everything[name].contribution != pytest.approx(alone.contribution, abs=1e-4)


def test_no_words_on_the_screen_are_nothing_to_read(runtime: Runtime) -> None:
    silent = window("a", 0, has=["video"])
    assert not Scorer(runtime).score([silent])[0].modalities["text"].present


def test_a_source_may_have_its_own_threshold(runtime: Runtime) -> None:
    mine, other = Scorer(runtime, {"a": 0.0001}).score([window("a", 0), window("b", 0)])
    assert (mine.threshold, mine.is_anomaly) == (0.0001, True)
    assert other.threshold == runtime.bundle.manifest.threshold
    higher = mine.anomaly + (1 - mine.anomaly) / 2
    assert not Scorer(runtime, {"a": higher}).score([window("a", 0)])[0].is_anomaly


def test_classes_are_probabilities_and_the_likeliest_names_it(runtime: Runtime) -> None:
    scores = Scorer(runtime).score([window("a", 0)])[0]
    assert tuple(scores.classes) == runtime.spec.labels
    assert sum(scores.classes.values()) == pytest.approx(1)
    assert scores.classes[scores.label] == max(scores.classes.values())
    assert (scores.start_seconds, scores.end_seconds, scores.origin, scores.closed_at) == (0.0, 2.0, ORIGIN, 7.0)
