"""The subtitle lines written for Heed: what the network learns from says nothing about what it is tested on."""

import csv
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.labels import read_labels

LINES = Path(__file__).parent.parent / "models" / "lines"


def _texts(split: str) -> list[str]:
    """The lines of a split in their order; each is one line of its cue."""
    cues = (LINES / f"{split}.srt").read_text(encoding="utf-8").strip().split("\n\n")
    return [cue.split("\n", 2)[2] for cue in cues]


def _words(text: str) -> list[str]:
    return re.sub(r"[^\w\s]", "", text.casefold()).split()


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    """Every four words in a row."""
    words = _words(text)
    return zip(words, words[1:], words[2:], words[3:], strict=False)


def _jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def _groups(split: str) -> list[str]:
    with (LINES / f"{split}.csv").open(encoding="utf-8", newline="") as file:
        return [row["group"] for row in csv.DictReader(file)]


@pytest.mark.parametrize("split", ["train", "test"])
def test_every_line_has_its_cue_its_row_and_a_place_of_its_own(split: str) -> None:
    rows = read_labels(LINES / f"{split}.csv")
    texts = _texts(split)
    stretches = [(row.start_seconds, row.end_seconds) for row in rows]
    assert stretches == [(10 * index, 10 * index + 2) for index in range(len(texts))]
    assert len({" ".join(_words(text)) for text in texts}) == len(texts)
    assert all(one != next_one for one, next_one in pairwise(_groups(split)))


def test_no_theme_and_no_wording_of_the_test_is_trained_on() -> None:
    shared_groups = sorted(set(_groups("train")) & set(_groups("test")))
    assert shared_groups == []
    tested = {run for text in _texts("test") for run in _runs(text)}
    assert len(tested) > 1000
    assert [text for text in _texts("train") if tested & set(_runs(text))] == []  # names the training line only


def test_no_training_line_has_two_words_in_five_in_common_with_a_test_line() -> None:
    tested = [set(_words(text)) for text in _texts("test")]
    assert [text for text in _texts("train") if max(_jaccard(set(_words(text)), other) for other in tested) > 0.4] == []
