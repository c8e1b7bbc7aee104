"""The thread that writes evidence down: what it is asked for, from real packets, on disks good and bad."""

import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import av
import pytest
from full_disk import full_disk
from hypothesis import given
from hypothesis import strategies as st
from media_files import level, write_media

from models.spec import Spec
from pipeline.config import EvidenceConfig
from pipeline.evidence import Keeping, Recorder
from pipeline.exhibit import Kept, Request
from pipeline.media import open_media
from pipeline.recent import Recent
from pipeline.retention import Unfinished, safe_name, sweep, trim

CONFIG: Final = EvidenceConfig(before_seconds=2, after_seconds=1)
ASKED: Final = Request("gate-1", 0, 6.2, 8.2, is_over=True, peak_seconds=7.5, caption="fight 0.93")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 s with a keyframe on every second."""
    return write_media(tmp_path_factory.mktemp("recorder") / "source.mp4", 12.0, num_b_frames=2)


def recorded(source: Path, folder: Path, *requests: Request, config: EvidenceConfig = CONFIG) -> list[Kept]:
    """All that is said of these requests, when the source has been read to its end."""
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs, open_media(str(source), Spec()) as media:
        recorder = Recorder("gate", Keeping(folder, config, 8.0), theirs)
        for _, listened in recorder.listen([(0, media)]):
            for _ in listened.items():
                pass
        for request in requests:
            ours.send(request)
        ours.send(None)
        recorder.close()
        kept: list[Kept] = []
        while ours.poll():
            kept.append(ours.recv())
    return kept


def codecs(path: Path) -> list[str]:
    with av.open(str(path), "r") as container:
        return [stream.codec_context.name for stream in container.streams]


def stamps(path: Path) -> list[float]:
    """Of its pictures."""
    with av.open(str(path), "r") as container:
        return sorted(float(frame.time or 0) for frame in container.decode(video=0))


def brightness(path: Path) -> float:
    """Of its first picture."""
    with av.open(str(path), "r") as container:
        return float(next(container.decode(video=0)).to_ndarray(format="gray")[:, 30:].mean())


def encoded(path: Path, codec: str, pixels: str) -> Path:
    """12 s of pictures whose brightness tells their number."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        if codec == "libx265":
            stream.codec_context.options = {"x265-params": "log-level=none:keyint=25", "preset": "ultrafast"}
        for number in range(300):
            frame = av.VideoFrame(96, 64, "gray")
            frame.planes[0].update(bytes([level(number)]) * frame.planes[0].buffer_size)
            container.mux(stream.encode(frame.reformat(format=pixels)))
        container.mux(stream.encode(None))
    return path


def test_a_clip_begins_with_a_keyframe_before_the_event_and_ends_after_it(source: Path, tmp_path: Path) -> None:
    *_, kept = recorded(source, tmp_path, ASKED)
    assert (kept.id, kept.clip, kept.snapshot, kept.is_final) == ("gate-1", "gate/gate-1.mp4", "gate/gate-1.jpg", True)
    pictures = stamps(tmp_path / "gate" / "gate-1.mp4")
    assert pictures[0] == pytest.approx(0, abs=0.1)
    assert pictures[-1] - pictures[0] == pytest.approx(5.2, abs=0.15)  # from 4.0, the keyframe before 4.2, to 9.2
    assert brightness(tmp_path / "gate" / "gate-1.mp4") == pytest.approx(level(100), abs=6)
    assert sorted(path.name for path in (tmp_path / "gate").iterdir()) == [
        "gate-1.jpg",
        "gate-1.mp4",
        "gate-1.strip.jpg",
    ]


def test_a_clip_goes_on_as_far_as_its_event_and_no_further(source: Path, tmp_path: Path) -> None:
    grown = [replace(ASKED, until_seconds=seconds, is_over=False) for seconds in (7.2, 8.2, 9.2)]
    *_, kept = recorded(source, tmp_path, *grown, replace(ASKED, until_seconds=9.4))
    assert kept.clip is not None
    assert stamps(tmp_path / kept.clip)[-1] == pytest.approx(9.4 + 1 - 4, abs=0.15)


def test_a_long_event_is_cut(source: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"longest_seconds": 2.0})
    *_, kept = recorded(source, tmp_path, replace(ASKED, until_seconds=11), config=config)
    assert kept.clip is not None
    assert stamps(tmp_path / kept.clip)[-1] == pytest.approx(2, abs=0.1)


def test_two_events_at_once_have_a_clip_each(source: Path, tmp_path: Path) -> None:
    kept = recorded(source, tmp_path, ASKED, replace(ASKED, id="gate-2", start_seconds=8.0, until_seconds=10.0))
    assert {each.clip for each in kept if each.is_final} == {"gate/gate-1.mp4", "gate/gate-2.mp4"}


def test_hevc_stays_as_it_is(tmp_path: Path) -> None:
    path = encoded(tmp_path / "source.mkv", "libx265", "yuv420p")
    *_, kept = recorded(path, tmp_path / "evidence", ASKED)
    assert kept.problem == ""
    assert kept.clip is not None
    assert codecs(tmp_path / "evidence" / kept.clip) == ["hevc"]
    assert kept.clip.endswith(".mp4")


