"""The addresses of the page: what they give, to whom, and what they refuse."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import BUNDLED, RedisServer, make_alert, wait_until
from serving import Served, served
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from alerts.alert import Evidence
from pipeline.web.board import MOST_EVENTS
from pipeline.web.guard import POLICY
from pipeline.web.password import Password, scrypt

RIGHT = "correct horse"


async def health(_: Request) -> PlainTextResponse:
    return PlainTextResponse("well")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(BUNDLED, tmp_path) as server:
        yield server


@pytest.fixture
def page(redis: RedisServer, tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "evidence").mkdir()
    routes = [Route("/healthz", health), Route("/metrics", health)]
    with served(redis, tmp_path / "evidence", None, *routes) as site:
        yield site


@pytest.fixture
def locked(redis: RedisServer, tmp_path: Path) -> Iterator[Served]:
    """A page with a password."""
    routes = [Route("/healthz", health), Route("/metrics", health)]
    with served(redis, tmp_path / "evidence", Password(scrypt(RIGHT)), *routes) as site:
        yield site


def shown(page: Served, identity: str) -> bool:
    return page.board.evidence(identity) is not None


def test_every_answer_forbids_the_browser_what_it_does_not_need(page: Served) -> None:
    for path in ("/", "/page.css", "/page.js", "/nowhere", "/evidence?id=none", "/healthz"):
        headers = page.ask(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere(page: Served) -> None:
    html = page.ask("/").body.decode()
    assert "<style" not in html
    assert "style=" not in html
    assert "://" not in html.replace("rtsp://camera/stream", "")
    assert " on" not in [word[:3] for word in html.split('"')[::2] if "=" in word and word.strip().startswith("on")]
    assert html.count("<script") == html.count('<script type="module" src="/page.js"></script>') == 1


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[", ""])
def test_a_name_that_leads_here_is_not_enough(page: Served, host: str) -> None:
    assert page.ask("/", Host=host).status == 421
    assert page.ask("/", Host="localhost:1").status == 200


def test_another_page_cannot_answer_for_the_user(page: Served) -> None:
    page.send(make_alert(id="a"))
    wait_until(lambda: shown(page, "a"))
    body = json.dumps({"id": "a", "verdict": "true"})
    assert page.ask("/acknowledge", body, Origin="http://evil.example").status == 403
    assert page.ask("/acknowledge", body, Sec_Fetch_Site="cross-site").status == 403
    assert page.ask("/acknowledge", body, Origin=page.url).status == 200


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"id": 3, "verdict": "true"}', '{"id": "a", "verdict": "no"}'])
def test_an_answer_that_is_none_is_refused(page: Served, body: str) -> None:
    assert page.ask("/acknowledge", body).status == 400
    assert page.ask("/acknowledge", body + " " * 5000).status == 400


def test_there_is_nothing_to_say_of_an_event_that_is_not(page: Served) -> None:
    assert page.acknowledge("nothing", "true").status == 404


def test_evidence_is_found_by_its_event_and_lies_in_its_folder_only(page: Served, tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"secret")
    (page.evidence / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    (page.evidence / "notes.txt").write_bytes(b"secret")
    (page.evidence / "one.mp4").write_bytes(b"clip")
    names = ["../secret.mp4", str(tmp_path / "secret.mp4"), "link.mp4", "notes.txt", "a\0b.mp4", "x" * 5000, ".", ""]
    for number, name in enumerate(names):
        page.send(make_alert(number, id=f"bad-{number}", evidence=Evidence(clip=name, snapshot=name)))
    page.send(make_alert(id="good", evidence=Evidence(clip="one.mp4", snapshot=None)))
    wait_until(lambda: shown(page, "good"))
    assert page.ask("/evidence?id=good&part=clip").body == b"clip"
    for number in range(len(names)):
        for part in ("clip", "snapshot", "strip", "../clip"):
            answer = page.ask(f"/evidence?id=bad-{number}&part={part}")
            assert (answer.status, answer.body) == (204, b"")
    for path in ("/evidence/one.mp4", "/../secret.mp4", "/%2e%2e/secret.mp4", "/evidence?id=../secret.mp4&part=clip"):
        assert page.ask(path).status == 404


def test_a_part_of_a_clip_can_be_had(page: Served) -> None:
    (page.evidence / "one.mp4").write_bytes(b"0123456789")
    page.send(make_alert(id="a", evidence=Evidence(clip="one.mp4", snapshot=None)))
    wait_until(lambda: shown(page, "a"))
    answer = page.ask("/evidence?id=a&part=clip", Range="bytes=2-4")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (206, b"234", "video/mp4")


def test_only_sources_that_are_shown_have_a_picture(page: Served) -> None:
    page.redis.client.set("heed:picture:gate", b"\xff\xd8picture")
    assert page.ask("/picture?source=gate").status == 204
    page.redis.client.hset("heed:state:gate", mapping={"status": "running"})
    wait_until(lambda: page.ask("/picture?source=gate").status == 200)
    page.redis.client.set("heed:picture:gate", b"<script>")
    assert page.ask("/picture?source=gate").status == 204


def test_the_newest_events_are_kept(page: Served) -> None:
    for number in range(MOST_EVENTS + 1):
        page.send(make_alert(id=f"event-{number}"))
    page.send(make_alert(id="x" * 300), make_alert(id="last"))
    wait_until(lambda: shown(page, "last"))
    assert not shown(page, "event-0")
    assert not shown(page, "x" * 300)
    assert shown(page, f"event-{MOST_EVENTS}")


def test_a_browser_that_goes_is_forgotten_and_holds_up_nobody(page: Served) -> None:
    connection = http.client.HTTPConnection(page.url.removeprefix("http://"), timeout=20)
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    while not answer.readline().startswith(b"event: all"):
        pass
    assert page.board.num_listeners == 1
    answer.close()
    connection.close()
    wait_until(lambda: page.board.num_listeners == 0)


def test_further_addresses_are_guarded_too(page: Served, locked: Served) -> None:
    assert page.ask("/metrics").body == locked.ask("/healthz").body == b"well"
    assert locked.ask("/metrics").status == 401


@pytest.mark.parametrize("path", ["/page.js", "/stream", "/picture?source=a", "/evidence?id=a&part=clip", "/nowhere"])
def test_without_the_password_there_is_nothing_to_see(locked: Served, path: str) -> None:
    assert locked.ask(path).status == 401
    assert locked.ask(path, Cookie="heed=9999999999.abc").status == 401
    assert locked.ask(path, Cookie="heed=9999999999.\u00e4").status == 401
    assert locked.ask(path, Authorization="Basic !!!").status == 401
    assert locked.acknowledge("a", "true").status == 401


def test_the_password_lets_a_browser_in_and_a_wrong_one_does_not(locked: Served) -> None:
    asked = locked.ask("/", Accept="text/html")
    assert (asked.status, asked.headers["location"]) == (303, "/login")
    assert b'type="password"' in locked.ask("/login").body
    wrong = locked.ask("/login", "password=wrong")
    assert (wrong.status, "set-cookie" in wrong.headers) == (403, False)
    entered = locked.ask("/login", "password=correct+horse")
    cookie = entered.headers["set-cookie"]
    assert entered.status == 303
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert locked.ask("/", Cookie=cookie.split(";")[0], Host="heed.example").status == 200


def test_the_password_can_be_given_with_every_request(locked: Served) -> None:
    assert locked.ask("/metrics", Authorization="Basic YW55Ojpjb3JyZWN0IGhvcnNl").status == 401
    assert locked.ask("/metrics", Authorization="Basic YW55OmNvcnJlY3QgaG9yc2U=").status == 200  # any:correct horse
