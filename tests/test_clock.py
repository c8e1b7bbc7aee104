"""Time stamps good and bad."""

from fractions import Fraction

import pytest

from pipeline.clock import Clock, Timeline

MILLISECOND = Fraction(1, 1000)


def times(clock: Clock, stamps: list[float]) -> list[float | None]:
    """The clock's time of each time stamp, both in seconds."""
    seconds = [clock.seconds(round(1000 * stamp), MILLISECOND) for stamp in stamps]
    return [None if one is None else round(one, 6) for one in seconds]


def test_time_counts_from_the_first_stamp() -> None:
    assert times(Clock(Timeline(None)), [1000.0, 1000.04, 1000.08]) == [0.0, 0.04, 0.08]


def test_time_counts_from_the_start_of_the_container_for_every_track() -> None:
    timeline = Timeline(None)
    timeline.starts.append(50.0)
    assert times(Clock(timeline), [50.5]) == [0.5]
    assert times(Clock(timeline), [50.0]) == [0.0]


def test_a_stamp_that_comes_late_is_dropped() -> None:
    assert times(Clock(Timeline(None)), [0.0, 0.1, 0.05, 0.1, 0.2]) == [0.0, 0.1, None, None, 0.2]


@pytest.mark.parametrize("wrong", [5.0, 80_000.0, -300.0])
@pytest.mark.parametrize("duration_seconds", [None, 10.0, 100_000.0])
def test_one_corrupted_stamp_changes_nothing(wrong: float, duration_seconds: float | None) -> None:
    stamps = [10.0, 10.04, 10.0 + wrong, 10.12, 10.16]
    assert times(Clock(Timeline(duration_seconds)), stamps) == [0.0, 0.04, None, 0.12, 0.16]


def test_what_is_expected_of_a_stamp_changes_nothing_and_a_leap_is_not_expected() -> None:
    clock = Clock(Timeline(None))
    assert clock.expected(10_000, MILLISECOND) is None  # before the first stamp
    assert times(clock, [10.0, 10.04]) == [0.0, 0.04]
    assert [clock.expected(stamp, MILLISECOND) for stamp in (10_250, 11_000, 80_000, 8_000)] == [0.25, 1, None, None]
    assert times(clock, [10.08]) == [0.08]


def test_a_source_that_sets_its_clock_goes_on_without_a_leap() -> None:
    for leap in (-500.0, 1_700_000_000.0):
        stamps = [1000.0, 1000.04, 1000.0 + leap, 1000.04 + leap, 1000.08 + leap]
        assert times(Clock(Timeline(None)), stamps) == [0.0, 0.04, None, 0.08, 0.12]


@pytest.mark.parametrize("num_bits", [32, 33])
def test_stamps_that_wrap_go_on_without_a_leap_in_both_tracks(num_bits: int) -> None:
    timeline, wrap = Timeline(None), 2**num_bits
    video, audio = Clock(timeline), Clock(timeline)
    for number in range(100):
        expected = number / 25
        stamp = (wrap - 90_000 + 3_600 * number) % wrap  # 25 a second, from a second before
        for clock in (video, audio):
            seconds = clock.seconds(stamp, Fraction(1, 90_000))
            assert seconds == (None if stamp == 0 else pytest.approx(expected, abs=0.05))


def test_stamps_that_are_missing_now_and_then_are_a_step_after_the_last() -> None:
    clock = Clock(Timeline(None))
    assert times(clock, [5.0, 5.04]) == [0.0, 0.04]
    assert [round(clock.after(0.04), 6) for _ in range(2)] == [0.08, 0.12]
    assert times(clock, [5.16, 5.2]) == [0.16, 0.2]


def test_a_source_that_sets_its_clock_again_and_again_keeps_its_time() -> None:
    clock, told = Clock(Timeline(None)), []
    for leap in (0.0, -3600.0, 86_400.0, -1.5, 7.25e8):
        told += times(clock, [5000.0 + leap + number / 25 for number in range(250)])
    kept = [seconds for seconds in told if seconds is not None]
    assert len(kept) >= 5 * 250 - 4
    assert kept == sorted(kept)
    assert kept[-1] == pytest.approx(5 * 10, abs=0.5)


def test_a_short_recording_that_begins_again_goes_on() -> None:
    stamps = [0.0, 1.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0, 0.0, 1.0]
    assert times(Clock(Timeline(None)), stamps) == [0.0, 1.0, 2.0, 3.0, None, 4.0, 5.0, 6.0, None, 7.0]


def test_a_hole_in_a_live_stream_stays_a_hole() -> None:
    assert times(Clock(Timeline(None)), [0.0, 0.04, 8.0, 8.04]) == [0.0, 0.04, None, 8.04]


def test_a_hole_in_a_file_may_be_as_long_as_the_file() -> None:
    assert times(Clock(Timeline(3600.0)), [0.0, 0.04, 3000.0, 3000.04]) == [0.0, 0.04, None, 3000.04]
    assert times(Clock(Timeline(60.0)), [0.0, 0.04, 3000.0, 3000.04]) == [0.0, 0.04, None, 0.08]


def test_a_wrong_start_of_the_container_is_put_right() -> None:
    timeline = Timeline(90_000.0)
    timeline.starts.append(10.0)
    assert times(Clock(timeline), [80_000.0, 80_000.04, 80_000.08]) == [None, 0.04, 0.08]


def test_a_picture_every_half_minute_is_believed_after_the_first() -> None:
    assert times(Clock(Timeline(150.0)), [0.0, 30.0, 60.0, 90.0, 120.0]) == [0.0, None, 60.0, 90.0, 120.0]


def test_two_tracks_take_the_same_step() -> None:
    timeline = Timeline(None)
    video, audio = Clock(timeline), Clock(timeline)
    assert times(video, [100.0, 100.04]) == [0.0, 0.04]
    assert times(audio, [100.0, 100.03]) == [0.0, 0.03]
    assert times(video, [7.0, 7.04, 7.08]) == [None, 0.08, 0.12]
    assert times(audio, [100.06, 100.09]) == [0.06, 0.09]  # the last of the old clock
    assert times(audio, [7.05, 7.08, 7.11]) == [None, 0.12, 0.15]


def test_a_track_that_was_silent_comes_back_in_its_time() -> None:
    timeline = Timeline(None)
    video, audio = Clock(timeline), Clock(timeline)
    times(audio, [0.0])
    times(video, [second / 2 for second in range(100)])
    assert times(audio, [49.5, 49.6]) == [49.5, 49.6]


def test_frames_without_stamps_are_a_step_apart() -> None:
    clock = Clock(Timeline(None))
    assert [clock.after(0.25) for _ in range(4)] == [0.0, 0.25, 0.5, 0.75]


def test_a_subtitle_may_be_far_ahead_but_not_before_the_start() -> None:
    timeline = Timeline(None)
    timeline.starts.append(10.0)
    assert Clock(timeline).place(500_000, MILLISECOND) == 490.0
    assert Clock(timeline).place(5_000, MILLISECOND) == 0.0