@pytest.mark.parametrize(("codec", "name", "pixels"), [("mjpeg", "a.avi", "yuvj420p"), ("mpeg4", "a.avi", "yuv420p")])
def test_pictures_that_no_browser_shows_are_encoded_and_it_is_said(
    codec: str, name: str, pixels: str, tmp_path: Path
) -> None:
    path = encoded(tmp_path / name, codec, pixels)
    *_, kept = recorded(path, tmp_path / "evidence", ASKED)
    assert kept.problem == "clips have its pictures encoded to H.264: no browser plays what it sends"
    assert kept.clip == "gate/gate-1.mp4"
    clip = tmp_path / "evidence" / kept.clip
    assert codecs(clip) == ["h264"]
    assert stamps(clip)[-1] == pytest.approx(5.1, abs=0.5)
    assert [path.name for path in clip.parent.glob(".*")] == []


def test_sound_that_browsers_do_not_play_in_mp4_is_kept_in_matroska(tmp_path: Path) -> None:
    path = write_media(tmp_path / "source.mkv", 12.0, audio_codec="pcm_s16le")
    *_, kept = recorded(path, tmp_path / "evidence", ASKED)
    assert kept.clip == "gate/gate-1.mkv"
    assert codecs(tmp_path / "evidence" / kept.clip) == ["h264", "pcm_s16le"]
    assert kept.problem == ""


def test_sound_that_no_such_container_takes_is_encoded_and_it_is_said(tmp_path: Path) -> None:
    path = write_media(tmp_path / "source.mov", 12.0, audio_codec="pcm_mulaw")
    *_, kept = recorded(path, tmp_path / "evidence", ASKED)
    assert kept.problem == "clips have its sound encoded to AAC: no browser plays what it sends"
    assert kept.clip == "gate/gate-1.mp4"
    assert codecs(tmp_path / "evidence" / kept.clip) == ["h264", "aac"]
    with av.open(str(tmp_path / "evidence" / kept.clip), "r") as container:
        sound = container.streams.audio[0]
        assert float((sound.duration or 0) * (sound.time_base or 0)) == pytest.approx(5.2, abs=0.3)


def test_an_event_of_which_nothing_is_in_memory_has_no_evidence(source: Path, tmp_path: Path) -> None:
    [kept] = recorded(source, tmp_path, replace(ASKED, session=1))
    assert kept == Kept("gate", "gate-1", None, None, is_final=True, problem="nothing of it was in memory any more")


def test_a_full_disk_costs_the_evidence_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    with full_disk():
        *_, kept = recorded(source, tmp_path, ASKED)
    assert (kept.clip, kept.snapshot, kept.is_final) == (None, None, True)
    assert kept.problem == "file too large; make room for evidence, or look at the rights of its folder"
    assert list((tmp_path / "gate").iterdir()) == []


def test_a_folder_that_cannot_be_made_costs_the_evidence(source: Path, tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("a file")
    [kept] = recorded(source, tmp_path / "evidence", ASKED)
    assert (kept.clip, kept.snapshot, kept.is_final) == (None, None, True)
    assert "make room for evidence" in kept.problem


def test_memory_is_bounded_whatever_a_source_sends(source: Path) -> None:
    recent = Recent(keep_seconds=1000, most_bytes=60_000)
    with open_media(str(source), Spec()) as media:
        recent.begin(0, media)
        recent.needed = 0
        for _ in media.items():
            assert sum(stored.packet.size for stored in recent.since(0)) <= 60_000
    assert recent.is_pressed
    first = recent.start(0)
    assert first is not None
    assert first.packet.is_keyframe


def test_only_the_last_seconds_are_kept(source: Path) -> None:
    recent = Recent(keep_seconds=3)
    with open_media(str(source), Spec()) as media:
        recent.begin(0, media)
        for _ in media.items():
            pass
    stored = recent.since(0)
    assert stored[0].seconds == pytest.approx(9, abs=0.3)
    assert stored[-1].seconds == pytest.approx(12, abs=0.3)


@given(st.text(max_size=300))
def test_any_name_is_a_safe_name_for_a_file(text: str) -> None:
    name = safe_name(text)
    assert Path(name).name == name
    assert not name.startswith(".")
    assert name.isascii()
    assert len(name) < 200


def test_names_stay_apart() -> None:
    assert (
        len({safe_name(name) for name in ("..", "...", "a/b", "a:b", "a_b", "Tür", "T r", "a" * 300, "a" * 301)}) == 9
    )
    assert safe_name("gate-20261122T071501.250Z") == "gate-20261122T071501.250Z"


def test_the_oldest_files_go_first_and_those_that_are_too_old(tmp_path: Path) -> None:
    folder = tmp_path / "gate"
    folder.mkdir()
    now = time.time()
    for number, age_days in enumerate([40, 5, 4, 3]):
        path = folder / f"{number}.mp4"
        path.write_bytes(bytes(1000))
        os.utime(path, (now - age_days * 86400,) * 2)
    (folder / ".5.mp4").write_bytes(bytes(5000))  # is just being written
    trim(tmp_path, keep_days=30, most_bytes=10_000)
    assert sorted(path.name for path in folder.iterdir()) == [".5.mp4", "1.mp4", "2.mp4", "3.mp4"]
    trim(tmp_path, keep_days=30, most_bytes=2500)
    assert sorted(path.name for path in folder.iterdir()) == [".5.mp4", "2.mp4", "3.mp4"]


def test_what_a_dead_process_left_is_deleted_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    (tmp_path / ".left.mp4").write_bytes(b"half")
    writing = Unfinished(tmp_path / "new.mp4")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".new.mp4"]
    writing.keep()
    assert [path.name for path in tmp_path.iterdir()] == ["new.mp4"]
