"""What a person sees of the demo."""

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from conftest import wait_until
from rich.console import Console, RenderableType

from alerts.alert import Alert, Modalities, Modality, Model, alert_id
from pipeline.demo import DemoState, DemoView, has_passed
from pipeline.demo.glyphs import Picture
from pipeline.demo.screen import screen, summary
from pipeline.demo.state import false_alarms, outcomes, with_alert, with_window
from pipeline.scene import Act, Scene
from pipeline.score import ModalityScore, Scores
from pipeline.window import Window

ORIGIN = datetime(2026, 11, 22, 7, 0, tzinfo=UTC)
SCENE = Scene(seed=1, duration_seconds=60, acts=(Act(0, 9), Act(10, 16, "fight"), Act(30, 33, "gun_shot")))


def test_the_screen_shows_what_is_seen_heard_read_and_thought() -> None:
    state = with_window(DemoState(SCENE), _window(4, "Shall we go?"), _scores(4, 0.1))
    shown = _text(screen(state, 100, 30), 100, 30)
    for word in (
        "HEED",
        "00:06 / 01:00",
        " normal ",
        "sees",
        "hears",
        "reads",
        "thinks",
        "warns",
        "“Shall we go?”",
        "dB",
    ):
        assert word in shown
    assert re.search(r"seen +\S+ +0\.05", shown)
    assert re.search(r"all +\S+ +0\.10", shown)
    assert "▀▀▀" in shown
    assert "ANOMALY" not in shown


def test_words_too_long_for_a_line_go_on_in_the_next() -> None:
    words = "Give me your money or I will stab you!"
    shown = _text(screen(with_window(DemoState(SCENE), _window(4, words), _scores(4, 0.1)), 100, 30), 100, 30)
    assert all(f" {word}" in shown for word in words.split()[1:])


def test_an_open_alert_turns_the_state_to_anomaly_and_its_end_back() -> None:
    state = _after(_alert("begin", "fight", 10))
    assert " ANOMALY: fight " in _text(screen(state, 100, 30), 100, 30)
    assert re.search(r"00:10 fight +seen +0\.90 now", _text(screen(state, 100, 30), 100, 30))
    state = with_alert(state, _alert("end", "fight", 10, 17))
    assert " normal " in _text(screen(state, 100, 30), 100, 30)
    assert re.search(r"00:10 fight +seen +0\.90 7 s", _text(screen(state, 100, 30), 100, 30))


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (160, 50)])
def test_the_screen_fills_the_terminal_and_no_more(width: int, height: int) -> None:
    lines = _text(screen(_after(_alert("begin", "glass_break", 10)), width, height), width, height).splitlines()
    assert len(lines) == height
    assert {len(line) for line in lines} == {width}
    assert any("glass_break heard 0.90" in line or "glass_break seen  0.90" in line for line in lines)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_source_without_pictures_sound_or_words_is_shown_as_such(share: float) -> None:
    window = replace(_window(0, None), frames=None, samples=None)
    scores = replace(
        _scores(0, 0.1), modalities=dict.fromkeys(("video", "audio", "text"), ModalityScore(False, None, None, None))
    )
    shown = _text(screen(with_window(DemoState(SCENE), window, scores), 80, 24, share), 80, 24)
    for words in ("nothing to see", "nothing to hear", "no words yet", "–"):
        assert words in shown


def test_before_the_first_window_there_is_a_screen_too() -> None:
    assert "00:00 / 01:00" in _text(screen(DemoState(SCENE), 80, 24), 80, 24)


def test_a_picture_keeps_its_colours_and_places() -> None:
    image = np.zeros((80, 80, 3), np.uint8)
    image[:56, :56], image[56:, 56:] = (160, 0, 0), (0, 0, 160)
    console = Console(width=32, height=9, color_system="truecolor", force_terminal=True, file=io.StringIO())
    rows = console.render_lines(Picture(image), console.options.update(height=9), pad=False)
    assert len(rows) == 9
    cells = [[segment for segment in row for _ in segment.text] for row in rows]
    colours = {
        place: (cell.style.color.triplet, cell.style.bgcolor.triplet)
        for place, cell in {"upper left": cells[1][2], "lower right": cells[7][-3], "upper right": cells[1][-3]}.items()
        if cell.style and cell.style.color and cell.style.bgcolor
    }
    assert colours["upper left"] == ((184, 0, 0), (184, 0, 0))
    assert colours["lower right"] == ((0, 0, 184), (0, 0, 184))
    assert colours["upper right"] == ((0, 0, 0), (0, 0, 0))


def test_an_act_is_found_by_an_alert_of_its_label_and_the_delay_is_from_its_start() -> None:
    state = _after(_alert("begin", "fight", 10), seconds=13)
    fight, shot = outcomes(state)
    assert fight.is_found
    assert fight.delay_seconds == pytest.approx(3.0)
    assert not shot.is_found
    assert shot.delay_seconds is None
    assert false_alarms(state) == []
    assert not has_passed(state)


def test_a_label_that_comes_later_counts() -> None:
    state = _after(_alert("begin", "threat", 10), _alert("update", "fight", 10))
    assert outcomes(state)[0].is_found


def test_one_long_anomaly_may_find_two_acts_each_at_its_own_time() -> None:
    state = with_window(_after(_alert("begin", "fight", 10)), _window(32, ""), _scores(32, 0.9))
    fight, shot = outcomes(with_alert(state, _alert("update", "gun_shot", 10)))
    assert (fight.delay_seconds, shot.delay_seconds) == (2.0, 4.0)


