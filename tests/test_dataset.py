"""Windows to learn from, out of labelled files."""

from datetime import UTC, datetime
from pathlib import Path

import av
import numpy as np
import pytest
from media_files import write_media
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from models.plan import Data, FlowPlan, VideoPlan
from models.pool import Pool
from models.recipe import Recipe
from models.spec import Spec
from pipeline.dataset import check_sides, encode, footage, pools
from pipeline.errors import LabelsError, SourceError
from pipeline.item import Cue
from pipeline.labels import Row
from pipeline.scored import row_windows
from pipeline.window import Window

SPEC = Spec(labels=("fight", "gun_shot"))
RATE = 16_000
HEADER = "path,start_seconds,end_seconds,label,group\n"
TOKENIZER = Tokenizer(WordLevel({"?": 0, "hands": 1, "up": 2}, unk_token="?"))  # noqa: S106 - no password
TOKENIZER.pre_tokenizer = Whitespace()


def learned(folder: Path, rows: str, **data: object) -> tuple[dict[str, Pool], list[str]]:
    """The pools of a labels file, and what was said of what is left out."""
    path = folder / "labels.csv"
    path.write_text(HEADER + rows)
    recipe = Recipe(labels=SPEC.labels, data=(Data.model_validate({"labels": path, **data}),))
    said: list[str] = []
    return pools(recipe.data, SPEC, TOKENIZER, lambda *_: None, said.append), said


