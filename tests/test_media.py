"""Files opened and decoded: what comes out, and when."""

import gc
import math
import shutil
import wave
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from media_files import BEEP_LEVEL, beeps, corrupt, level, no_captions, pop_on, write_media
from numpy.typing import NDArray

from models.spec import Spec
from pipeline.media import Cue, Frame, Item, Samples, open_media

SPEC = Spec()
CUES = [Cue(0.5, 1.5, "Hands up!"), Cue(1.6, 2.5, "Two\nlines, a comma")]


def items_of(path: Path) -> list[Item]:
    with open_media(str(path), SPEC) as media:
        return list(media.items())


def frames_of(items: Sequence[Item]) -> list[Frame]:
    return [item for item in items if isinstance(item, Frame)]


def sound_of(items: Sequence[Item], seconds: float) -> NDArray[np.float32]:
    """Sound laid out by its times; what there is none of is not a number."""
    sound = np.full(round(seconds * SPEC.sample_rate), np.nan, np.float32)
    for item in items:
        if isinstance(item, Samples):
            at = round(item.pts_seconds * SPEC.sample_rate)
            data = item.data[: max(0, len(sound) - at)]
            sound[at : at + len(data)] = data
    return sound


def cues_of(items: Sequence[Item]) -> list[Cue]:
    return [item for item in items if isinstance(item, Cue)]


def first_of_each_cell(path: Path) -> list[tuple[float, int]]:
    """(time, number) of the first picture of every eighth of a second, by the container's own time stamps."""
    with av.open(str(path)) as container:
        stamps = sorted(
            float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.pts is not None
        )
    cells: dict[int, tuple[float, int]] = {}
    for number, seconds in enumerate(stamps):
        cells.setdefault(math.floor((seconds + 1e-6) * SPEC.frame_rate), (seconds, number))
    return list(cells.values())


@pytest.mark.parametrize("frame_rate", [5, 8, 25, 30])
def test_the_first_picture_of_every_cell_comes_with_its_time(tmp_path: Path, frame_rate: int) -> None:
    path = write_media(tmp_path / "a.mp4", 3.0, has_audio=False, frame_rate=frame_rate)
    frames, expected = frames_of(items_of(path)), first_of_each_cell(path)
    assert [frame.pts_seconds for frame in frames] == pytest.approx([seconds for seconds, _ in expected], abs=1e-6)
    assert {(frame.image.shape, frame.image.dtype) for frame in frames} == {((80, 80, 3), np.dtype(np.uint8))}
    brightness = [float(np.median(frame.image)) for frame in frames]
    assert brightness == pytest.approx([level(number) for _, number in expected], abs=4)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_pictures_that_no_window_takes_change_nothing_in_those_it_takes(tmp_path: Path, suffix: str) -> None:
    path = write_media(tmp_path / f"a{suffix}", 6.0, has_audio=False, frame_rate=30, num_b_frames=3)
    with av.open(str(path)) as container:
        every = list(container.decode(video=0))
    assert any(picture.pict_type == PictureType.B for picture in every)
    taken = [every[number] for _, number in first_of_each_cell(path)]
    scaled = [picture.reformat(80, 80, "rgb24", interpolation="AREA").to_ndarray() for picture in taken]
    np.testing.assert_array_equal(np.stack([frame.image for frame in frames_of(items_of(path))]), np.stack(scaled))


def test_pictures_are_red_green_blue_and_squeezed_whole(tmp_path: Path) -> None:
    picture = np.zeros((64, 96, 3), np.uint8)
    picture[:32, :48] = (255, 0, 0)
    picture[32:, 48:] = (0, 0, 255)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("ffv1", 10, width=96, height=64, pix_fmt="bgr0")
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    image = frames_of(items_of(tmp_path / "a.mkv"))[0].image
    corners = [image[y, x].tolist() for y, x in ((10, 10), (10, 70), (70, 10), (70, 70))]
    assert corners == [[255, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 255]]


