"""Odd URLs in the configuration of a real `heed watch`, and all that it leaves behind."""

import json
import random
from pathlib import Path
from typing import Any, Final

import redis
from conftest import BUNDLED, RedisServer
from rtsp_server import RtspServer

from .alarm_bundle import write_alarm_bundle
from .line import Watch, wait_for, write_config
from .odd_urls import OddUrl, odd_url
from .scripted import write_script

_AT_ONCE: Final = 20
_PASSWORD: Final = "Zq8vXw3LmT"  # noqa: S105 it is what we look for
_TRIED: Final = frozenset({"reconnecting", "unauthorised", "failed", "ended"})


def overheard(rng: random.Random, folder: Path, count: int, answering: str, closed: str) -> list[str]:
    """Watches so many URLs that do not open, and says where their secrets turned up."""
    bundle, script = write_alarm_bundle(folder / "bundle"), write_script(folder / "script.mp4")
    leaks: list[str] = []
    for first in range(0, count, _AT_ONCE):
        number = min(_AT_ONCE, count - first)
        urls = [odd_url(rng, rng.choice(("rtsp", "http")), rng.choice((answering, closed))) for _ in range(number)]
        place = folder / f"watch-{first}"
        place.mkdir()
        for where, text in _left_behind(place, bundle, script, urls):
            leaks += [f"{where}: {url.url!r}" for url in urls if url.found_in(text)]
            leaks += [f"{where}: password of Redis or the camera"] if _PASSWORD in text else []
    return leaks


def _left_behind(place: Path, bundle: Path, script: Path, urls: list[OddUrl]) -> list[tuple[str, str]]:
    """What a watch of these and of one camera that works said, wrote and told Redis."""
    names = {f"camera-{number}": url.url for number, url in enumerate(urls)}
    state = place / "state"
    with (
        RedisServer(BUNDLED, place, "--requirepass", _PASSWORD) as server,
        RtspServer(script, "warden", _PASSWORD) as camera,
    ):
        config = write_config(place / "heed.toml", {"gate": camera.url, **names}, live={"open_timeout_seconds": 3})
        client: Any = redis.Redis.from_url(server.url.replace("unix://", f"unix://:{_PASSWORD}@"), protocol=2)
        with Watch(config, bundle, state, f"unix://:{_PASSWORD}@{server.url.removeprefix('unix://')}") as watch:
            watch.wait_up(["gate"])
            wait_for(lambda: client.xlen("heed:alerts"), 60, "an alert")
            wait_for(lambda: _tried(watch) >= names.keys(), 120, "a try of every source")
            held = json.dumps(_contents(client), ensure_ascii=False)
            watch.stop()
            said = "\n".join(line.text for line in [*watch.log, *watch.shown])
        client.close()
    files = [path for path in sorted(state.rglob("*")) if path.is_file()]
    return [
        ("output", said),
        ("Redis", held),
        *((f"state/{path.name}", path.read_bytes().decode("utf-8", "replace")) for path in files),
    ]


def _tried(watch: Watch) -> set[str]:
    return {status.source for status in watch.statuses() if status.status in _TRIED}


def _contents(client: Any) -> dict[str, str]:
    """All that Redis holds."""
    read = {b"hash": client.hgetall, b"stream": client.xrange, b"string": client.get}
    return {repr(key): repr(read[client.type(key)](key)) for key in client.scan_iter()}
