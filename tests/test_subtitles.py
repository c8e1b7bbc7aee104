"""Subtitle files good and bad, and what is beside a video."""

import io
from pathlib import Path

import av
import pytest

from pipeline.errors import SourceFormatError
from pipeline.item import Cue
from pipeline.subtitles import ass_text, plain_text, read_cues, sidecar

SRT = "1\n00:00:01,000 --> 00:00:02,500\nHands up!\n\n2\n00:00:03,000 --> 00:00:04,000\nTwo\nlines\n"
VTT = """WEBVTT - made up

STYLE
::cue { color: red }

NOTE nothing to read here

first
00:01.000 --> 00:02.500 line:0 align:start
<v Guard>Hands <i>up</i>!</v>

00:00:03.000 --> 00:00:04.000
Fish &amp; chips &lt;3
"""


def cues_of(tmp_path: Path, text: str | bytes, name: str = "movie.srt") -> list[Cue]:
    data = text.encode() if isinstance(text, str) else text
    path = tmp_path / name
    path.write_bytes(data)
    return read_cues(path)


def test_subrip_is_read_as_ffmpeg_reads_it(tmp_path: Path) -> None:
    with av.open(io.BytesIO(SRT.encode()), "r", format="srt") as container:
        stream = container.streams.subtitles[0]
        packets = [packet for packet in container.demux(stream) if packet.size and packet.pts is not None]
        expected = [
            Cue(packet.pts / 1000, (packet.pts + (packet.duration or 0)) / 1000, bytes(packet).decode())
            for packet in packets
            if packet.pts is not None
        ]
    assert cues_of(tmp_path, SRT) == expected
    assert len(expected) == 2


def test_webvtt_is_read_without_styles_notes_and_tags(tmp_path: Path) -> None:
    assert cues_of(tmp_path, VTT, "movie.vtt") == [Cue(1.0, 2.5, "Hands up!"), Cue(3.0, 4.0, "Fish & chips <3")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_the_encoding_is_found_out(tmp_path: Path, encoding: str) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nÀ l'aide ! Señor\n"
    assert cues_of(tmp_path, text.encode(encoding)) == [Cue(1.0, 2.0, "À l'aide ! Señor")]


@pytest.mark.parametrize("line_feed", ["\r\n", "\r", "\n"])
def test_any_line_feed_will_do(tmp_path: Path, line_feed: str) -> None:
    assert cues_of(tmp_path, SRT.replace("\n", line_feed).encode())[1] == Cue(3.0, 4.0, "Two\nlines")


@pytest.mark.parametrize(
    "bad",
    [
        "00:00:02,000 --> not a time\nbad\n",
        "-0:00:02,000 --> 00:00:02,500\nbad\n",
        "        --> 00:00:02,500\nbad\n",
        "2\nno times at all\n",
        "00:00:02.badbad --> 00:00:02,500\nbad\n",
        "00:00:02,000 --> 00:00:02,500\n<i></i>\n",
        "2\n",
    ],
)
def test_a_bad_cue_is_left_out_and_the_good_ones_stay(tmp_path: Path, bad: str) -> None:
    text = f"1\n00:00:01,000 --> 00:00:01,500\nfirst\n\n{bad}\n3\n00:00:03,000 --> 00:00:03,500\nthird\n"
    assert [cue.text for cue in cues_of(tmp_path, text)] == ["first", "third"]


def test_cues_without_an_empty_line_between_them_are_two(tmp_path: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nfirst\n2\n00:00:03,000 --> 00:00:04,000\nIn the year\n2000\n"
    assert [cue.text for cue in cues_of(tmp_path, text)] == ["first", "In the year\n2000"]


def test_a_cue_without_an_end_stays_five_seconds_or_until_the_next(tmp_path: Path) -> None:
    text = "00:00:01,000 -->\nfirst\n\n00:00:03,000 --> 00:00:02,000\nsecond\n"
    assert cues_of(tmp_path, text) == [Cue(1.0, 3.0, "first"), Cue(3.0, 8.0, "second")]


def test_cues_come_in_order_of_time(tmp_path: Path) -> None:
    text = "01:00:03,000 --> 01:00:04,000\nlate\n\n00:01,5 --> 00:02\nearly\n"
    assert cues_of(tmp_path, text) == [Cue(1.5, 2.0, "early"), Cue(3603.0, 3604.0, "late")]


def test_bytes_that_are_no_subtitles_give_no_cues(tmp_path: Path) -> None:
    assert cues_of(tmp_path, bytes(range(256)) * 20) == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceFormatError, match=r"subtitles: .*none\.srt: No such file or directory; check"):
        read_cues(tmp_path / "none.srt")


@pytest.mark.parametrize(
    ("marked_up", "plain"),
    [
        (r"{\an8}{\pos(10,20)}Get\Nout", "Get\nout"),
        (r"one\htwo\nthree", "one two\nthree"),
        ('<font color="red">Stop</font> <b>it', "Stop it"),
        ("5 < 6 and 7 > 6", "5 < 6 and 7 > 6"),
        ("  \n spaced   out \n\n", "spaced out"),
        ("ends here\x00", "ends here"),
    ],
)
def test_mark_up_is_taken_off(marked_up: str, plain: str) -> None:
    assert plain_text(marked_up) == plain


def test_the_words_of_an_ass_line_may_hold_commas() -> None:
    assert ass_text(rb"7,0,Default,,0,0,0,,Stop, {\i1}thief{\i0}, stop") == "Stop, thief, stop"


@pytest.mark.parametrize(
    ("beside", "found"),
    [
        (["movie.srt", "movie.vtt", "movie.en.srt"], "movie.srt"),
        (["movie.vtt", "movie.de.srt"], "movie.vtt"),
        (["movie.fr.srt", "movie.en.vtt"], "movie.en.vtt"),
        (["movie2.srt", "movie.part.en.srt", "movie.txt", "amovie.en.srt"], None),
    ],
)
def test_the_subtitles_beside_a_video_are_found_by_its_name(
    tmp_path: Path, beside: list[str], found: str | None
) -> None:
    for name in beside:
        (tmp_path / name).touch()
    assert sidecar(tmp_path / "movie.mp4") == (found and tmp_path / found)


def test_an_endless_time_is_no_time(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text(f"{'9' * 400}:00:01,000 --> 00:00:02,000\nnever\n\n00:00:01,000 --> {'9' * 5000}:00:02\nnever\n")
    assert read_cues(path) == []