def test_sound_is_resampled_in_time_and_loudness(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.wav", 3.0, has_video=False, audio_codec="pcm_s16le")
    sound, expected = sound_of(items_of(path), 3.0), beeps(3.0, SPEC.sample_rate)
    edges = np.abs(np.diff(np.abs(expected) > 0, prepend=False)).nonzero()[0]
    inner = np.ones(len(expected), bool)
    for edge in edges:
        inner[max(0, edge - 40) : edge + 40] = False  # the resampler's ringing
    assert np.abs(sound - expected)[inner].max() < 0.005
    assert np.abs(sound).max() == pytest.approx(BEEP_LEVEL, abs=0.02)


@pytest.mark.parametrize(("right", "loudness"), [(1.0, 0.5), (0.0, 0.25), (-1.0, 0.0)])
def test_channels_are_averaged(tmp_path: Path, right: float, loudness: float) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.round(32767 * np.stack([tone, right * tone], axis=1)).astype("<i2").tobytes())
    assert np.abs(sound_of(items_of(tmp_path / "a.wav"), 1.0)).max() == pytest.approx(loudness, abs=0.001)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("first_seconds", [0.0, 100.0])
def test_picture_and_sound_are_on_one_clock_that_starts_at_zero(
    tmp_path: Path, suffix: str, first_seconds: float
) -> None:
    items = items_of(write_media(tmp_path / f"a.{suffix}", 3.0, first_seconds=first_seconds))
    frames, sound = frames_of(items), sound_of(items, 3.0)
    assert min(item.pts_seconds for item in items) == pytest.approx(0.0, abs=0.03)
    beep_seconds = int(np.argmax(np.abs(np.nan_to_num(sound[8_000:])) > 0.1)) / SPEC.sample_rate + 0.5
    started = frames[0].pts_seconds  # picture 0 is at the first beep, picture 25 at the second
    assert beep_seconds - started == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "srt"), ("a.mkv", "ass"), ("a.mkv", "webvtt"), ("a.mp4", "mov_text")]
)
def test_subtitles_of_every_kind_are_plain_words(tmp_path: Path, name: str, codec: str) -> None:
    path = write_media(tmp_path / name, 3.0, cues=CUES, text_codec=codec)
    with open_media(str(path), SPEC) as media:
        assert media.has_text
        cues = cues_of(list(media.items()))
    assert [cue.text for cue in cues] == ["Hands up!", "Two\nlines, a comma"]
    times = [time for cue in cues for time in (cue.pts_seconds, cue.end_seconds)]
    assert times == pytest.approx([0.5, 1.5, 1.6, 2.5], abs=0.011)


def test_captions_within_the_picture_are_read(tmp_path: Path) -> None:
    captions = [*no_captions(5), *pop_on("DROP THE BAG"), *no_captions(20)]
    path = write_media(tmp_path / "a.mp4", 3.0, captions=captions)
    with open_media(str(path), SPEC) as media:
        had_text = media.has_text  # not known before the first has come
        items = list(media.items())
        assert (had_text, media.has_text) == (False, True)
    shown = (5 + len(pop_on("DROP THE BAG")) - 2) / 25
    (cue,) = cues_of(items)
    assert cue.text == "DROP THE BAG"
    assert (cue.pts_seconds, cue.end_seconds) == pytest.approx((shown, shown + 5))
    assert len(frames_of(items)) == 24


