"""Scripted scenes: what is rendered, and what is said about it."""

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.scene import Act, Scene, demo_scene, label_rows, random_scene, render, render_sound, write_labels
from pipeline.scene.brush import Floats
from pipeline.scene.cast import PLAYS, Person, meeting
from pipeline.scene.motion import Joint
from pipeline.scene.script import ORDINARY_LINES, THREAT_LINES
from pipeline.scene.sound import ALARMS, NOISES, RATE

SHORT = Scene(
    seed=3,
    duration_seconds=3,
    acts=(
        Act(0.2, 1.2, text="Good morning."),
        Act(1.4, 2.2, "fight"),
        Act(2.0, 2.8, "threat", "I will hurt you."),
    ),
    width=160,
    height=90,
)
SMALL = replace(SHORT, width=64, height=36)


def test_the_same_scene_makes_the_same_file(tmp_path: Path) -> None:
    render(SHORT, tmp_path / "a.mkv")
    render(SHORT, tmp_path / "b.mkv")
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()


def test_another_seed_makes_another_street(tmp_path: Path) -> None:
    assert not np.array_equal(_pictures(tmp_path, SHORT)[0], _pictures(tmp_path, replace(SHORT, seed=4))[0])


def test_a_scene_has_pictures_sound_and_words_of_its_length(tmp_path: Path) -> None:
    render(SHORT, tmp_path / "scene.mkv")
    with av.open(tmp_path / "scene.mkv") as file:
        assert [stream.codec_context.name for stream in file.streams] == ["h264", "aac", "srt"]
        video, audio = file.streams.video[0], file.streams.audio[0]
        assert (video.width, video.height, audio.rate) == (160, 90, RATE)
        assert video.average_rate == Fraction(15)
        assert sum(1 for _ in file.decode(video)) == 45
        assert file.duration is not None
        assert file.duration / av.time_base == pytest.approx(3.0, abs=0.1)


def test_the_sound_of_a_scene_is_the_same_without_its_pictures(tmp_path: Path) -> None:
    render(SHORT, tmp_path / "scene.mkv")
    render_sound(SHORT, tmp_path / "sound.mkv")
    with av.open(tmp_path / "sound.mkv") as file:
        assert [stream.codec_context.name for stream in file.streams] == ["flac"]
    whole, alone = (_sound(tmp_path / name) for name in ("scene.mkv", "sound.mkv"))
    length = min(len(whole), len(alone))  # AAC pads the end
    assert length == pytest.approx(3 * RATE, abs=2048)
    assert np.corrcoef(whole[:length], alone[:length])[0, 1] > 0.9


def test_words_are_shown_during_their_act(tmp_path: Path) -> None:
    render(SHORT, tmp_path / "scene.mkv")
    with av.open(tmp_path / "scene.mkv") as file:
        packets = [packet for packet in file.demux(file.streams.subtitles[0]) if packet.dts is not None]
        cues = [(packet.pts, packet.duration, bytes(packet).decode()) for packet in packets]
    assert cues == [(200, 1000, "Good morning."), (2000, 800, "I will hurt you.")]


def test_a_scene_without_words_has_no_subtitle_stream(tmp_path: Path) -> None:
    render(replace(SHORT, duration_seconds=1, acts=()), tmp_path / "scene.mkv")
    with av.open(tmp_path / "scene.mkv") as file:
        assert [stream.type for stream in file.streams] == ["video", "audio"]


@pytest.mark.parametrize("act", [Act(0, 1, "earthquake"), Act(0, 1, show="opera")])
def test_what_cannot_be_staged_is_named_and_nothing_is_written(tmp_path: Path, act: Act) -> None:
    with pytest.raises(ConfigError, match=r"earthquake|opera"):
        render(replace(SHORT, acts=(act,)), tmp_path / "scene.mkv")
    assert list(tmp_path.iterdir()) == []


