"""Windows of recordings held in memory, and of a file."""

import itertools
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.spec import Spec
from pipeline.item import Cue, Frame, Item, Samples
from pipeline.media import open_media
from pipeline.window import LONGEST_CUE_SECONDS, PATIENCE_SECONDS, Window, windows

SPEC = Spec(frame_size=1, sample_rate=1000)
ORIGIN = datetime(2026, 11, 22, tzinfo=UTC)
RATE = 8
"""Cells a second."""
YEAR_SECONDS = 31_536_000.0


@dataclass
class Recording:
    """A source in memory, and how much of it was read."""

    contents: Sequence[Item]
    has_video: bool = False
    has_audio: bool = False
    has_text: bool = False
    read_seconds: float = 0.0

    def items(self) -> Iterator[Item]:
        """Notes what it gives."""
        for item in self.contents:
            self.read_seconds = item.pts_seconds
            yield item


def cut(contents: Sequence[Item], spec: Spec = SPEC) -> list[Window]:
    """The windows of a source that has what is in it."""
    has = {kind: any(isinstance(item, kind) for item in contents) for kind in (Frame, Samples, Cue)}
    recording = Recording(contents, has[Frame], has[Samples], has[Cue])
    return list(windows(recording, "gate", spec, ORIGIN))


def picture(seconds: float, number: int = 0) -> Frame:
    return Frame(seconds, np.full((1, 1, 3), number, np.uint8))


def pictures(num_frames: int, start_seconds: float = 0.0) -> list[Item]:
    """One for every cell, its number in it."""
    return [picture(start_seconds + number / RATE, number) for number in range(num_frames)]


def sound(start: int, end: int) -> Samples:
    """These samples of a ramp: each says which one it is."""
    return Samples(start / 1000, np.arange(start, end, dtype=np.float32) + 1)


def numbers(window: Window) -> list[int]:
    assert window.frames is not None
    return [int(frame[0, 0, 0]) for frame in window.frames]


def in_order(*items: Item) -> list[Item]:
    return sorted(items, key=lambda item: item.pts_seconds)


def test_starts_are_multiples_of_the_stride_for_an_hour() -> None:
    spec = Spec(frame_size=1, window_seconds=1.4, stride_seconds=0.7, num_frames=2)
    found = cut([picture(number / 2) for number in range(7200)], spec)
    assert len(found) == 5142
    assert [window.start_seconds for window in found] == [index * 0.7 for index in range(5142)]
    assert [window.index for window in found] == list(range(5142))


@pytest.mark.parametrize("error_seconds", [0.0, -5e-7])
def test_a_picture_on_a_windows_start_belongs_to_it(error_seconds: float) -> None:
    found = cut([picture(number / RATE + error_seconds, number) for number in range(4 * RATE)])
    assert [numbers(window) for window in found] == [list(range(8 * i, 8 * i + 16)) for i in range(3)]


@given(st.sets(st.integers(0, 4999), min_size=1))
def test_each_cell_takes_its_first_picture_and_an_empty_one_repeats(milliseconds: set[int]) -> None:
    taken = sorted(milliseconds)
    found = cut([picture(ms / 1000, index) for index, ms in enumerate(taken[:250])])
    for window in found:
        cells = [
            [index for index, ms in enumerate(taken[:250]) if low <= ms < low + 125]
            for low in range(round(1000 * window.start_seconds), round(1000 * window.end_seconds), 125)
        ]
        expected = [next(cell[0] for cell in cells if cell)]
        for cell in cells:
            expected.append(cell[0] if cell else expected[-1])
        assert numbers(window) == expected[1:]


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_sound_is_cut_by_sample_whatever_its_chunks(lengths: list[int]) -> None:
    ends = list(itertools.accumulate(lengths))
    found = cut([sound(end - length, end) for end, length in zip(ends, lengths, strict=True)])
    ramp = np.concatenate([np.arange(ends[-1], dtype=np.float32) + 1, np.zeros(3000, np.float32)])
    assert found
    for window in found:
        start = round(1000 * window.start_seconds)
        np.testing.assert_array_equal(window.samples, ramp[start : start + 2000])


def test_a_hole_in_the_sound_is_silence() -> None:
    window = cut([sound(0, 500), sound(1500, 2000)])[0]
    assert window.samples is not None
    expected = np.arange(2000) + 1
    expected[500:1500] = 0
    np.testing.assert_array_equal(window.samples, expected)


def test_what_a_source_does_not_have_is_none_and_what_is_empty_is_empty() -> None:
    seen = cut(pictures(16))[0]
    assert (seen.samples, seen.text) == (None, None)
    heard = cut([sound(0, 2000)])[0]
    assert (heard.frames, heard.text) == (None, None)
    subtitled = cut(in_order(*pictures(40), Cue(3.5, 4, "late")))
    assert [window.text for window in subtitled] == ["", "", "late", "late"]


def test_words_of_cues_that_overlap_stand_together() -> None:
    found = cut(in_order(*pictures(40), Cue(0.5, 3, "stop"), Cue(1, 2, "or I shoot"), Cue(4, 5, "well")))
    assert [window.text for window in found] == ["stop\nor I shoot", "stop\nor I shoot", "stop", "well"]