def test_subtitles_beside_a_file_are_merged_in_order_of_time(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", 3.0, cues=[Cue(0.0, 1.0, "within")], text_codec="mov_text")
    (tmp_path / "a.en.srt").write_text(
        "1\n00:00:01,000 --> 00:00:02,000\nbeside\n\n2\n00:01:00,000 --> 00:01:01,000\nafter the end\n"
    )
    items = items_of(path)
    assert cues_of(items) == [Cue(1.0, 2.0, "beside")]
    place = items.index(cues_of(items)[0])
    assert all(item.pts_seconds < 1.0 for item in items[:place])
    assert items[place + 1].pts_seconds >= 1.0


@pytest.mark.parametrize("suffix", ["srt", "vtt"])
def test_a_subtitle_file_alone_is_a_source(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text("WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nalone\n")
    with open_media(str(path), SPEC) as media:
        assert (media.has_video, media.has_audio, media.has_text) == (False, False, True)
        assert media.duration_seconds == 2.0
        assert list(media.items()) == [Cue(1.0, 2.0, "alone")]


def test_a_source_may_lack_picture_or_sound(tmp_path: Path) -> None:
    with open_media(str(write_media(tmp_path / "v.mp4", 1.0, has_audio=False)), SPEC) as media:
        assert (media.has_video, media.has_audio, media.has_text) == (True, False, False)
        assert {type(item) for item in media.items()} == {Frame}
    with open_media(str(write_media(tmp_path / "a.mka", 1.0, has_video=False)), SPEC) as media:
        assert (media.has_video, media.has_audio, media.has_text) == (False, True, False)
        assert {type(item) for item in media.items()} == {Samples}


def test_a_file_knows_its_length_and_is_not_live(tmp_path: Path) -> None:
    with open_media(str(write_media(tmp_path / "a.mp4", 2.0)), SPEC) as media:
        assert media.duration_seconds == pytest.approx(2.0, abs=0.05)
        assert not media.is_live


def test_a_hole_in_the_sound_leaves_the_rest_in_its_time(tmp_path: Path) -> None:
    whole, holed = write_media(tmp_path / "whole.mkv", 3.0), tmp_path / "holed.mkv"
    with av.open(str(whole)) as source, av.open(str(holed), "w") as copy:
        tracks = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            is_hole = packet.stream.type == "audio" and packet.pts is not None and 1000 <= packet.pts < 2000
            if packet.dts is not None and not is_hole:
                packet.stream = tracks[packet.stream.index]
                copy.mux(packet)
    sound = sound_of(items_of(holed), 3.0)
    assert np.isnan(sound[17_000:31_000]).all()
    assert np.abs(sound[32_500:35_500]).max() == pytest.approx(BEEP_LEVEL, abs=0.05)  # the beep of second 2
    assert np.abs(sound[37_000:46_000]).max() < 0.05


def test_recordings_joined_end_to_end_go_on_even_in_another_size(tmp_path: Path) -> None:
    parts = [write_media(tmp_path / f"{n}.ts", 2.0, size=size) for n, size in enumerate([(96, 64), (160, 120)])]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    items = items_of(joined)
    times = [frame.pts_seconds for frame in frames_of(items)]
    assert times == sorted(times)
    assert len(times) in {31, 32, 33}
    assert times[-1] == pytest.approx(3.9, abs=0.15)
    heard = sum(len(item.data) for item in items if isinstance(item, Samples)) / SPEC.sample_rate
    assert heard == pytest.approx(4.0, abs=0.15)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_corrupted_packets_are_counted_and_the_rest_is_in_its_time(tmp_path: Path, suffix: str, seed: int) -> None:
    path = corrupt(write_media(tmp_path / f"a.{suffix}", 6.0), 0.4, 0.6, seed)
    with open_media(str(path), SPEC) as media:
        items = list(media.items())
        assert media.num_bad_packets > 0
    times = [frame.pts_seconds for frame in frames_of(items)]
    assert times == sorted(times)
    assert times[0] < 0.1
    assert times[-1] == pytest.approx(5.9, abs=0.1)
    assert len(times) > 25  # of 48


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_a_file_cut_off_is_read_to_where_it_ends(tmp_path: Path, suffix: str) -> None:
    path = write_media(tmp_path / f"a.{suffix}", 6.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    times = [frame.pts_seconds for frame in frames_of(items_of(path))]
    assert 2.0 < times[-1] < 4.0


def test_an_open_source_is_let_go_when_closed(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", 1.0)
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    for _ in range(5):
        with open_media(str(path), SPEC) as media:
            next(media.items())
    assert len(list(descriptors.iterdir())) <= before


def test_pictures_do_not_wait_in_memory_for_the_garbage_collector(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", 2.0, captions=pop_on("HELLO") + no_captions(30))
    gc.collect()
    gc.disable()
    try:
        assert len(frames_of(items_of(path))) == 16
        assert [thing for thing in gc.get_objects() if type(thing) in {av.VideoFrame, av.Packet}] == []
    finally:
        gc.enable()


def test_a_name_with_a_colon_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.move(write_media(tmp_path / "a.mp4", 1.0), tmp_path / "concat:a@b.mp4")
    monkeypatch.chdir(tmp_path)
    assert len(frames_of(items_of(Path("concat:a@b.mp4")))) == 8
    assert len(frames_of(items_of(tmp_path / "concat:a@b.mp4"))) == 8
