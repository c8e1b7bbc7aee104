"""Closed captions, against FFmpeg's decoder in its other mode."""

from itertools import pairwise

import av
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.subtitle import AssSubtitle
from media_files import erase, no_captions, pop_on, roll_up

from pipeline.captions import Captions
from pipeline.item import Cue
from pipeline.subtitles import ass_text

FRAME_SECONDS = 0.04


def cues_of(pictures: list[bytes]) -> list[Cue]:
    captions = Captions()
    cues = [cue for number, data in enumerate(pictures) for cue in captions.cues(data, number * FRAME_SECONDS)]
    return [*cues, *captions.rest()]


def screens_of(pictures: list[bytes]) -> list[str]:
    """What FFmpeg's decoder, in its other mode, says was on the screen, each whole screen when it goes."""
    decoder = av.CodecContext.create("cc_dec", "r")
    assert isinstance(decoder, SubtitleCodecContext)
    shown = [decoder.decode2(av.Packet(data)) for data in pictures]
    return [
        ass_text(rect.ass) for subtitles in shown if subtitles for rect in subtitles if isinstance(rect, AssSubtitle)
    ]


def test_a_caption_that_pops_on_is_read_once_when_it_shows() -> None:
    pictures = [*pop_on("HANDS UP"), *no_captions(50), *erase()]
    shown = (len(pop_on("HANDS UP")) - 2) * FRAME_SECONDS
    assert cues_of(pictures) == [Cue(shown, shown + 5.0, "HANDS UP")]
    assert screens_of(pictures) == ["HANDS UP"]


def test_a_caption_that_goes_at_once_ends_when_it_goes() -> None:
    shown, gone = len(pop_on("RUN")) - 2, len(pop_on("RUN")) + 5
    pictures = [*pop_on("RUN"), *no_captions(5), *erase(), *no_captions(20)]
    assert cues_of(pictures) == [Cue(shown * FRAME_SECONDS, gone * FRAME_SECONDS, "RUN")]


def test_the_same_words_said_twice_are_read_twice() -> None:
    pictures = [*pop_on("HELP"), *no_captions(20), *erase(), *no_captions(20), *pop_on("HELP"), *no_captions(20)]
    assert [cue.text for cue in cues_of(pictures)] == ["HELP", "HELP"]


def test_captions_that_roll_up_are_read_row_by_row_each_once() -> None:
    lines = ["THE FIRST LINE", "A SECOND", "AND A THIRD"]
    pictures = [data for line in lines for data in roll_up(line)] + no_captions(20)
    cues = cues_of(pictures)
    assert [cue.text for cue in cues] == lines
    assert all(before.end_seconds <= after.pts_seconds for before, after in pairwise(cues))
    assert "\n".join(lines[1:]) in screens_of([*pictures, *erase()])


def test_captions_that_never_came_leave_nothing() -> None:
    assert cues_of(no_captions(100)) == []


def test_bytes_with_wrong_parity_are_no_letters() -> None:
    noise = [bytes([0xFC, 0x41, 0x42])] * 5  # both even
    assert cues_of([*pop_on("SAFE")[:-2], *noise, *pop_on("SAFE")[-2:], *no_captions(20)])[0].text == "SAFE"
