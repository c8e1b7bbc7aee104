"""Command-line options laid over the configuration."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from pipeline.config import Config, SourceConfig
from pipeline.errors import ConfigError
from pipeline.redact import redact_url


def merge_options(
    config: Config,
    *,
    sources: Sequence[str] = (),
    bundle: Path | None = None,
    provider: str | None = None,
    precision: str | None = None,
    allow_cpu: bool = False,
    pace: str = "auto",
    redis: str | None = None,
) -> Config:
    """The configuration with what the command line says.

    Raises:
        ConfigError: an option has a value that its key does not take.
    """
    data = {name: getattr(config, name) for name in Config.model_fields}
    engine: dict[str, Any] = config.engine.model_dump()
    named_keys = {"bundle": bundle, "provider": provider, "precision": precision}
    engine |= {key: value for key, value in named_keys.items() if value is not None}
    engine["allow_cpu"] = allow_cpu or config.engine.allow_cpu
    named = [*config.source, *_sources(sources, (source.name for source in config.source), pace)]
    data |= {"engine": engine, "source": tuple(named)}
    if redis is not None:
        data["redis"] = {"url": redis}
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        wrong = "; ".join(f"--{'-'.join(map(str, one['loc'][-1:]))}: {one['msg']}" for one in error.errors())
        raise ConfigError(f"options: {wrong}; see `heed watch --help`") from None


def source_name(url: str) -> str:
    """A short name for a source that was given none: the file's stem, or the host, or the device."""
    try:
        name = (urlsplit(redact_url(url)).hostname or "stream") if "://" in url else Path(url).stem
    except ValueError:  # no URL at all: whoever opens it says so
        name = "stream"
    return re.sub(r"[^\w.-]", "-", name)[:60].strip("-") or "source"


def _sources(urls: Sequence[str], taken: Iterable[str], pace: str) -> Iterable[SourceConfig]:
    names = set(taken)
    for url in urls:
        name = stem = source_name(url)
        number = 2
        while name in names:
            name, number = f"{stem}-{number}", number + 1
        names.add(name)
        try:
            yield SourceConfig.model_validate({"name": name, "url": url, "pace": pace})
        except ValidationError as error:
            wrong = f"--pace {redact_url(pace)}: {error.errors()[0]['msg']}"
            raise ConfigError(f"options: {wrong}; see `heed watch --help`") from None
