"""Signs of life: pulses, and tracks that go silent and come back."""

import re
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from media_files import write_media

from models.spec import Spec
from pipeline.config import LiveConfig
from pipeline.media import Frame, Item, Samples, open_media
from pipeline.pulse import Pulse, Vigil

CONFIG = LiveConfig(stall_seconds=2)


def without(whole: Path, kind: str, first: float, last: float) -> Path:
    """A copy in which a track has nothing between two times."""
    path = whole.with_name("holed.mkv")
    with av.open(str(whole)) as source, av.open(str(path), "w") as copy:
        tracks = {stream.index: copy.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None or packet.pts is None:
                continue
            if packet.stream.type != kind or not first <= packet.pts * packet.time_base < last:
                packet.stream = tracks[packet.stream.index]
                copy.mux(packet)
    return path


def watched(path: Path) -> tuple[list[str], list[Pulse]]:
    """What is said of a file, and its pulses."""
    said: list[str] = []
    pulses: list[Pulse] = []
    with open_media(str(path), Spec()) as media:
        vigil = Vigil(media, Spec(), CONFIG, pulses.append, said.append)
        items = list(vigil.items(media.items()))
        assert items
    return said, pulses


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_media(tmp_path_factory.mktemp("pulse") / "whole.mkv", 10.0)


@pytest.mark.parametrize(("kind", "name"), [("audio", "sound"), ("video", "picture")])
def test_a_track_that_goes_silent_is_told_once_and_again_when_it_is_back(clip: Path, kind: str, name: str) -> None:
    path = without(clip, kind, 3.0, 7.0)
    said, pulses = watched(path)
    assert said == [
        f"source: {path}: no {name} for 2 s while the rest goes on; look at the camera",
        f"source: {path}: its {name} is back",
    ]
    assert set(pulses) == {Pulse(2)}


def test_a_track_that_never_says_anything_is_told(clip: Path) -> None:
    path = without(clip, "audio", 0.0, 99.0)
    assert watched(path)[0] == [f"source: {path}: no sound for 2 s while the rest goes on; look at the camera"]


def leading(clip: Path, seconds: float, leads: Callable[[float], float]) -> list[str]:
    """What is said of pictures that are so far ahead of the sound, at each time."""
    said: list[str] = []
    items: list[Item] = []
    for number in range(round(8 * seconds)):
        at = number / 8
        items += [Frame(at, np.zeros((1, 1, 3), np.uint8)), Samples(at - leads(at), np.zeros(2000, np.float32))]
    with open_media(str(clip), Spec()) as media:
        assert list(Vigil(media, Spec(), LiveConfig(), lambda _: None, said.append).items(iter(items))) == items
    return [line.rpartition(": ")[2] for line in said]


@pytest.mark.parametrize(("sign", "place"), [(1, "behind"), (-1, "ahead of")])
def test_sound_that_drifts_away_from_the_picture_is_told_once(clip: Path, sign: int, place: str) -> None:
    (said,) = leading(clip, 100, lambda at: 0.3 + sign * 0.01 * at)
    assert re.fullmatch(f"its sound has drifted 0\\.[56] s {place} its picture; look at the camera's clock", said)


def test_sound_that_comes_back_to_the_picture_is_told(clip: Path) -> None:
    said = leading(clip, 200, lambda at: 0.01 * min(at, 200 - at))
    assert said[0].startswith("its sound has drifted 0.")
    assert said[1:] == ["its sound and picture are together again"]


def test_sound_that_is_always_late_and_holes_are_no_drift(clip: Path) -> None:
    assert leading(clip, 60, lambda _: 0.9) == []
    assert leading(clip, 60, lambda at: at - 25 if 25 < at < 32 else 0.0) == []


def test_a_hole_that_is_short_and_a_source_of_one_track_are_silent(clip: Path, tmp_path: Path) -> None:
    assert watched(without(clip, "audio", 3.0, 4.5))[0] == []
    said, pulses = watched(write_media(tmp_path / "a.mp4", 4.0, has_audio=False))
    assert said == []
    assert pulses