def write_sound(path: Path, loudness: list[float]) -> Path:
    """Noise, as loud as said in each second."""
    noise = np.random.default_rng(0).uniform(-1, 1, (len(loudness), RATE)) * np.array(loudness)[:, None]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", RATE, layout="mono", format="s16")
        frame = av.AudioFrame.from_ndarray((noise.reshape(1, -1) * 32767).astype(np.int16), "s16", "mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_every_modality_of_a_row_becomes_windows_with_its_label_and_group(tmp_path: Path) -> None:
    write_media(tmp_path / "calm.mkv", 4.0)
    write_media(tmp_path / "fight.mkv", 3.0, cues=[Cue(0.5, 3, "hands up")])
    found, said = learned(tmp_path, "calm.mkv,,,normal,street\nfight.mkv,,,fight,\n")
    assert said == []
    assert found["video"].inputs[0].shape == (5, 16, 80, 80, 3)
    assert found["video"].labels.tolist() == found["audio"].labels.tolist() == [0, 0, 0, 1, 1]
    assert found["audio"].inputs[0].shape == (5, 32_000)
    assert list(found["video"].groups) == ["street"] * 3 + [str(tmp_path / "fight.mkv")] * 2
    ids, mask = found["text"].inputs
    assert found["text"].labels.tolist() == [1, 1]  # where nobody speaks there is nothing to learn
    assert ids[:, :3].tolist() == [[1, 2, 0]] * 2
    assert mask[:, :3].tolist() == [[1, 1, 0]] * 2


def test_a_label_is_learned_only_from_what_shows_it(tmp_path: Path) -> None:
    write_media(tmp_path / "shot.mp4", 2.0)
    found, _ = learned(tmp_path, "shot.mp4,,,gun_shot,\n", evidence={"gun_shot": ["audio"]})
    assert (len(found["video"].labels), found["audio"].labels.tolist()) == (0, [2])
    found, _ = learned(tmp_path, "shot.mp4,,,gun_shot,\n", modalities=["video"])
    assert (found["video"].labels.tolist(), len(found["audio"].labels)) == ([2], 0)


def test_the_quiet_part_of_a_loud_row_is_no_evidence_but_a_quiet_normal_one_is(tmp_path: Path) -> None:
    write_sound(tmp_path / "shot.flac", [0.5, 0.5, 0.01, 0.01, 0.01])
    write_sound(tmp_path / "calm.flac", [0.5, 0.5, 0.01, 0.01, 0.01])
    found, _ = learned(tmp_path, "shot.flac,,,gun_shot,\ncalm.flac,,,normal,\n")
    assert found["audio"].labels.tolist() == [2, 2, 0, 0, 0, 0]


def test_what_cannot_be_used_is_told_and_left_out(tmp_path: Path) -> None:
    write_media(tmp_path / "calm.mp4", 2.0, has_audio=False)
    (tmp_path / "text.mp4").write_text("It is a text.")
    found, said = learned(tmp_path, "calm.mp4,,,normal,\ntext.mp4,,,fight,\ncalm.mp4,,,flood,\n")
    assert found["video"].labels.tolist() == [0]
    assert said[0].startswith(f"labels: {tmp_path}/labels.csv: label flood is not in the recipe's labels")
    assert said[1].startswith(f"source: {tmp_path}/text.mp4: not a media file")
    with pytest.raises(LabelsError, match="no file could be used"):
        learned(tmp_path, "text.mp4,,,fight,\n")


@pytest.mark.parametrize(
    ("start", "end", "starts"),
    [
        pytest.param(None, None, [0, 1, 2, 3], id="the whole clip"),
        pytest.param(1.5, 3.5, [1, 2], id="centres at 2 and 3"),
        pytest.param(2.0, 3.0, [1], id="an end does not count"),
        pytest.param(4.4, 4.6, [3], id="shorter than a stride: where it is"),
        pytest.param(30.0, 40.0, [], id="beyond the end"),
    ],
)
def test_a_rows_windows_are_those_whose_centre_it_holds(
    start: float | None, end: float | None, starts: list[int]
) -> None:
    now = datetime.now(UTC)
    cut = [Window("a", 0, index, index, index + 2, now, None, None, "", 0.0) for index in range(4)]
    row = Row(Path("a.mp4"), start, end, "fight", None)
    assert [window.start_seconds for window in row_windows(row, cut)] == starts


def test_words_become_ids_and_a_mask_as_wide_as_the_spec_says() -> None:
    ids, mask = encode(["up", "hands up now"], TOKENIZER, SPEC)
    assert ids.shape == mask.shape == (2, SPEC.num_tokens)
    assert ids[:, :4].tolist() == [[2, 0, 0, 0], [1, 2, 0, 0]]
    assert mask.sum(axis=1).tolist() == [1, 3]


def test_windows_of_a_row_are_a_bag(tmp_path: Path) -> None:
    write_media(tmp_path / "calm.mkv", 4.0)
    write_media(tmp_path / "fight.mkv", 3.0)
    found, _ = learned(tmp_path, "calm.mkv,,2.5,normal,\ncalm.mkv,2.5,,fight,\nfight.mkv,,,fight,\n")
    assert found["video"].bags is not None
    assert found["video"].bags.tolist() == [0, 0, 1, 2, 2]


def test_files_that_cannot_be_read_are_counted_or_an_error(tmp_path: Path) -> None:
    write_media(tmp_path / "calm.mp4", 2.0, has_audio=False)
    (tmp_path / "text.mp4").write_text("It is a text.")
    (tmp_path / "labels.csv").write_text(HEADER + "calm.mp4,,,normal,\ntext.mp4,,,fight,\n")
    recipe, said = Recipe(labels=SPEC.labels, data=(Data(labels=tmp_path / "labels.csv"),)), list[str]()
    pools(recipe.data, SPEC, TOKENIZER, lambda *_: None, said.append)
    assert said[1:] == ["train: 1 of 2 files skipped"]
    with pytest.raises(
        SourceError, match="train: 1 of 2 files cannot be read; mend or leave them out, or train without"
    ):
        pools(recipe.data, SPEC, TOKENIZER, lambda *_: None, said.append, is_strict=True)
    assert said[2].startswith(f"source: {tmp_path}/text.mp4: not a media file")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("b.mp4,,,normal,yard\n", "train: group yard is in both .*/labels.csv and .*/test.csv; move it to one side"),
        ("../{0}/a.mp4,,,normal,gate\n", r"train: file .*/a\.mp4 is in both .*/labels.csv and .*/test.csv; move"),
        ("b.mp4,,,normal,gate\n", None),
    ],
)
def test_no_file_and_no_group_is_on_both_sides(tmp_path: Path, row: str, said: str | None) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "labels.csv").write_text(HEADER + "a.mp4,,,fight,yard\n")
    (tmp_path / "test.csv").write_text(HEADER + row.format(tmp_path.name))
    recipe = Recipe(data=(Data(labels=tmp_path / "labels.csv"),), test=(tmp_path / "test.csv",))
    if said is None:
        check_sides(recipe)
        return
    with pytest.raises(LabelsError, match=said):
        check_sides(recipe)


