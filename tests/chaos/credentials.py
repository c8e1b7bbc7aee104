"""URLs with passwords through everything that speaks: nothing that is said holds any part of them."""

import contextlib
import random
import socketserver
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import av
import av.logging
from conftest import make_alert

from alerts.alert import alert_id
from alerts.connect import connect
from alerts.errors import AlertsError
from alerts.show import describe
from models.spec import Spec
from pipeline.config import Config, LiveConfig, parse_config
from pipeline.errors import HeedError
from pipeline.live import SourceState, sessions
from pipeline.options import merge_options, source_name
from pipeline.redact import redact, redact_url, url_secrets

from .odd_urls import OddUrl, is_plain, odd_url
from .overheard import overheard

ABOUT: Final = "odd users and passwords in URLs: none in errors, states, alerts, logs, files, Redis"

NUM_URLS: Final = 10_000
NUM_WATCHED: Final = 200
"""URLs that a real `heed watch` is given."""
_LIVE: Final = LiveConfig(open_timeout_seconds=3, read_timeout_seconds=3)
_SCHEMES: Final = ("rtsp", "http", "rtsps", "https", "tcp", "nosuch")
_ANSWERS: Final = (
    'RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Basic realm="{asked}"\r\n\r\n',
    "RTSP/1.0 404 {asked}\r\nCSeq: 1\r\n\r\n",
    "RTSP/1.0 500 {asked}\r\nCSeq: 1\r\nContent-Length: 4\r\n\r\noops",
    'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="{asked}"\r\nContent-Length: 0\r\n\r\n',
    "HTTP/1.1 403 {asked}\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: {asked}\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{asked}",
    "-WRONGPASS {asked}\r\n",
    "-ERR {asked}\r\n",
    "{asked}",
    "",
)
"""What a server may say that repeats what it was asked."""


def run(rng: random.Random, folder: Path, scale: float) -> dict[str, float]:
    """Says every URL wherever one can be said, and looks for its secrets in what comes of it."""
    leaks: list[str] = []
    num_watched = max(4, round(NUM_WATCHED * scale))
    num_urls = max(num_watched, round(NUM_URLS * scale)) - num_watched
    with _parrot(rng) as (answering, closed):
        for _ in range(num_urls):
            url = odd_url(rng, rng.choice(_SCHEMES), rng.choice((answering, closed)))
            leaks += [f"{where}: {url.url!r}: {said!r}" for where, said in _said(url, rng) if url.found_in(said)]
        leaks += overheard(rng, folder, num_watched, answering, closed)
    (folder / "leaks.txt").write_text("\n".join(leaks), encoding="utf-8")
    return {"tried": num_urls + num_watched, "lost": len(leaks), "leaked": len(leaks), "duplicated": 0, "failed": 0}


def _said(url: OddUrl, rng: random.Random) -> Iterator[tuple[str, str]]:
    """Where something is said when the URL is used, and what."""
    secrets = url_secrets(url.url)
    yield "redact_url", redact_url(url.url)
    yield "redact", redact(f"cannot open '{url.url}' (the URL is {url.url}): refused", secrets)
    yield "redact, FFmpeg's words", redact(_ffmpeg(url), secrets) if rng.random() < 0.2 else ""
    yield from _config(url)
    yield from _alert(url)
    if is_plain(url) or url.url.startswith("nosuch:"):
        yield "state", _states(url)
    redis_url = f"{rng.choice(('redis', 'rediss', 'unix'))}:{url.url.partition(':')[2]}"
    if is_plain(url) and rng.random() < 0.3:
        yield "redis", _broker(redis_url)


def _ffmpeg(url: OddUrl) -> str:
    """What FFmpeg itself says of it, which Heed never shows."""
    if not is_plain(url):  # it would ask the network for a host of that name
        url = OddUrl(f"nosuch:{url.url.partition(':')[2]}", url.words, url.secrets)
    level = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture() as lines:
            av.open(url.url, timeout=3).close()
    except av.FFmpegError as error:
        return "\n".join([str(error), *(text for _, _, text in lines)])
    finally:
        av.logging.set_level(level)
    return ""


def _states(url: OddUrl) -> str:
    """What is said of a source that does not open."""
    states: list[SourceState] = []
    try:
        for _ in sessions(url.url, Spec(), _LIVE, lambda _seconds: True, states.append):
            pass
    except HeedError as error:
        return _everything(error) + repr(states)
    return f"{states} {[state.reason for state in states]}"


def _config(url: OddUrl) -> Iterator[tuple[str, str]]:
    source = {"name": "gate", "url": url.url}
    config = parse_config({"source": [source], "redis": {"url": url.url}}, Path("heed.toml"))
    yield "config", f"{config} {config!r} {config.source[0]} {config.source!r} {config.redis} {config.model_dump()}"
    yield "config as JSON", config.model_dump_json()
    yield "source's name", source_name(url.url)
    wrong = (
        {"source": [source | {"pace": url.url}]},
        {"source": [source | {"name": url.url}]},
        {"source": [{"name": "gate", "url": [url.url]}]},
        {"source": [source, source]},
        {"redis": url.url},
        {"live": {"jitter": url.url}},
    )
    for data in wrong:
        with _expected() as said:
            parse_config(data, Path("heed.toml"))
        yield "config error", said[0]
    with _expected() as said:
        merge_options(Config(), sources=[url.url], pace=url.url, redis=url.url)
    yield "options", said[0]
    merged = merge_options(Config(), sources=[url.url], redis=url.url)
    yield "merged options", f"{merged} {merged!r}"


def _alert(url: OddUrl) -> Iterator[tuple[str, str]]:
    alert = make_alert(source=source_name(url.url))
    alert = alert.model_copy(update={"id": alert_id(alert.source, alert.started_at)})
    yield "alert", f"{alert!r} {alert.to_json()} {describe(alert)}"


def _broker(url: str) -> str:
    with _expected() as said:
        connect(url, Path("/nonexistent")).close()
    return said[0] if said else ""


@contextmanager
def _expected() -> Iterator[list[str]]:
    """All that an error of ours says, once it is raised."""
    said: list[str] = []
    try:
        yield said
    except (HeedError, AlertsError) as error:
        said.append(_everything(error))


def _everything(error: Exception) -> str:
    """The error in all its forms, as a traceback too; not the source lines, which hold no values."""
    return f"{error} {error!r} {error.args} {''.join(traceback.format_exception(error))}"


class _Parrot(socketserver.ThreadingTCPServer):
    """Repeats what it was asked, in the answers of many servers."""

    daemon_threads = True
    block_on_close = False
    rng: random.Random


class _Answer(socketserver.StreamRequestHandler):
    server: _Parrot
    timeout = 0.05
    """Seconds: who connects to some kinds of address waits to be spoken to."""

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            asked = self.request.recv(65536).split(b"\r\n")[0].decode("utf-8", "replace")
            answer = self.server.rng.choice(_ANSWERS)
            self.wfile.write(answer.replace("{asked}", asked).encode())


@contextmanager
def _parrot(rng: random.Random) -> Iterator[tuple[str, str]]:
    """The address of a server that repeats what it hears, and one where nobody listens."""
    with _Parrot(("127.0.0.1", 0), _Answer) as closed:
        closed_at = f"127.0.0.1:{closed.server_address[1]}"
    with _Parrot(("127.0.0.1", 0), _Answer) as server:
        server.rng = random.Random(rng.random())  # noqa: S311
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", closed_at
        server.shutdown()
