"""The page in a real browser, over a real Redis."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import Browser, browser
from conftest import BUNDLED, RedisServer, make_alert, wait_until
from media_files import write_media
from serving import Served, served

from alerts import keys
from alerts.alert import Evidence
from alerts.latest import Latest

HOSTILE = "<img src=x onerror=\"alert(1)\"><script>alert(2)</script>\u202e\u2066gnirts\x1b[2J & 'quotes'"
WORDS = ".event .words bdi"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def page(tab: Browser, tmp_path: Path) -> Iterator[Served]:
    """The page, open in the browser, which must find nothing wrong with it."""
    (tmp_path / "evidence").mkdir()
    with RedisServer(BUNDLED, tmp_path) as redis, served(redis, tmp_path / "evidence") as site:
        tab.errors.clear()
        tab.open(site.url)
        tab.wait("document.querySelector('#redis').className === 'good'")
        yield site
        assert tab.errors == []
        tab.open("about:blank")


def test_an_event_appears_and_ends_without_a_reload(page: Served, tab: Browser) -> None:
    tab.value("window.stays = true")
    page.send(make_alert(evidence=None))
    tab.wait("document.querySelectorAll('.event').length === 1")
    assert tab.text(".event .label") == "gun shot"
    assert tab.text(".event .source") == "gate"
    assert tab.text(".event .sense.fired") == "heard 0.95"
    assert tab.text(WORDS) == "drop the weapon"
    assert "1 now" in tab.value("document.title")
    page.send(make_alert(1, kind="end", evidence=None))
    tab.wait("document.querySelector('.event .now').hidden")
    assert tab.text(".event .lasted") == " · 8 s"
    assert tab.value("window.stays") is True


def test_a_clip_plays(page: Served, tab: Browser) -> None:
    (page.evidence / "gate").mkdir()
    write_media(page.evidence / "gate" / "one.mp4", 3.0)
    cv2.imwrite(str(page.evidence / "gate" / "one.jpg"), np.full((60, 80, 3), 90, np.uint8))
    page.send(make_alert(1, evidence=Evidence(clip="gate/one.mp4", snapshot="gate/one.jpg")))
    tab.wait("document.querySelector('.thumb img')?.naturalWidth === 80")
    tab.click(".thumb")
    tab.wait("document.querySelector('video').currentTime > 0.2")
    assert tab.value("document.querySelector('video').videoWidth") == 96
    assert tab.value("document.querySelector('video').error") is None
    tab.press("Escape")
    tab.wait("!document.querySelector('#detail').open")


@pytest.mark.parametrize("verdict", ["true", "false_alarm"])
def test_an_answer_is_kept_over_a_reload_and_can_be_taken_back(page: Served, tab: Browser, verdict: str) -> None:
    alert = make_alert(evidence=None)
    page.send(alert)
    button = f'.event [data-verdict="{verdict}"]'
    pressed = f"document.querySelector('{button}')?.ariaPressed === 'true'"
    tab.click(button)
    tab.wait(pressed)
    stored = json.loads(page.redis.client.hget(keys.ACKNOWLEDGED, alert.id))
    assert (stored["verdict"], stored["label"], stored["source"]) == (verdict, "gun_shot", "gate")
    tab.open(page.url)
    tab.wait(pressed)
    tab.click(button)
    tab.wait(f"!({pressed})")
    assert not page.redis.client.hexists(keys.ACKNOWLEDGED, alert.id)


def test_all_can_be_done_with_keys(page: Served, tab: Browser) -> None:
    for number in range(2):
        page.send(make_alert(id=f"gate-{number}", started_at=f"2026-11-22T07:15:0{number}.000Z", evidence=None))
    tab.wait("document.querySelectorAll('.event').length === 2")
    tab.press("j")
    assert tab.value("document.activeElement.dataset.id") == "gate-1"  # the newest
    tab.press("j")
    assert tab.value("document.activeElement.dataset.id") == "gate-0"
    tab.press("f")
    wait_until(lambda: page.redis.client.hexists(keys.ACKNOWLEDGED, "gate-0"))
    tab.press("Enter")
    tab.wait("document.querySelector('#detail').open")
    tab.press("u")
    wait_until(lambda: not page.redis.client.hexists(keys.ACKNOWLEDGED, "gate-0"))
    tab.press("Escape")
    tab.wait("!document.querySelector('#detail').open")


def test_hostile_words_and_names_are_shown_as_text(page: Served, tab: Browser) -> None:
    tab.wait("document.querySelectorAll('.event').length === 0")
    num_images = tab.value("document.images.length")
    page.send(make_alert(id=HOSTILE, source=HOSTILE, label=HOSTILE[:60], text=HOSTILE + "x" * 1_000_000, evidence=None))
    latest = Latest()
    latest.note_state(HOSTILE, {"status": HOSTILE, "reason": HOSTILE, "state": "anomaly", "label": HOSTILE})
    latest.send(page.redis.client)
    tab.wait("document.querySelectorAll('.event').length === 1 && document.querySelectorAll('.camera').length === 1")
    assert tab.text(".event .source") == HOSTILE
    assert tab.text(".camera .reason") == HOSTILE
    said = tab.text(WORDS)
    assert said.startswith(HOSTILE)
    assert len(said) == 500
    tab.click(".thumb")
    tab.wait("document.querySelector('#detail').open")
    assert HOSTILE in tab.text("#detail dl")
    assert tab.value("document.querySelectorAll('body script').length") == 0
    assert tab.value("document.images.length") == num_images + 2  # of the card and of the row
    tab.click("#detail .close")


def test_the_wall_has_picture_and_traces_of_a_camera_that_is_there(page: Served, tab: Browser) -> None:
    encoded = cv2.imencode(".jpg", np.full((90, 160, 3), 200, np.uint8))[1].tobytes()
    latest = Latest()
    latest.note_state("gate", {"status": "running", "state": "normal", "provider": "cpu", "latency_seconds": 0.25})
    for second in range(10, 20):
        at = f"2026-11-22T07:15:{second}.000Z"
        scores: dict[str, str | float] = {
            "at": at,
            "score": 0.4,
            "threshold": 0.8,
            "video": 0.3,
            "audio": 0.1,
            "text": "",
        }
        latest.note_window("gate", scores, encoded)
    latest.send(page.redis.client)
    tab.wait("document.querySelector('.camera img')?.naturalWidth === 160")
    tab.wait("document.querySelector('.camera .senses')?.textContent === 'all 0.40seen 0.30heard 0.10read –'")
    canvas = "document.querySelector('.camera canvas')"
    tab.wait(
        f"{canvas}.width > 0 && new Uint32Array({canvas}.getContext('2d')"
        f".getImageData(0, 0, {canvas}.width, {canvas}.height).data.buffer).some(Boolean)"
    )
    assert tab.text("#running") == "1/1 cameras running"
    assert tab.text("#latency .value") == "250 ms"
    assert tab.value(f"{canvas}.ariaLabel") == ("Scores now: all 0.40, seen 0.30, heard 0.10, read –; threshold 0.80")


def test_filters_leave_what_was_asked_for(page: Served, tab: Browser) -> None:
    page.send(make_alert(id="a", source="gate", label="fight", evidence=None))
    page.send(make_alert(id="b", source="yard", label="siren", evidence=None))
    tab.wait("document.querySelectorAll('.event').length === 2")
    shown = "[...document.querySelectorAll('.event')].filter((row) => !row.hidden).map((row) => row.dataset.id).join()"

    def choose(name: str, value: str) -> str:
        select = f"document.querySelector('select[name={name}]')"
        tab.value(f"{select}.value = '{value}'; {select}.dispatchEvent(new Event('change', {{bubbles: true}}))")
        return str(tab.value(shown))

    assert choose("source", "yard") == "b"
    assert choose("label", "fight") == ""
    assert tab.text("#no-events") == "Nothing like that."
    tab.click("#clear")
    assert sorted(tab.value(shown).split(",")) == ["a", "b"]
    assert choose("sense", "video") == ""
    assert choose("sense", "audio") != ""
    assert choose("hours", "1") == ""  # both are long ago


def test_a_dead_redis_is_told_and_its_return_too(page: Served, tab: Browser) -> None:
    page.redis.kill()
    tab.wait("document.querySelector('#redis').className === 'bad'")
    page.redis.start()
    tab.wait("document.querySelector('#redis').className === 'good'")
    page.send(make_alert(evidence=None))
    tab.wait("document.querySelectorAll('.event').length === 1")