def test_no_test_file_is_among_the_footage(tmp_path: Path) -> None:
    for name in ("footage", "test", "labels"):
        (tmp_path / f"{name}.mp4").touch()
        (tmp_path / f"{name}.csv").write_text(HEADER + f"{name}.mp4,,,fight,{name.replace('test', 'footage')}\n")
    video = VideoPlan(flow=FlowPlan(labels=tmp_path / "footage.csv"))
    recipe = Recipe(data=(Data(labels=tmp_path / "labels.csv"),), test=(tmp_path / "test.csv",), video=video)
    with pytest.raises(LabelsError, match=r"train: group footage is in both .*/footage\.csv and .*/test\.csv; move it"):
        check_sides(recipe)


def of_footage(folder: Path, rows: str, *, is_strict: bool = False, epochs: int = 1) -> tuple[Pool | None, list[str]]:
    """The pool of a labels file of footage, and what was said of what is left out."""
    path, said = folder / "footage.csv", list[str]()
    path.write_text(HEADER + rows)
    plan, spec = FlowPlan(labels=path, epochs=epochs), Spec(frame_size=32)
    return footage(plan, spec, lambda *_: None, said.append, is_strict=is_strict), said


def test_footage_is_any_whatever_it_is_called(tmp_path: Path) -> None:
    write_media(tmp_path / "long.mp4", 4.0, has_audio=False)
    write_media(tmp_path / "short.mp4", 2.0, has_audio=False)
    found, said = of_footage(tmp_path, "long.mp4,,,walk,a\nshort.mp4,,,run,b\nshort.mp4,,,normal,b\n")
    assert said == []
    assert found is not None
    assert found.inputs[0].shape == (5, 16, 32, 32, 3)
    assert sorted(found.labels.bincount().tolist()) == [0, 1, 1, 3]


def test_a_lesson_that_is_left_out_reads_nothing(tmp_path: Path) -> None:
    assert of_footage(tmp_path, "missing.mp4,,,walk,\n", epochs=0) == (None, [])
    assert footage(FlowPlan(), SPEC, lambda *_: None, lambda _: None) is None


def test_footage_without_pictures_are_told(tmp_path: Path) -> None:
    write_sound(tmp_path / "steps.flac", [0.5, 0.5])
    with pytest.raises(LabelsError, match=r"footage\.csv: no file has pictures; name another file as video\.flow\."):
        of_footage(tmp_path, "steps.flac,,,walk,\n")


def test_footage_that_cannot_be_read_are_counted_or_an_error(tmp_path: Path) -> None:
    write_media(tmp_path / "walk.mp4", 2.0, has_audio=False)
    (tmp_path / "text.mp4").write_text("It is a text.")
    rows = "walk.mp4,,,walk,\ntext.mp4,,,run,\n"
    found, said = of_footage(tmp_path, rows)
    assert found is not None
    assert len(found) == 1
    assert said[0].startswith(f"source: {tmp_path}/text.mp4: not a media file")
    assert said[1:] == ["train: 1 of 2 files skipped"]
    with pytest.raises(SourceError, match="train: 1 of 2 files cannot be read"):
        of_footage(tmp_path, rows, is_strict=True)


def test_windows_are_drawn_and_kept_aside_as_their_labels_file_says(tmp_path: Path) -> None:
    write_media(tmp_path / "calm.mkv", 3.0)
    found, _ = learned(tmp_path, "calm.mkv,,,normal,\n", weight=0.25, validates=False)
    for name in ("video", "audio"):
        weights, validates = found[name].weights, found[name].validates
        assert weights is not None
        assert validates is not None
        assert weights.tolist() == [0.25, 0.25]
        assert validates.tolist() == [False, False]
