"""What alerts can be forwarded to, and what is no such thing."""

import base64
import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

WEBHOOK_PORTS: Final = {"http": 80, "https": 443}
"""By scheme, where a URL names none."""
BROKER_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
"""By scheme, where a URL names none."""
_PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where alerts are posted."""

    name: str
    """What messages call it."""
    url: str = field(repr=False)
    """`http://` or `https://`, checked by `check_webhook`; shown nowhere, for many hold a token in their path."""
    key: bytes | None = field(repr=False, default=None)
    """Signs the requests; none means unsigned."""
    allow_private: bool = False
    """Also post to addresses that are not public."""
    ca_file: Path | None = None
    """Authorities to believe instead of the system's, PEM."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where alerts are published."""

    url: str = field(repr=False)
    """`mqtt://user:password@host:1883` or, with TLS, `mqtts://host:8883`; checked by `check_broker`."""
    topic: str = "heed"
    """What all topics begin with."""
    ca_file: Path | None = None
    """Authorities to believe instead of the system's, PEM."""

    @property
    def place(self) -> str:
        """Host and port."""
        parts = urlsplit(self.url)
        return f"{parts.hostname}:{parts.port or BROKER_PORTS[parts.scheme]}"

    @property
    def status_topic(self) -> str:
        """Where `online` or, as the last will, `offline` is retained."""
        return f"{self.topic}/status"

    def source_topic(self, source: str, what: str) -> str:
        """Where a source's `alert`, `state` or `snapshot` goes."""
        return f"{self.topic}/{slug(source)}/{what}"


def check_webhook(url: str) -> str:
    """The URL, if alerts can be posted to it.

    Raises:
        ValueError: they cannot; what it holds is not told.
    """
    _split(url, WEBHOOK_PORTS, "must be https://host/path or http://host/path")
    return url


def check_broker(url: str) -> str:
    """The URL, if it is one of a broker.

    Raises:
        ValueError: it is not; what it holds is not told.
    """
    wanted = "must be mqtt://user:password@host:1883 or mqtts://host"
    parts = _split(url, BROKER_PORTS, wanted)
    if parts.path.strip("/") or parts.query:
        raise ValueError(wanted)
    return url


def signing_key(secret: str) -> bytes:
    """The key within a secret of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64.

    Raises:
        ValueError: it is something else.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not secret.startswith(_PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
    return key


def slug(source: str) -> str:
    """The source's name as a part of a topic: letters, digits, `_` and `-`; different for different names."""
    safe = re.sub(r"[^a-zA-Z0-9_-]", "_", source)[:64]
    return safe if safe == source else f"{safe}_{hashlib.sha256(source.encode()).hexdigest()[:8]}"


def _split(url: str, schemes: Collection[str], wanted: str) -> SplitResult:
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError("must be ASCII without spaces; write other signs as %XX")
    try:
        parts = urlsplit(url)
        is_right = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:  # it would tell what stands in the place of the port
        is_right = False
    if not is_right:
        raise ValueError(f"{wanted}; write @, :, / and # in a password as %40, %3A, %2F and %23")
    return parts
