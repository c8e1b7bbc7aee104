"""A file through `watch`, as fast as it goes, and the same file's windows in memory."""

import time
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from models.spec import Spec
from pipeline.bench.setting import Setting, publishing
from pipeline.config import Config, RouteConfig, SourceConfig
from pipeline.media import open_media
from pipeline.run import watch
from pipeline.score import Scores
from pipeline.window import Window, windows

MOST_WINDOWS: Final = 120
"""Held in memory: some 40 MB at 80x80."""


def rate(setting: Setting, path: Path, *, routed: bool = True) -> float:
    """Windows a second of `watch` over a file: camera process, engine, events, outbox and Redis, all real.

    The time is from when the first window was complete until the last was judged: how long a process takes to start is
    another figure.
    """
    told: list[tuple[float, float]] = []

    def observe(window: Window, _: Scores) -> None:
        told.append((window.closed_at, time.monotonic()))

    source = SourceConfig(name="clip", url=SecretStr(str(path)))
    config = Config(source=(source,), route=RouteConfig(enabled=routed))
    with publishing(setting) as publisher:
        watch(config, setting.runtime, publisher, setting.stopped, announce=publisher.announce, observe=observe)
    setting.check()
    return len(told) / (told[-1][1] - told[0][0])


def decoded(path: Path, spec: Spec) -> list[Window]:
    """The first windows of a file."""
    with open_media(str(path), spec) as media:
        return list(islice(windows(media, path.stem, spec, datetime.now(UTC)), MOST_WINDOWS))


def decode_rate(path: Path, spec: Spec) -> float:
    """Windows a second when nobody looks at them."""
    began = time.perf_counter()
    with open_media(str(path), spec) as media:
        num = sum(1 for _ in windows(media, path.stem, spec, datetime.now(UTC)))
    return num / (time.perf_counter() - began)