def test_an_alarm_that_begins_before_anything_happens_is_false_though_it_lasts() -> None:
    state = _after(_alert("begin", "fight", 4))
    assert outcomes(state)[0].is_found
    assert len(false_alarms(state)) == 1


def test_a_wrong_label_is_a_miss_but_no_false_alarm() -> None:
    state = _after(_alert("begin", "siren", 10), _alert("end", "siren", 10, 15))
    assert not outcomes(state)[0].is_found
    assert false_alarms(state) == []
    assert re.search(r"fight +00:10 +siren +seen +0\.90 +missed", _text(summary(state), 100, 30))


def test_an_alarm_in_the_ordinary_part_is_false() -> None:
    state = _after(_alert("begin", "fight", 20), _alert("end", "fight", 20, 23))
    assert [story.start_seconds for story in false_alarms(state)] == [20]
    assert "False alarms in the ordinary part: 1" in _text(summary(state), 100, 30)


def test_all_acts_found_and_no_other_alarm_is_a_pass() -> None:
    state = _after(_alert("begin", "fight", 9), _alert("end", "fight", 9, 17))
    state = with_window(state, _window(31, ""), _scores(31, 0.9))
    state = with_alert(state, _alert("begin", "gun_shot", 29, sense="audio"))
    assert has_passed(state)
    assert re.search(r"gun_shot +00:30 +gun_shot +heard +0\.90 .*ok", _text(summary(state), 100, 30))


def test_in_a_pipe_every_alert_is_a_line_and_the_summary_ends_it() -> None:
    pipe = io.StringIO()
    with DemoView(SCENE, Console(file=pipe, width=100)) as view:
        view.window(_window(10, ""), _scores(10, 0.9))
        view.alert(_alert("begin", "fight", 10))
        view.alert(_alert("end", "fight", 10, 16))
        assert [line.split()[2] for line in pipe.getvalue().splitlines()] == ["BEGIN", "END"]
    assert view.close() is False
    assert "False alarms in the ordinary part: 0" in pipe.getvalue()
    assert "\x1b" not in pipe.getvalue()


def test_on_a_terminal_the_screen_is_left_as_it_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")  # where tests run by themselves it may be `dumb`, which has no screen
    terminal = io.StringIO()
    console = Console(file=terminal, width=80, height=24, force_terminal=True, color_system="truecolor")
    with DemoView(SCENE, console) as view:
        view.window(_window(10, "Shall we go?"), _scores(10, 0.9))
        view.alert(_alert("begin", "fight", 10))
        wait_until(lambda: "ANOMALY: fight" in terminal.getvalue())
    shown = terminal.getvalue()
    assert shown.index("\x1b[?1049h") < shown.index("HEED") < shown.index("\x1b[?1049l")
    assert "BEGIN" not in shown


def _window(index: int, text: str | None) -> Window:
    rng = np.random.default_rng(index)
    return Window(
        source="street",
        session=0,
        index=index,
        start_seconds=float(index),
        end_seconds=index + 2.0,
        origin=ORIGIN,
        frames=rng.integers(0, 255, (16, 80, 80, 3)).astype(np.uint8),
        samples=rng.normal(0, 0.1, 32000).astype(np.float32),
        text=text,
        closed_at=0.0,
    )


def _scores(index: int, anomaly: float) -> Scores:
    return Scores(
        source="street",
        session=0,
        index=index,
        start_seconds=float(index),
        end_seconds=index + 2.0,
        origin=ORIGIN,
        closed_at=0.0,
        anomaly=anomaly,
        threshold=0.5,
        classes={"fight": 1.0},
        modalities={name: ModalityScore(True, anomaly / 2, 0.1, 0.0) for name in ("video", "audio", "text")},
        text="",
    )


def _alert(kind: str, label: str, start: float, end: float | None = None, sense: str = "video") -> Alert:
    started = ORIGIN + timedelta(seconds=start)
    parts = {
        name: Modality(present=True, score=0.9 if name == sense else 0.1, contribution=2.0 if name == sense else 0.0)
        for name in ("video", "audio", "text")
    }
    return Alert.model_validate(
        {
            "version": 1,
            "id": alert_id("street", started),
            "sequence": {"begin": 0, "update": 1, "end": 2}[kind],
            "kind": kind,
            "source": "street",
            "label": label,
            "score": 0.9,
            "threshold": 0.5,
            "started_at": started,
            "ended_at": None if end is None else ORIGIN + timedelta(seconds=end),
            "peak_at": started,
            "modalities": Modalities(**parts),
            "text": None,
            "model": Model(name="tiny", sha256="0" * 64, provider="CPUExecutionProvider"),
            "latency_seconds": 0.1,
            "evidence": None,
        }
    )


def _after(*alerts: Alert, seconds: float = 12) -> DemoState:
    state = with_window(DemoState(SCENE), _window(int(seconds) - 2, ""), _scores(int(seconds) - 2, 0.9))
    for alert in alerts:
        state = with_alert(state, alert)
    return state


def _text(shown: RenderableType, width: int, height: int) -> str:
    file = io.StringIO()
    console = Console(record=True, width=width, height=height, force_terminal=True, soft_wrap=True, file=file)
    console.print(shown, end="")
    return console.export_text()
