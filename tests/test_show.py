"""An alert on a terminal."""

from datetime import UTC, timedelta, timezone

import pytest
from conftest import make_alert

from alerts.alert import Modalities, Modality
from alerts.show import describe

NASTY = ["\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "a\rb", "a\nb", "\u202eevil", "\x00", "\x7f"]
ABSENT = Modality(present=False, score=None, contribution=None)


def test_a_begin_is_told_on_one_line() -> None:
    line = '07:15:01  gate  BEGIN  gun_shot 0.93 (threshold 0.50)  heard 0.95 · seen 0.12  "drop the weapon"'
    assert describe(make_alert(), UTC) == line


def test_an_end_tells_when_and_how_long() -> None:
    line = "07:15:09  gate  END    gun_shot 0.93 (threshold 0.50) after 8 s  heard 0.95 · seen 0.12"
    assert describe(make_alert(kind="end", text=None), UTC) == line


def test_the_time_is_that_of_the_zone() -> None:
    assert describe(make_alert(), timezone(timedelta(hours=5, minutes=30))).startswith("12:45:01  ")


def test_without_scores_and_words_the_line_ends_early() -> None:
    alert = make_alert(text=None, modalities=Modalities(video=ABSENT, audio=ABSENT, text=ABSENT))
    assert describe(alert, UTC) == "07:15:01  gate  BEGIN  gun_shot 0.93 (threshold 0.50)"


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_in_an_alert_steers_the_terminal(nasty: str) -> None:
    line = describe(make_alert(text=nasty, source=nasty, label=nasty), UTC)
    assert line.isprintable()


def test_a_long_text_is_cut() -> None:
    assert describe(make_alert(text="x" * 1000), UTC).endswith(f'"{"x" * 79}…"')