def test_words_without_end_are_cut() -> None:
    found = cut(in_order(*pictures(20), Cue(0.5, 3, "stop " * 100_000)))
    assert found[0].text == ("stop " * 400)


def test_a_cue_that_touches_a_window_is_not_in_it() -> None:
    found = cut(in_order(*pictures(40), Cue(2, 3, "here")))
    assert [window.text for window in found] == ["", "here", "here", ""]


def test_a_cue_without_an_end_keeps_no_pictures_alive() -> None:
    alive: list[weakref.ref[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]] = []

    class Endless(Recording):
        def items(self) -> Iterator[Item]:
            yield Cue(0, float("inf"), "PLAY")
            for number in range(20 * RATE):
                image = np.zeros((1, 1, 3), np.uint8)
                alive.append(weakref.ref(image))
                yield Frame(number / RATE, image)

    cutting = windows(Endless([], has_video=True, has_text=True), "gate", SPEC, ORIGIN)
    for window in cutting:
        assert window.text == "PLAY"
        assert sum(image() is not None for image in alive) <= 2 * RATE + 2
    assert len(alive) == 20 * RATE


def test_a_cue_without_an_end_makes_no_endless_windows() -> None:
    found = cut([Cue(0, float("inf"), "PLAY")])
    assert found[-1].end_seconds == LONGEST_CUE_SECONDS
    assert len(cut(in_order(*pictures(16), Cue(0, float("inf"), "PLAY")))) == 1


def test_one_dead_track_does_not_stop_the_windows() -> None:
    live = in_order(*pictures(10 * RATE), *(sound(at, at + 250) for at in range(0, 3000, 250)))
    recording = Recording(live, has_video=True, has_audio=True)
    late_seconds = []
    for window in windows(recording, "gate", SPEC, ORIGIN):
        late_seconds.append(recording.read_seconds - window.end_seconds)
        assert (window.samples is None) == (window.start_seconds >= 3)
    assert len(late_seconds) == 9
    assert max(late_seconds) <= PATIENCE_SECONDS + 1 / RATE
    assert late_seconds[0] <= 0.25  # with both there is nothing to wait for


@given(st.integers(1, 60))
def test_only_one_picture_may_remain_unseen_and_no_window_is_all_behind_the_end(num_frames: int) -> None:
    found = cut(pictures(num_frames))
    seen = {number for window in found for number in numbers(window)}
    assert seen in (set(range(num_frames)), set(range(num_frames - 1)))
    assert seen  # even of a source of one picture
    assert found[-1].start_seconds < num_frames / RATE
    assert all(window.end_seconds < num_frames / RATE for window in found[:-1])


def test_sound_beyond_the_last_picture_is_heard() -> None:
    found = cut(in_order(*pictures(2 * RATE), *(sound(at, at + 500) for at in range(0, 5500, 500))))
    assert [window.end_seconds for window in found] == [2, 3, 4, 5, 6]
    assert found[-1].frames is None
    assert found[-1].samples is not None
    np.testing.assert_array_equal(found[-1].samples[:1500], np.arange(4000, 5500) + 1)


def test_a_leap_of_the_clock_by_a_year_makes_no_windows_of_nothing() -> None:
    found = cut([*pictures(24), *pictures(24, YEAR_SECONDS)])
    assert [window.start_seconds for window in found] == [
        *(0, 1, 2),
        *(YEAR_SECONDS + start for start in (-1, 0, 1)),
    ]
    assert [window.index for window in found] == [round(window.start_seconds) for window in found]


def test_a_source_of_words_alone_is_cut_where_words_are() -> None:
    found = cut([Cue(0.5, 1.5, "first"), Cue(7200.2, 7201.4, "second")])
    assert [(window.start_seconds, window.text) for window in found] == [
        *((0, "first"), (1, "first")),
        *((7199, "second"), (7200, "second")),
    ]


def test_a_source_with_nothing_in_it_has_no_windows() -> None:
    assert list(windows(Recording([], has_video=True), "gate", SPEC, ORIGIN)) == []


def test_a_window_knows_where_it_is_from_and_when_it_was_complete(clip: Path) -> None:
    with open_media(str(clip), Spec()) as media:
        before = time.monotonic()
        found = list(windows(media, "gate", Spec(), ORIGIN, session=3))
        after = time.monotonic()
    assert [(window.start_seconds, window.end_seconds) for window in found] == [(0, 2), (1, 3)]
    for window in found:
        assert (window.source, window.session, window.origin) == ("gate", 3, ORIGIN)
        assert window.frames is not None
        assert window.frames.shape == (16, 80, 80, 3)
        assert window.samples is not None
        assert window.samples.shape == (32_000,)
        assert window.text is None
    assert before <= found[0].closed_at <= found[1].closed_at <= after


def test_a_live_source_began_before_it_was_open() -> None:
    began = time.monotonic()
    recording = Recording(pictures(5 * RATE), has_video=True)  # all of it had come before it was open
    found = list(windows(recording, "gate", SPEC, ORIGIN, arrives=True))
    took = timedelta(seconds=time.monotonic() - began)
    assert {window.origin for window in found} == {found[0].origin}
    assert timedelta(0) <= found[0].origin - (ORIGIN - timedelta(seconds=2, microseconds=1)) <= took
    assert next(windows(recording, "gate", SPEC, ORIGIN)).origin == ORIGIN