def test_a_rendering_that_is_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(SHORT, tmp_path / "scene.mkv", stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_rises_to_one(tmp_path: Path) -> None:
    told: list[float] = []
    render(replace(SHORT, duration_seconds=1, acts=()), tmp_path / "scene.mkv", told.append)
    assert told == sorted(told)
    assert len(told) == 15
    assert told[-1] == 1.0


@pytest.mark.parametrize("label", sorted(ALARMS))
def test_an_alarm_stands_out_of_the_quiet_around_it(tmp_path: Path, label: str) -> None:
    render(replace(SMALL, duration_seconds=5, acts=(Act(2, 4, label),)), tmp_path / "scene.mkv")
    with av.open(tmp_path / "scene.mkv") as file:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    quiet, loud = sound[: int(1.8 * RATE)], sound[2 * RATE : 4 * RATE]
    assert np.sqrt(np.mean(loud**2)) > 3 * np.sqrt(np.mean(quiet**2))
    assert np.abs(sound).max() <= 1.05  # AAC may swing a little over


@pytest.mark.parametrize("make", [*ALARMS.values(), *(lambda rng, _, f=f: f(rng) for f in NOISES.values())])
def test_sounds_are_finite_and_not_silent(make) -> None:  # type: ignore[no-untyped-def]
    wave = make(np.random.default_rng(0), 2.0)
    assert np.isfinite(wave).all()
    assert 0.02 < np.abs(wave).max() < 4


def test_fighters_strike_one_another_and_dancers_do_not() -> None:
    assert np.median([_nearest_blow("fight", seed) for seed in range(8)]) < 0.2
    assert np.median([_nearest_blow("dance", seed) for seed in range(8)]) > 0.3


def test_a_fight_is_less_regular_than_exercise() -> None:
    fight, exercise = (np.mean([_regularity(kind, seed) for seed in range(8)]) for kind in ("fight", "exercise"))
    assert exercise > 0.7
    assert fight < exercise - 0.15


@pytest.mark.parametrize("kind", sorted(PLAYS))
def test_everybody_stands_on_the_ground(kind: str) -> None:
    for person in _people(kind, 1):
        lowest = person.joints[:, :, 1].min(axis=1)
        assert lowest.min() > 0.03
        assert lowest.max() < 0.35  # a jump


def test_the_demo_begins_ordinary_and_keeps_its_anomalies_apart() -> None:
    wrong = [act for act in demo_scene().acts if act.label != "normal"]
    assert [act.label for act in wrong] == ["fight", "glass_break", "threat", "gun_shot"]
    assert wrong[0].start_seconds >= 12
    assert all(later.start_seconds - earlier.end_seconds >= 9 for earlier, later in pairwise(wrong))
    assert demo_scene().duration_seconds - wrong[-1].end_seconds >= 4


def test_the_lines_of_the_scenes_are_none_of_the_lines_the_network_learns_from() -> None:
    lines = Path(__file__).parent.parent / "models" / "lines"
    learnt = "\n".join(path.read_text(encoding="utf-8") for path in sorted(lines.glob("*.srt"))).casefold()
    assert len(learnt) > 1000
    assert [line for line in ORDINARY_LINES + THREAT_LINES if line.casefold() in learnt] == []


def test_random_scenes_are_varied_and_sound() -> None:
    scenes = [random_scene(seed, 20) for seed in range(200)]
    labels = {act.label for scene in scenes for act in scene.acts}
    assert labels == {"normal", "fight", "threat", *ALARMS}
    assert {act.show for scene in scenes for act in scene.acts} >= {*PLAYS, *NOISES, "line"}
    ordinary = sum(all(act.label == "normal" for act in scene.acts) for scene in scenes)
    assert 30 < ordinary < 90
    for scene in scenes:
        assert all(0 <= act.start_seconds < act.end_seconds <= 20 for act in scene.acts)
        assert all(act.text in THREAT_LINES for act in scene.acts if act.label == "threat")


_times = st.floats(0, 60).map(lambda seconds: round(seconds, 2))


@given(st.lists(st.tuples(_times, st.floats(0.1, 9)), max_size=4))
@settings(deadline=None)
def test_labels_are_the_anomalies_and_the_time_two_seconds_away_from_them(parts: list[tuple[float, float]]) -> None:
    acts = tuple(Act(start, round(start + length, 2), "siren") for start, length in parts)
    rows = label_rows(Scene(1, 60, (*acts, Act(0, 60))))
    assert [row for row in rows if row[2] != "normal"] == sorted(
        (a.start_seconds, a.end_seconds, "siren") for a in acts
    )
    for time in np.arange(0, 60, 0.37):
        covered = any(start <= time < end for start, end, label in rows if label == "normal")
        calm = all(time < act.start_seconds - 2 or time >= act.end_seconds + 2 for act in acts)
        assert covered == calm or any(
            abs(time - edge) < 0.01 for act in acts for edge in (act.start_seconds - 2, act.end_seconds + 2)
        )


def test_labels_name_files_from_where_they_lie(tmp_path: Path) -> None:
    write_labels([(SHORT, tmp_path / "clips" / "scene.mkv")], tmp_path / "labels.csv")
    assert (tmp_path / "labels.csv").read_text().splitlines() == [
        "path,start_seconds,end_seconds,label,group",
        "clips/scene.mkv,1.4,2.2,fight,scene-3",
        "clips/scene.mkv,2.0,2.8,threat,scene-3",
    ]


def test_the_command_line_renders_scenes_and_their_labels(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.scene", str(tmp_path / "out"), "--num", "1", "--seconds", "0.5"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONWARNINGS": "error"})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["labels.csv", "scene00000.mkv"]


def _sound(path: Path) -> np.ndarray:
    with av.open(path) as file:
        return np.concatenate([frame.to_ndarray().flatten().astype(np.float64) for frame in file.decode(audio=0)])


def _pictures(folder: Path, scene: Scene) -> list[np.ndarray]:
    render(replace(scene, duration_seconds=0.4, acts=()), folder / "scene.mkv")
    with av.open(folder / "scene.mkv") as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def _people(kind: str, seed: int) -> list[Person]:
    times = np.arange(8 * 15) / 15
    return meeting(np.random.default_rng(seed), times, kind, 1.0, 7.0, np.array([0.0, 6.5]))


def _nearest_blow(kind: str, seed: int) -> float:
    """How near a hand or foot of one comes to the head or chest of another, in metres."""
    one, other, *_ = (person.joints[15:105] for person in _people(kind, seed))
    nearest = np.inf
    for striker, struck in ((one, other), (other, one)):
        for limb in (Joint.HAND_L, Joint.HAND_R, Joint.TOE_L, Joint.TOE_R):
            for target in (Joint.HEAD, Joint.NECK, Joint.CHEST, Joint.PELVIS):
                nearest = min(nearest, np.linalg.norm(striker[:, limb] - struck[:, target], axis=1).min())
    return float(nearest)


def _regularity(kind: str, seed: int) -> float:
    """The highest autocorrelation of a hand's height, from half a second to two seconds later."""
    height: Floats = _people(kind, seed)[0].joints[15:105, Joint.HAND_R, 1]
    height = height - height.mean()
    return float(max(np.corrcoef(height[:-lag], height[lag:])[0, 1] for lag in range(8, 31)))
