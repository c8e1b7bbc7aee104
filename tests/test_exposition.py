"""What Prometheus, an orchestrator and a load balancer are told, by a real server of a real Redis."""

import base64
import http.client
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from conftest import RedisServer, wait_until
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from serving import served
from starlette.applications import Starlette

from alerts import keys
from alerts.connect import from_url
from pipeline.exposition import FRESH_SECONDS, routes
from pipeline.snapshot import BOUNDS, FIGURES, NUM_COUNTS, Snapshot
from pipeline.web.password import Password, scrypt

DOCS = Path(__file__).parent.parent / "docs"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; it comes with Prometheus")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says."""

    status: int
    content_type: str
    text: str

    def values(self, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Of the samples of this name, by labels."""
        families = text_string_to_metric_families(self.text)
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return {tuple(sorted(sample.labels.items())): sample.value for sample in samples}

    def names(self) -> set[str]:
        """Of all samples."""
        return {sample.name for family in text_string_to_metric_families(self.text) for sample in family.samples}


@contextmanager
def serving(server: RedisServer) -> Iterator[int]:
    """The port of a server of the routes."""
    with from_url(f"{server.url}?socket_timeout=0.5") as client:
        config = uvicorn.Config(Starlette(routes=routes(client)), port=0, log_config=None, ws="none")
        web = uvicorn.Server(config)
        thread = threading.Thread(target=web.run)
        thread.start()
        wait_until(lambda: web.started)
        try:
            yield web.servers[0].sockets[0].getsockname()[1]
        finally:
            web.should_exit = True
            thread.join()


def ask(port: int, path: str, accept: str = "text/plain") -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"accept": accept})
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheader("content-type", ""), answer.read().decode())
    finally:
        connection.close()


def whole(*, at: float | None = None, up: float = 1) -> Snapshot:
    """One that has every figure, each label called like itself."""
    plain = {name: figure for name, figure in FIGURES.items() if figure.kind != "histogram"}
    values = [(name, figure.labels, up if name == "heed_source_up" else 3.0) for name, figure in plain.items()]
    counts = (2, 1, *(0,) * (NUM_COUNTS - 3), 4)
    timings = (("heed_stage_seconds", ("score",), counts, 300.5),)
    return Snapshot(at=time.time() if at is None else at, values=tuple(values), timings=timings)


def say(server: RedisServer, engine: str, snapshot: Snapshot | str) -> None:
    told = snapshot if isinstance(snapshot, str) else snapshot.model_dump_json()
    server.client.hset(f"{keys.METRICS}{engine}", keys.SNAPSHOT, told)


def answer_alerts(server: RedisServer, source: str, *verdicts: str | None) -> None:
    for minute, verdict in enumerate(verdicts):
        said = json.dumps({"verdict": verdict, "at": "2026-11-22T07:15:01.250Z", "by": "guard"})
        server.client.hset(keys.ACKNOWLEDGED, f"{source}-20261122T07{minute:02}01.250Z", said)


def test_engines_are_told_apart_and_every_figure_is_there(redis_server: RedisServer) -> None:
    say(redis_server, "box", whole())
    say(redis_server, "shed", whole(at=time.time() - 30))
    with serving(redis_server) as port:
        answer = ask(port, "/metrics")
    assert (answer.status, answer.content_type.partition(";")[0]) == (200, "text/plain")
    exposed = {name for name in answer.names() if not name.endswith("_created")}
    assert {name for name, figure in FIGURES.items() if figure.kind != "histogram"} <= exposed
    gate = (("source", "source"),)
    windows = answer.values("heed_windows_total")
    assert windows == {(("engine", engine), *gate): 3 for engine in ("box", "shed")}
    ages = {dict(labels)["engine"]: age for labels, age in answer.values("heed_engine_snapshot_age_seconds").items()}
    assert ages["box"] < ages["shed"]
    assert ages["shed"] >= 30
    assert answer.values("heed_redis_up") == {(): 1}


def test_times_are_counted_up_to_each_bound(redis_server: RedisServer) -> None:
    say(redis_server, "box", whole())
    with serving(redis_server) as port:
        answer = ask(port, "/metrics")
    buckets = {float(dict(labels)["le"]): count for labels, count in answer.values("heed_stage_seconds_bucket").items()}
    assert buckets == {BOUNDS[0]: 2, **dict.fromkeys(BOUNDS[1:], 3), float("inf"): 7}
    score = (("engine", "box"), ("stage", "score"))
    assert answer.values("heed_stage_seconds_count") == {score: 7}
    assert answer.values("heed_stage_seconds_sum") == {score: 300.5}


def test_openmetrics_is_spoken_with_who_asks_for_it(redis_server: RedisServer) -> None:
    say(redis_server, "box", whole())
    with serving(redis_server) as port:
        answer = ask(port, "/metrics", OPENMETRICS)
    assert answer.content_type.startswith("application/openmetrics-text")
    assert {"heed_windows", "heed_stage_seconds"} <= {family.name for family in parse_openmetrics(answer.text)}


def test_what_people_answered_is_counted_by_source(redis_server: RedisServer) -> None:
    answer_alerts(redis_server, "front-gate", "true", "false_alarm", "false_alarm", None)
    answer_alerts(redis_server, "yard", "false_alarm")
    for number, odd in enumerate((b"\xff", "[]", "{}", '{"verdict": ["true"]}', '{"verdict": "maybe"}')):
        redis_server.client.hset(keys.ACKNOWLEDGED, f"odd-{number}", odd)
    with serving(redis_server) as port:
        counts = ask(port, "/metrics").values("heed_acknowledged_alerts")
    assert {(dict(labels)["source"], dict(labels)["verdict"]): count for labels, count in counts.items()} == {
        ("front-gate", "true"): 1,
        ("front-gate", "false_alarm"): 2,
        ("yard", "true"): 0,
        ("yard", "false_alarm"): 1,
    }


def test_hostile_names_and_snapshots_break_nothing(redis_server: RedisServer) -> None:
    say(redis_server, 'b"o\\x\n heed_windows_total 9', whole())
    redis_server.client.hset(f"{keys.METRICS}\udcff".encode(errors="surrogateescape"), keys.SNAPSHOT, "{}")
    redis_server.client.set(f"{keys.METRICS}no-hash", "1")
    redis_server.client.hset(f"{keys.METRICS}empty", "other", "1")
    for number, text in enumerate(("[" * 100_000, '{"version": 2}', "\x00")):
        say(redis_server, f"bad-{number}", text)
    twice = whole()
    say(redis_server, "twice", twice.model_copy(update={"values": twice.values * 2, "timings": twice.timings * 2}))
    with serving(redis_server) as port:
        answer = ask(port, "/metrics")
    engines = [dict(labels)["engine"] for labels in answer.values("heed_windows_total")]
    assert engines == ['b"o\\x\n heed_windows_total 9', "twice"]
    assert len(re.findall(r"^heed_windows_total\{.*twice", answer.text, re.MULTILINE)) == 1


def test_without_redis_the_figures_say_so_and_the_process_is_alive_and_not_ready(redis_server: RedisServer) -> None:
    say(redis_server, "box", whole())
    with serving(redis_server) as port, redis_server.paused():
        figures, ready, alive = (ask(port, path) for path in ("/metrics", "/readyz", "/healthz"))
    assert (figures.status, figures.values("heed_redis_up")) == (200, {(): 0})
    assert figures.values("heed_windows_total") == {}
    assert (ready.status, json.loads(ready.text)) == (503, {"ready": False, "reasons": ["redis: no answer"]})
    assert (alive.status, json.loads(alive.text)) == (200, {"alive": True})


def test_it_is_ready_when_a_fresh_engine_has_all_its_sources(redis_server: RedisServer) -> None:
    def readiness() -> tuple[int, Any]:
        answer = ask(port, "/readyz")
        return answer.status, json.loads(answer.text)

    nobody = (503, {"ready": False, "reasons": ["engine: none has said anything of late"]})
    with serving(redis_server) as port:
        assert readiness() == nobody
        say(redis_server, "box", whole(at=time.time() - 2 * FRESH_SECONDS))
        assert readiness() == nobody
        say(redis_server, "shed", whole())
        assert readiness() == (503, {"ready": False, "reasons": ["engine: box: has said nothing of late"]})
        say(redis_server, "box", whole(up=0))
        down = "source: source: not running (engine box)"
        assert readiness() == (503, {"ready": False, "reasons": [down]})
        say(redis_server, "box", whole())
        assert readiness() == (200, {"ready": True, "reasons": []})


def test_where_the_page_has_a_password_so_have_the_figures(redis_server: RedisServer, tmp_path: Path) -> None:
    say(redis_server, "box", whole())
    basic = f"Basic {base64.b64encode(b'prometheus:correct horse').decode()}"
    with (
        from_url(redis_server.url) as client,
        served(redis_server, tmp_path, Password(scrypt("correct horse")), *routes(client)) as site,
    ):
        assert [site.ask(path).status for path in ("/metrics", "/healthz", "/readyz")] == [401, 200, 200]
        assert b"heed_redis_up 1.0" in site.ask("/metrics", authorization=basic).body


def promtool(*args: str | Path, text: str | None = None) -> str:
    """What promtool has to say; it fails if that is a complaint."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *args], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@needs_promtool
def test_promtool_finds_nothing_to_say_of_the_figures(redis_server: RedisServer) -> None:
    say(redis_server, "box", whole())
    answer_alerts(redis_server, "gate", "true")
    with serving(redis_server) as port:
        assert promtool("check", "metrics", text=ask(port, "/metrics").text) == ""


@needs_promtool
def test_promtool_takes_the_rules_and_they_warn_when_they_should() -> None:
    promtool("check", "rules", DOCS / "alerts.yml")
    promtool("test", "rules", DOCS / "alerts.test.yml")


@needs_promtool
def test_promtool_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    plain = [expression.replace("$__rate_interval", "1m") for expression in dashboard_expressions()]
    rules = [{"record": f"panel_{number}", "expr": expression} for number, expression in enumerate(plain)]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    promtool("check", "rules", path)


def dashboard() -> Any:
    return json.loads((DOCS / "grafana.json").read_text(encoding="utf-8"))


def dashboard_expressions() -> list[str]:
    annotations = [each["expr"] for each in dashboard()["annotations"]["list"]]
    return [*annotations, *(target["expr"] for panel in dashboard()["panels"] for target in panel["targets"])]


def test_rules_and_dashboard_name_only_what_is_exposed_and_the_dashboard_all_of_it(redis_server: RedisServer) -> None:
    say(redis_server, "box", whole())
    answer_alerts(redis_server, "gate", "true")
    with serving(redis_server) as port:
        exposed = ask(port, "/metrics").names()
    variables = [each["definition"] for each in dashboard()["templating"]["list"] if "definition" in each]
    rules = re.findall(r"\bheed_\w+", (DOCS / "alerts.yml").read_text(encoding="utf-8"))
    shown = re.findall(r"\bheed_\w+", "\n".join([*dashboard_expressions(), *variables]))
    assert rules
    assert {*rules, *shown} <= exposed
    names = {name.removesuffix("_bucket") for name in shown}
    assert FIGURES.keys() <= names


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert {x for x, _ in cells} == set(range(24))
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(places)
