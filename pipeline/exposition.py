"""What all engines count, as Prometheus reads it; and whether all is well, for who only wants to know that."""

import json
import time
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from alerts import keys
from alerts.complaint import FAILURES, Client
from alerts.link import as_text
from pipeline.snapshot import BOUNDS, FIGURES, Snapshot

FRESH_SECONDS: Final = 4 * keys.METRICS_EVERY_SECONDS
"""An engine that has said nothing for longer hangs, or is gone."""
_VERDICTS: Final = ("true", "false_alarm")


def routes(client: Client) -> list[Route]:
    """`/metrics`, `/healthz` (this process answers) and `/readyz` (so do Redis, engines and sources).

    Args:
        client: of the Redis that the engines write to. The caller closes it.
    """

    def metrics(request: Request) -> Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Board(client))
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type})

    def healthz(_request: Request) -> Response:
        return JSONResponse({"alive": True})

    def readyz(_request: Request) -> Response:
        reasons = why_not_ready(client)
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    return [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]


def why_not_ready(client: Client) -> list[str]:
    """Why not everything is watched; empty when it is. Names no address: it may be shown to anybody."""
    try:
        engines = read_engines(client)
    except FAILURES:
        return ["redis: no answer"]
    now = time.time()
    fresh = {engine: snapshot for engine, snapshot in engines.items() if now - snapshot.at <= FRESH_SECONDS}
    if not fresh:
        return ["engine: none has said anything of late"]
    down = [
        f"source: {labels[0]}: not running (engine {engine})"
        for engine, snapshot in fresh.items()
        for name, labels, value in snapshot.values
        if name == "heed_source_up" and not value
    ]
    silent = [f"engine: {engine}: has said nothing of late" for engine in engines.keys() - fresh.keys()]
    return sorted(silent) + sorted(down)


def read_engines(client: Client) -> dict[str, Snapshot]:
    """What each engine said last, by its name. Who says it in another form is left out.

    Raises:
        redis.RedisError: Redis is away, or refuses.
    """
    engines = {}
    for key in client.scan_iter(match=f"{keys.METRICS}*", count=1000, _type="hash"):
        told = client.hget(key, keys.SNAPSHOT)
        snapshot = None if told is None else Snapshot.read(told)
        if snapshot is not None:
            engines[as_text(key).removeprefix(keys.METRICS)] = snapshot
    return dict(sorted(engines.items()))


def read_verdicts(client: Client) -> dict[tuple[str, str], int]:
    """How many alerts people acknowledged, by source and verdict.

    Raises:
        redis.RedisError: Redis is away, or refuses.
    """
    counts: dict[tuple[str, str], int] = {}
    for identity, told in client.hgetall(keys.ACKNOWLEDGED).items():
        source, verdict = as_text(identity).rpartition("-")[0], _verdict(told)
        if verdict in _VERDICTS:
            counts |= {(source, each): counts.get((source, each), 0) + (each == verdict) for each in _VERDICTS}
    return counts


def _verdict(told: bytes | str) -> str | None:
    try:
        said = json.loads(told)
    except ValueError:
        return None
    verdict = said.get("verdict") if isinstance(said, dict) else None
    return verdict if isinstance(verdict, str) else None


class _Board(Collector):
    """All figures of all engines, read anew for every question."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def collect(self) -> Iterator[Metric]:
        try:
            engines, verdicts = read_engines(self._client), read_verdicts(self._client)
        except FAILURES:
            engines, verdicts, is_up = {}, {}, 0
        else:
            is_up = 1
        yield GaugeMetricFamily("heed_redis_up", "1 if Redis answers; else nothing is known of any engine.", is_up)
        yield from _engine_families(engines)
        acknowledged = GaugeMetricFamily(
            "heed_acknowledged_alerts", "Alerts that people called true or false.", labels=("source", "verdict")
        )
        for labels, number in verdicts.items():
            acknowledged.add_metric(labels, number)
        yield acknowledged


def _engine_families(engines: Mapping[str, Snapshot]) -> Iterator[Metric]:
    age = GaugeMetricFamily("heed_engine_snapshot_age_seconds", "Since the engine last said this.", labels=("engine",))
    for engine, snapshot in engines.items():
        age.add_metric((engine,), max(0.0, time.time() - snapshot.at))
    yield age
    for name, figure in FIGURES.items():
        labels = ("engine", *figure.labels)
        if figure.kind == "histogram":
            yield _histogram(name, figure.about, labels, engines)
            continue
        kind = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
        family = kind(name, figure.about, labels=labels)
        for engine, snapshot in engines.items():
            for own, value in {own: value for each, own, value in snapshot.values if each == name}.items():
                family.add_metric((engine, *own), value)
        yield family


def _histogram(name: str, about: str, labels: tuple[str, ...], engines: Mapping[str, Snapshot]) -> Metric:
    family = HistogramMetricFamily(name, about, labels=labels)
    ends = [*map(str, BOUNDS), "+Inf"]
    for engine, snapshot in engines.items():
        for own, counts, total in {own: (own, counts, total) for each, own, counts, total in snapshot.timings}.values():
            buckets = list(zip(ends, map(float, accumulate(counts)), strict=True))
            family.add_metric((engine, *own), buckets, sum_value=total)
    return family
