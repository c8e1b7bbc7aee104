"""Folders of numbered pictures, read as a video."""

from pathlib import Path

import pytest
from media_files import level, write_pictures

from models.spec import Spec
from pipeline.config import LiveConfig
from pipeline.container import open_container
from pipeline.errors import SourceError, SourceFormatError, SourceNotFoundError
from pipeline.item import Frame
from pipeline.media import open_media


def num_pictures(source: str) -> int:
    with open_container(source, LiveConfig()) as container:
        return len(list(container.decode(video=0)))


@pytest.mark.parametrize("suffix", [".tif", ".bmp", ".png", ".jpg", ".TIF"])
def test_a_folder_of_pictures_is_a_video_of_ten_a_second(tmp_path: Path, suffix: str) -> None:
    write_pictures(tmp_path, 20, suffix=suffix)
    with open_media(str(tmp_path), Spec()) as media:
        assert (media.has_video, media.has_audio, media.is_live) == (True, False, False)
        assert media.duration_seconds == 2.0
        found = [item for item in media.items() if isinstance(item, Frame)]
    taken = [0, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19]  # the first of every eighth of a second
    assert [frame.pts_seconds for frame in found] == pytest.approx([number / 10 for number in taken])
    assert [int(frame.image[40, 75, 0]) for frame in found] == pytest.approx([level(n) for n in taken], abs=2)


def test_a_pattern_names_one_of_two_series(tmp_path: Path) -> None:
    write_pictures(tmp_path, 4, name="left{:03d}")
    write_pictures(tmp_path, 9, name="right{:03d}")
    with pytest.raises(SourceFormatError, match=r"several series, left%03d\.tif and right%03d\.tif; name one"):
        open_media(str(tmp_path), Spec())
    with open_media(str(tmp_path / "right%03d.tif"), Spec()) as media:
        assert media.duration_seconds == 0.9


@pytest.mark.parametrize("name", ["{:d}", "frame_7_{:04d}", "100% {:02d}"])
def test_numbers_may_be_written_in_any_way_and_begin_anywhere(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "50%d off"
    folder.mkdir()
    write_pictures(folder, 8, name=name, first=8)
    assert num_pictures(str(folder)) == 8


def test_what_else_lies_in_the_folder_is_passed_over(tmp_path: Path) -> None:
    write_pictures(tmp_path, 3)
    for name in ("._001.tif", ".DS_Store", "Thumbs.db", "notes.tif", "004.txt"):
        (tmp_path / name).write_text("not a picture")
    assert num_pictures(str(tmp_path)) == 3


@pytest.mark.parametrize("named", ["", "%03d.tif"])
def test_a_missing_picture_is_named(tmp_path: Path, named: str) -> None:
    write_pictures(tmp_path, 5)
    (tmp_path / "003.tif").unlink()
    complaint = r"no 003\.tif between 001\.tif and 005\.tif; restore it, or number them anew$"
    with pytest.raises(SourceFormatError, match=complaint):
        open_media(str(tmp_path / named), Spec())


@pytest.mark.parametrize("named", ["", "%03d.tif"])
def test_a_folder_without_pictures_is_told(tmp_path: Path, named: str) -> None:
    with pytest.raises(SourceFormatError, match="no numbered pictures there; name a file, or a folder of"):
        open_media(str(tmp_path / named), Spec())


def test_a_file_with_a_pattern_for_a_name_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "%03d.tif").write_bytes(b"")
    with pytest.raises(SourceError, match="the file is empty"):
        open_media(str(tmp_path / "%03d.tif"), Spec())


def test_a_name_that_no_file_can_have_is_told() -> None:
    with pytest.raises(SourceNotFoundError, match=r"File name too long; check the path$"):
        open_media("a" * 300 + ".mp4", Spec())
    with pytest.raises(SourceNotFoundError, match=r"File name too long; check the path$"):
        open_media("a" * 300 + "/b.mp4", Spec())
    with pytest.raises(SourceNotFoundError, match=r"no such file; check the path$"):
        open_media("a\0b.mp4", Spec())
