"""Composed files: what is in them is what their labels say, and the same seed makes the same."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from compose_files import DOG_HZ, HEADER, HUM_HZ, LEAK_HZ, RATE, SIREN_HZ, THREATS, tone, write_material
from numpy.typing import NDArray
from typer.testing import CliRunner

from models.spec import MODALITIES, Spec
from pipeline.cli import app
from pipeline.compose import Composed, Shares, compose
from pipeline.compose.draw import plans
from pipeline.compose.material import Clip, Material, audible
from pipeline.compose.plan import FilePlan, Part, label_rows
from pipeline.compose.reading import Sound, fitted, pictures, sound
from pipeline.errors import ConfigError, LabelsError
from pipeline.evaluate import OutputError
from pipeline.item import Cue
from pipeline.labels import read_labels
from pipeline.media import open_media


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_material(tmp_path_factory.mktemp("material"))


@pytest.fixture(scope="module")
def made(labels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Composed:
    shares = Shares(num=8, seconds=15, normal=0.125, double=0.25, missing=0.5)
    return compose(labels, shares, 0, tmp_path_factory.mktemp("made"))


def redness(path: Path) -> NDArray[np.bool_]:
    """Of each picture, whether it is more red than blue."""
    with av.open(str(path)) as file:
        means = [frame.to_ndarray(format="rgb24").mean(axis=(0, 1)) for frame in file.decode(video=0)]
    return np.array([red > blue for red, _, blue in means])


def strength(samples: Sound, hertz: float) -> NDArray[np.float64]:
    """Level of one tone in every tenth of a second."""
    blocks = samples[: len(samples) // 1600 * 1600].reshape(-1, 1600)
    wave = np.exp(-2j * np.pi * hertz * np.arange(1600) / RATE)
    return np.asarray(np.abs(blocks @ wave) / 800, np.float64)


def spoken(path: Path) -> list[Cue]:
    with open_media(str(path), Spec()) as media:
        return [item for item in media.items() if isinstance(item, Cue)]


def anomaly(plan: FilePlan, modality: str) -> tuple[float, float] | None:
    acts = [part for part in plan.of(modality, "act") if not part.clip.is_normal]
    return (acts[0].start_seconds, acts[-1].end_seconds) if acts else None


def near(found: NDArray[np.bool_], per_second: float, stretch: tuple[float, float] | None, slack: float) -> bool:
    """Whether it is true within the stretch and nowhere else, but for the slack at its edges."""
    times = (np.arange(len(found)) + 0.5) / per_second
    start, end = stretch or (np.inf, -np.inf)
    inside = (times > start + slack) & (times < end - slack)
    outside = (times < start - slack) | (times > end + slack)
    return bool(found[inside].all() and not found[outside].any())


def test_a_file_has_the_tracks_of_its_plan_and_its_length(made: Composed) -> None:
    codecs = {"video": "h264", "audio": "flac", "text": "srt"}
    for plan in made.plans:
        with av.open(str(made.labels.parent / plan.name)) as file:
            planned = [codecs[name] for name in MODALITIES if plan.of(name, "act")]
            assert [stream.codec_context.name for stream in file.streams] == planned
            if {"video", "audio"} & set(planned):
                assert file.duration is not None
                assert file.duration / av.time_base == pytest.approx(15, abs=0.1)
    assert any(len({part.modality for part in plan.parts}) < 3 for plan in made.plans)


def test_what_is_seen_heard_and_read_is_what_the_plan_says(made: Composed) -> None:
    for plan in made.plans:
        path = made.labels.parent / plan.name
        if plan.of("video", "act"):
            red = redness(path)
            assert len(red) == 15 * 15
            assert near(red, 15, anomaly(plan, "video"), slack=0.45)
        if plan.of("audio", "act"):
            heard = sound(path)
            assert len(heard) == 15 * RATE
            assert near(strength(heard, SIREN_HZ) > 0.05, 10, anomaly(plan, "audio"), slack=0.15)
        threats = [cue for cue in spoken(path) if cue.text in THREATS]
        stretch = anomaly(plan, "text")
        assert bool(threats) == (stretch is not None)
        if stretch is not None:
            assert (threats[0].pts_seconds, threats[-1].end_seconds) == pytest.approx(stretch, abs=0.002)


def test_nothing_leaks_from_a_clips_other_tracks(made: Composed) -> None:
    for plan in made.plans:
        if plan.of("audio", "act"):
            assert strength(sound(made.labels.parent / plan.name), LEAK_HZ).max() < 0.002


def test_a_sound_keeps_its_loudness_and_the_bed_lies_below_it(made: Composed) -> None:
    plan = next(plan for plan in made.plans if "audio" in plan.carriers)
    heard = sound(made.labels.parent / plan.name)
    (act,), (bed,) = plan.of("audio", "act"), plan.of("audio", "bed")
    hertz = {"hum": HUM_HZ, "dog": DOG_HZ}[bed.clip.group]
    middle = slice(round(act.start_seconds * 10) + 3, round(act.end_seconds * 10) - 3)
    siren, below = strength(heard, SIREN_HZ)[middle], np.median(strength(heard, hertz))
    assert np.median(siren) == pytest.approx(0.3, rel=0.05)
    assert 20 * np.log10(0.3 / below) == pytest.approx(plan.snr_db, abs=1)


def test_the_labels_file_says_who_shows_what_and_keeps_ordinary_rows_off_it(made: Composed) -> None:
    rows = read_labels(made.labels)
    for plan in made.plans:
        own = [row for row in rows if row.path.name == plan.name]
        wrong = [row for row in own if not row.is_normal]
        assert {row.modality for row in wrong} == ({"+".join(plan.carriers)} if plan.carriers else set())
        expected = {"video": "fight", "audio": "siren", "text": "threat"}
        assert sorted(row.label for row in wrong) == sorted(expected[name] for name in plan.carriers)
        for row in own:
            start, end = row.interval(15)
            assert 0 <= start < end <= 15
            if row.is_normal:
                stretches = [stretch for name in plan.carriers if (stretch := anomaly(plan, name))]
                assert all(end <= low - 1.99 or start >= high + 1.99 for low, high in stretches)
    assert sorted(len(plan.carriers) for plan in made.plans) == [0, 1, 1, 1, 1, 1, 2, 2]


def test_the_composition_names_every_source_and_what_could_not_be_used(made: Composed) -> None:
    told = json.loads((made.labels.parent / "composition.json").read_text())
    assert told["seed"] == 0
    assert told["tool"].startswith("heed compose ")
    assert len(told["skipped"]) == 2
    assert "broken.mp4" in told["skipped"][0]
    assert "nothing.flac: silence from 0 s" in told["skipped"][1]
    assert [file["name"] for file in told["files"]] == [plan.name for plan in made.plans]
    sources = {Path(part["source"]).name for file in told["files"] for part in file["parts"]}
    assert {"fight.mp4", "siren.flac", "lines.srt"} <= sources
    assert "broken.mp4" not in sources


def test_the_same_seed_makes_the_same_files_and_another_makes_others(labels: dict[str, Path], tmp_path: Path) -> None:
    shares = Shares(num=2, seconds=15, normal=0, missing=0)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        compose(labels, shares, seed, tmp_path / name)
    for name in ("labels.csv", "composition.json", "composed00000.mkv", "composed00001.mkv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "labels.csv").read_bytes() != (tmp_path / "c" / "labels.csv").read_bytes()


def clip(label: str, group: str, text: str = "") -> Clip:
    return Clip(Path(f"{group}-{label}"), 0.0, 4.0, label, group, text)


def test_a_fight_is_laid_over_ordinary_pictures_of_its_own_recording() -> None:
    seen = [clip("normal", "a"), clip("normal", "b"), clip("fight", "a"), clip("fight", "b"), clip("fight", "alone")]
    heard = [clip("normal", "hum"), clip("normal", "dog"), clip("siren", "siren")]
    read = [clip("normal", "weather", "It rains."), clip("threat", "robbery", "Hand it over.")]
    material: Material = {"video": seen, "audio": heard, "text": read}
    drawn = plans(material, Shares(num=60, seconds=20), 0)
    for plan in drawn:
        for part in plan.of("video", "bed"):
            assert {part.clip.group} == {act.clip.group for act in plan.of("video", "act")} == {plan.group}
    with_pictures = {plan.group for plan in drawn if plan.of("video", "bed")}
    assert with_pictures == {"a", "b"}
    assert plans(material, Shares(num=60, seconds=20), 0) == drawn


def test_shares_are_kept_exactly() -> None:
    read = [clip("normal", "weather", "It rains."), clip("threat", "robbery", "Hand it over.")]
    both = [clip("normal", "a"), clip("fight", "a")]
    drawn = plans({"video": both, "audio": both, "text": read}, Shares(50, 20, 0.2, 0.1, 0.3), 4)
    assert [sum(len(plan.carriers) == count for plan in drawn) for count in (0, 1, 2)] == [10, 35, 5]
    assert sum(len({part.modality for part in plan.parts}) < 3 for plan in drawn) == 15


def test_lines_never_overlap_and_stay_as_long_as_they_take_to_say() -> None:
    read = [clip("normal", "weather", "It " + "rains and " * n + "rains.") for n in (1, 4, 9)]
    read.append(clip("threat", "robbery", "Hand it over now."))
    both = [clip("normal", "a"), clip("fight", "a")]
    for plan in plans({"video": both, "audio": both, "text": read}, Shares(10, 40, missing=0), 0):
        lines = sorted([*plan.of("text", "bed"), *plan.of("text", "act")], key=lambda part: part.start_seconds)
        assert len(lines) >= 3
        assert all(one.end_seconds < other.start_seconds for one, other in pairwise(lines))
        for line in lines:
            words = len(line.clip.text.split())
            assert line.end_seconds - line.start_seconds == pytest.approx(max(1.2, min(7, words / 2.5)), abs=0.02)


def test_ordinary_rows_are_about_as_long_as_an_anomaly() -> None:
    act = Part("video", "act", clip("fight", "a"), 20.0, 25.0)
    plan = FilePlan("a.mkv", 40.0, 10.0, (Part("video", "bed", clip("normal", "a"), 0.0, 40.0), act))
    assert label_rows(plan) == [
        (0.0, 6.0, "normal", ""),
        (6.0, 12.0, "normal", ""),
        (12.0, 18.0, "normal", ""),
        (20.0, 25.0, "fight", "video"),
        (27.0, 33.5, "normal", ""),
        (33.5, 40.0, "normal", ""),
    ]


def test_lines_alone_end_with_the_last_of_them() -> None:
    said = [Part("text", "bed", clip("normal", "a", "Hello."), 1.0, 3.0)]
    said.append(Part("text", "act", clip("normal", "b", "Good bye."), 5.0, 6.5))
    assert label_rows(FilePlan("a.mkv", 40.0, 10.0, tuple(said))) == [(0.0, 6.5, "normal", "")]


def test_a_slow_clip_repeats_pictures_and_another_shape_gets_bars(labels: dict[str, Path]) -> None:
    slow = pictures(labels["video"].parent / "calm.mp4", 0, 2, (64, 64))
    assert len(slow) in {29, 30}  # the last one covers two cells
    assert slow[0].shape == (64, 64, 3)
    assert np.array_equal(slow[1], slow[0])
    assert [slow[0][row, 32].max() > 100 for row in (5, 15, 32, 48, 60)] == [False, True, True, True, False]
    assert len(pictures(labels["video"].parent / "calm2.mp4", 0.5, 1.5, (64, 64))) == 15
    assert fitted(np.full((30, 10, 3), 255, np.uint8), (30, 30)).any(axis=(0, 2)).sum() == 10


def test_a_sound_is_where_it_is_loud() -> None:
    silence = np.zeros(RATE, np.float32)
    assert audible(np.concatenate([silence, tone(440, 1.5, 0.2), silence])) == pytest.approx((1.0, 2.5))
    assert audible(np.concatenate([0.001 * tone(90, 1, 1), tone(440, 1, 0.5)])) == pytest.approx((1.0, 2.0))
    assert audible(silence) is None
    assert audible(np.zeros(0, np.float32)) is None


@pytest.mark.parametrize(("modality", "kind"), [("video", "anomaly"), ("audio", "normal"), ("text", "anomaly")])
def test_a_class_without_a_usable_row_is_named(
    labels: dict[str, Path], tmp_path: Path, modality: str, kind: str
) -> None:
    with labels[modality].open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if (row["label"] == "normal") != (kind == "normal")]
    poor = labels[modality].with_name(f"poor-{modality}.csv")
    poor.write_text(HEADER + "".join(",".join(row.values()) + "\n" for row in rows))
    with pytest.raises(LabelsError, match=rf"compose: .*poor-{modality}.csv: no {kind} row that can be used as"):
        compose({**labels, modality: poor}, Shares(1, 15), 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"num": 0}, "--num 0: nothing"),
        ({"seconds": 5}, "--seconds 5: too short"),
        ({"seconds": float("nan")}, "--seconds nan: too short"),
        ({"missing": 1.5}, "--missing 1.5: not a share"),
        ({"normal": 0.7, "double": 0.7}, "over 1"),
        ({"snr_db": (9, 3)}, "--snr-db 9 3: not a range"),
    ],
)
def test_wrong_shares_are_told_in_one_line(wrong: dict[str, float], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Shares(**wrong)  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_made_is_told(labels: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match=r"compose: .*taken: File exists; "):
        compose(labels, Shares(1, 15), 0, tmp_path / "taken")


def test_the_command_tells_what_it_made_and_what_comes_next(labels: dict[str, Path], tmp_path: Path) -> None:
    inputs = [word for name in MODALITIES for word in (f"--{name}", str(labels[name]))]
    options = [
        "--num",
        "1",
        "--seconds",
        "15",
        "--normal",
        "1",
        "--double",
        "0",
        "--snr-db",
        "9",
        "9",
        "--out",
        str(tmp_path),
    ]
    result = CliRunner().invoke(app, ["compose", *inputs, *options])
    assert result.exit_code == 0
    assert "1 files, 0 with an anomaly\nnext: heed evaluate" in result.output
    assert json.loads((tmp_path / "composition.json").read_text())["files"][0]["snr_db"] == 9
