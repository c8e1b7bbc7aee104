"""Routing: which encoders run, and what becomes of the tokens of those that do not."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.runtime import Runtime
from models.spec import MODALITIES
from pipeline.config import EventConfig, RouteConfig
from pipeline.route import Router, loudness, motion
from pipeline.score import Scorer, Scores
from pipeline.window import Window

ORIGIN = datetime(2026, 11, 22, tzinfo=UTC)
EVERYTHING = frozenset(MODALITIES)
CONFIG = RouteConfig(tolerance=5, explore_seconds=1000, near=0.5, first_windows=3)
"""Explores too rarely to be seen where it is not what a test is about."""


def scene(seed: int) -> NDArray[np.uint8]:
    """A still picture of blocks."""
    blocks = np.random.default_rng(seed).integers(40, 200, (10, 10, 3))
    return blocks.repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8)


def pictures(noise: float, seed: int, picture: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """What a still camera whose sensor makes noise sees in 2 s."""
    still = scene(0) if picture is None else picture
    grain = np.random.default_rng(seed).normal(0, noise, (16, 80, 80, 3))
    return np.clip(still + grain, 0, 255).astype(np.uint8)


def hum(amplitude: float, seed: int) -> NDArray[np.float32]:
    """2 s of noise."""
    return np.random.default_rng(seed).normal(0, amplitude, 32_000).astype(np.float32)


def window(index: int, *, source: str = "gate", session: int = 0, **changes: Any) -> Window:
    """A window in which nothing happens, but for the changes."""
    calm = Window(
        source=source,
        session=session,
        index=index,
        start_seconds=float(index),
        end_seconds=index + 2.0,
        origin=ORIGIN,
        frames=pictures(4, index),
        samples=hum(0.01, index),
        text="good morning",
        closed_at=0.0,
    )
    return replace(calm, **changes)


def computed(router: Router, each: Window, score: float = 0.0) -> frozenset[str]:
    """Whose encoder must run; the window then has this score over a threshold of 1."""
    ages = router.ages(each)
    router.note(each, score, 1.0)
    return frozenset(name for name, age in ages.items() if age == 0)


def settled(config: RouteConfig = CONFIG, num: int = 8, noise: float = 4) -> Router:
    """A router that knows the source: nothing has happened in its first windows."""
    router = Router(config, EventConfig())
    for index in range(num):
        computed(router, window(index, frames=pictures(noise, index)))
    return router


@pytest.mark.parametrize("noise", [0, 3, 12])
@pytest.mark.parametrize("loud", [0, 1e-3, 0.1])
def test_a_still_camera_keeps_its_tokens_however_noisy_it_is(noise: float, loud: float) -> None:
    router = Router(CONFIG, EventConfig())
    calm = [window(index, frames=pictures(noise, index), samples=hum(loud, index)) for index in range(40)]
    found = [computed(router, each) for each in calm]
    assert found[:3] == [EVERYTHING] * 3
    assert found[3:] == [frozenset()] * 37


def test_the_threshold_follows_the_cameras_own_noise() -> None:
    flicker = pictures(4, 99)
    flicker[8:] = np.clip(flicker[8:].astype(int) + 10, 0, 255)
    assert "video" in computed(settled(), window(8, frames=flicker))
    unrest = settled()
    for index in range(8, 60):
        computed(unrest, window(index, frames=np.clip(flicker.astype(int) + index % 3, 0, 255).astype(np.uint8)))
    assert "video" not in computed(unrest, window(60, frames=flicker))


@settings(max_examples=40, deadline=None)
@given(
    noise=st.floats(0, 10),
    num_calm=st.integers(4, 30),
    size=st.integers(20, 60),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    at=st.integers(1, 15),
    brighter=st.sampled_from([-60, 60]),
)
def test_a_sudden_movement_is_never_skipped(
    noise: float, num_calm: int, size: int, place: tuple[float, float], at: int, brighter: int
) -> None:
    router = settled(num=num_calm, noise=noise)
    y, x = (int(part * (80 - size)) for part in place)
    frames = pictures(noise, 1000)
    moved = frames[at:, y : y + size, x : x + size].astype(int) + brighter
    frames[at:, y : y + size, x : x + size] = np.clip(moved, 0, 255)
    assert "video" in computed(router, window(num_calm, frames=frames))


@settings(max_examples=40, deadline=None)
@given(start=st.integers(0, 31_000), background=st.sampled_from([0, 1e-4, 1e-2]))
def test_a_bang_is_never_skipped_wherever_it_lies(start: int, background: float) -> None:
    router = Router(CONFIG, EventConfig())
    for index in range(8):
        computed(router, window(index, samples=hum(background, index)))
    samples = hum(background, 1000)
    samples[start : start + 500] += 0.5
    assert computed(router, window(8, samples=samples)) == {"audio"}


def test_what_comes_after_a_change_of_scene_is_computed_once_more() -> None:
    router = settled()
    across = pictures(4, 8)
    across[8:] = pictures(4, 9, scene(7))[8:]
    found = [computed(router, window(8, frames=across))]
    found += [computed(router, window(index, frames=pictures(4, index, scene(7)))) for index in (9, 10)]
    assert found == [{"video"}, {"video"}, frozenset()]


def test_a_quiet_sound_of_another_pitch_is_heard_through_loud_traffic() -> None:
    time = np.arange(32_000) / 16_000
    rumble = (0.3 * np.sin(2 * np.pi * 60 * time)).astype(np.float32)
    router = Router(CONFIG, EventConfig())
    for index in range(8):
        computed(router, window(index, samples=rumble + hum(1e-3, index)))
    siren = (0.02 * np.sin(2 * np.pi * 3000 * time)).astype(np.float32)
    assert computed(router, window(8, samples=rumble + hum(1e-3, 8) + siren)) == {"audio"}


def test_new_words_are_read_and_the_same_are_not_read_again() -> None:
    router = settled()
    words = ["good morning", "hands up", "hands up", None, "hands up", "", "hands up"]
    found = [computed(router, window(index, text=text)) for index, text in enumerate(words, 8)]
    assert found == [frozenset(), {"text"}, frozenset(), frozenset(), {"text"}, frozenset(), {"text"}]


def test_what_was_away_is_computed_when_it_is_back() -> None:
    router = settled()
    assert computed(router, window(8, samples=None, frames=None)) == frozenset()
    assert computed(router, window(9)) == {"video", "audio"}
    assert computed(router, window(10)) == frozenset()


@settings(max_examples=40, deadline=None)
@given(every=st.floats(1, 20), steps=st.lists(st.integers(1, 4), min_size=10, max_size=40), others=st.integers(0, 5))
def test_no_token_is_used_longer_than_it_may(every: float, steps: list[int], others: int) -> None:
    router = Router(CONFIG.model_copy(update={"explore_seconds": every}), EventConfig())
    for other in range(others):
        computed(router, window(0, source=f"other {other}"))
    for index in np.cumsum(steps).tolist():
        assert all(0 <= age < every for age in router.ages(window(index, text=None, samples=None)).values())


def test_sources_are_explored_at_different_times() -> None:
    router = Router(CONFIG.model_copy(update={"explore_seconds": 8, "first_windows": 1}), EventConfig())
    sources = ["a", "b", "c", "d"]
    explored = {source: set[int]() for source in sources}
    for index in range(40):
        for source in sources:
            if computed(router, window(index, source=source)) == EVERYTHING and index > 8:
                explored[source].add(index % 8)
    assert all(len(times) == 1 for times in explored.values())
    assert len(set[int]().union(*explored.values())) == len(sources)


def test_a_session_begins_whole() -> None:
    router = settled()
    found = [computed(router, window(index, session=1)) for index in range(5)]
    assert found == [EVERYTHING, EVERYTHING, EVERYTHING, frozenset(), frozenset()]
    assert computed(router, window(0, session=1)) == EVERYTHING


@pytest.mark.parametrize("score", [0.5, 0.55])
def test_the_window_after_a_score_near_the_threshold_is_whole(score: float) -> None:
    router = settled()
    assert computed(router, window(8), score) == frozenset()
    assert [computed(router, window(index)) for index in (9, 10)] == [EVERYTHING, frozenset()]


def test_all_windows_are_whole_until_an_event_must_be_over() -> None:
    event = EventConfig()
    router = settled()
    computed(router, window(8), event.release)
    whole = [computed(router, window(index), 0.49) == EVERYTHING for index in range(9, 20)]
    assert whole == [index < 10 + event.merge_seconds for index in range(9, 20)]


def test_it_tells_which_share_of_encoder_runs_was_not_needed() -> None:
    router = settled(num=9)
    assert router.saved() == router.saved(source="gate") == router.saved(modality="video") == pytest.approx(6 / 9)
    computed(router, window(9, frames=None, text=None))
    assert router.saved(modality="audio") == pytest.approx(7 / 10)
    assert router.saved(source="nobody") is None
    router.forget("gate")
    assert computed(router, window(10)) == EVERYTHING


def test_pictures_that_do_not_move_have_no_motion_and_silence_is_silent() -> None:
    still = scene(1)[None].repeat(16, axis=0)
    assert motion(still).tolist() == [0]
    assert motion(still[:1]).tolist() == [0]
    assert (loudness(np.zeros(32_000, np.float32)) < -30).all()


def scored(runtime: Runtime, batches: Sequence[Sequence[Window]], config: RouteConfig = CONFIG) -> list[Scores]:
    """Scores under a threshold that no window comes near."""
    scorer = Scorer(runtime, {"gate": 1e6}, router=Router(config, EventConfig()))
    return [scores for batch in batches for scores in scorer.score(batch)]


def test_a_kept_token_is_the_one_that_was_made(runtime: Runtime) -> None:
    calm = [window(index) for index in range(6)]
    kept = scored(runtime, [[each] for each in calm])
    repeated = [replace(calm[min(index, 2)], index=index, start_seconds=float(index)) for index in range(6)]
    expected = [each for one in repeated for each in Scorer(runtime, {"gate": 1e6}).score([one])]
    assert [each.computed for each in kept] == [EVERYTHING] * 3 + [frozenset()] * 3
    assert [each.modalities["video"].age_seconds for each in kept] == [0, 0, 0, 1, 2, 3]
    same = [each.modalities["video"].score for each in kept[2:]]
    assert same == [same[0]] * 4
    assert same[0] == pytest.approx(expected[2].modalities["video"].score)


def test_everything_is_computed_without_a_router(runtime: Runtime) -> None:
    found = Scorer(runtime).score([window(0), window(1, text=None)])
    assert [each.computed for each in found] == [EVERYTHING, {"video", "audio"}]
    assert found[1].modalities["text"].age_seconds is None


def test_scores_do_not_depend_on_how_windows_are_batched(runtime: Runtime) -> None:
    calm = [window(index) for index in range(6)]
    one_by_one, together = scored(runtime, [[each] for each in calm]), scored(runtime, [calm])
    assert [each.computed for each in together] == [each.computed for each in one_by_one]
    np.testing.assert_allclose([each.anomaly for each in together], [each.anomaly for each in one_by_one], atol=1e-6)
