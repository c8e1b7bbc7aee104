"""Opens files, streams and devices with FFmpeg, and says in our words what it will not open."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer

from pipeline.config import LiveConfig
from pipeline.errors import (
    SourceAddressError,
    SourceCodecError,
    SourceError,
    SourceFormatError,
    SourceLimitError,
    SourceNotFoundError,
    SourceRefusedError,
    SourceTimeoutError,
    SourceTlsError,
    SourceUnauthorisedError,
)
from pipeline.pictures import find_series
from pipeline.redact import redact_url

_HTTP: Final = "http,https,tcp,tls,crypto,data"
_PROTOCOLS: Final = {
    "http": _HTTP,
    "https": _HTTP,
    "rtsp": "rtsp,rtp,udp,tcp",
    "rtsps": "rtsps,rtp,udp,tcp,tls",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tcp,tls",
    "rtp": "rtp,udp",
    "srt": "srt,udp",
    "tcp": "tcp",
    "udp": "udp",
}
"""Kinds of address, and what FFmpeg may open for each: a playlist from outside names no file and no other service."""
_TLS_SCHEMES: Final = frozenset({"https", "rtsps", "rtmps"})
MOST_PIXELS: Final = 8192 * 8192
"""Of a picture: a larger one is refused before it is decoded."""
MOST_TRACKS: Final = 64
"""Tracks of a source that are looked at; FFmpeg passes over further ones."""
_LIMITS: Final = {"max_streams": str(MOST_TRACKS)}
_RTSP_OPTIONS: Final = {"rtsp_transport": "tcp", "fflags": "genpts+discardcorrupt", "fpsprobesize": "2"}
"""By default FFmpeg counts 20 pictures to guess their rate: 2 s of a slow camera before it is open."""

_ERRORS: Final[tuple[tuple[type[av.FFmpegError], type[SourceError], str], ...]] = (
    (av.HTTPUnauthorizedError, SourceUnauthorisedError, "user or password refused; check both"),
    (av.HTTPForbiddenError, SourceUnauthorisedError, "access forbidden; check the user's rights"),
    (av.HTTPNotFoundError, SourceNotFoundError, "no such stream on the server; check the path"),
    (av.FileNotFoundError, SourceNotFoundError, "no such file or device; check the path"),
    (av.PermissionError, SourceUnauthorisedError, "not readable; check its permissions"),
    (av.ConnectionRefusedError, SourceRefusedError, "connection refused; check address and port, and that it runs"),
    (av.ExitError, SourceTimeoutError, "nothing came in time; check the network and that the stream runs"),
    (av.TimeoutError, SourceTimeoutError, "nothing came in time; check the network and that the stream runs"),
    (av.ProtocolNotFoundError, SourceAddressError, "FFmpeg here does not speak it; use rtsp:// or http(s)://"),
    (av.MemoryError, SourceLimitError, "wants more memory than a source may have; check it in a player"),
    (av.DecoderNotFoundError, SourceCodecError, "no decoder for it; convert it to H.264 and AAC"),
    (av.HTTPServerError, SourceError, "the server failed; look at its log"),
    (av.HTTPClientError, SourceError, "the server refused the request; check the address"),
    (av.EOFError, SourceFormatError, "ends before anything can be read; check it in a player"),
    (av.PatchWelcomeError, SourceFormatError, "of a kind that FFmpeg does not read; convert it to H.264 and AAC"),
    (
        av.InvalidDataError,
        SourceFormatError,
        "not a media file or stream, or cut off before its index; check it in a player",
    ),
)
"""FFmpeg's errors, the first that fits: what we raise, and *what; what to do*."""


def file_path(url: str) -> Path | None:
    """The file a URL means; none if it is a stream or a device."""
    if url.startswith("file://"):
        return Path(unquote(urlsplit(url).path))
    return None if "://" in url or is_device(url) else Path(url)


def is_device(url: str) -> bool:
    """Whether it is a camera of this machine (Video4Linux)."""
    return url.startswith("/dev/video")


def is_always_live(url: str) -> bool:
    """Whether the URL alone tells that the source has no end. An `http` one tells when it is open."""
    return is_device(url) or _scheme(url) in _PROTOCOLS.keys() - {"http", "https"}


def open_container(url: str, live: LiveConfig, hardware: HWAccel | None = None) -> InputContainer:
    """Opens a file, a folder of numbered pictures, a stream or a device, to be decoded on `hardware` where that can.

    Raises:
        SourceError: it cannot be opened.
    """
    path = file_path(url)
    if path is not None:
        series = find_series(path)
        if series is None:
            _check_file(path)
        with translated(url):  # absolute, so that FFmpeg takes no part of the name for a protocol
            if series is not None:
                return av.open(series.pattern, format="image2", options=series.options | _LIMITS)
            return av.open(str(path.absolute()), options=dict(_LIMITS), metadata_errors="replace", hwaccel=hardware)
    timeout = (live.open_timeout_seconds, live.read_timeout_seconds)
    if is_device(url):
        with translated(url, live.open_timeout_seconds):
            return av.open(url, format="v4l2", timeout=timeout, metadata_errors="replace", hwaccel=hardware)
    scheme = _scheme(url)
    if scheme not in _PROTOCOLS:
        kinds = ", ".join(f"{kind}://" for kind in _PROTOCOLS)
        raise SourceAddressError(
            f"source: {redact_url(url)}: unknown kind of address; use a file, {kinds} or /dev/video0"
        )
    options = (
        {"protocol_whitelist": _PROTOCOLS[scheme]} | _LIMITS | (_RTSP_OPTIONS if scheme.startswith("rtsp") else {})
    )
    with translated(url, live.open_timeout_seconds):
        return av.open(url, options=options, timeout=timeout, metadata_errors="replace", hwaccel=hardware)


@contextmanager
def translated(url: str, timeout_seconds: float | None = None) -> Iterator[None]:
    """Turns FFmpeg's errors within into ours. FFmpeg's own texts are left out: they hold the URL with its password.

    Raises:
        SourceError: FFmpeg raised an error.
    """
    began = time.monotonic()
    try:
        yield
    except av.FFmpegError as error:
        if timeout_seconds is not None and time.monotonic() - began >= timeout_seconds:
            raise _error(av.TimeoutError, url) from None  # whatever FFmpeg calls it
        if error.errno == errno.EIO and _scheme(url) in _TLS_SCHEMES:
            problem = "no encrypted connection; check that the port speaks TLS, and its certificate"
            raise SourceTlsError(f"source: {redact_url(url)}: {problem}") from None
        raise _error(type(error), url, error.strerror or "") from None


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _error(kind: type[av.FFmpegError], url: str, reason: str = "") -> SourceError:
    for theirs, ours, message in _ERRORS:
        if issubclass(kind, theirs):
            return ours(f"source: {redact_url(url)}: {message}")
    remedy = "check address and network" if file_path(url) is None else "check it in a player"
    return SourceError(f"source: {redact_url(url)}: {reason or 'cannot be read'}; {remedy}")


def _check_file(path: Path) -> None:
    """What FFmpeg would only call invalid data."""
    if not path.exists():
        raise SourceNotFoundError(f"source: {path}: no such file; check the path")
    if path.is_file() and path.stat().st_size == 0:
        raise SourceFormatError(f"source: {path}: the file is empty; record or copy it again")
    if not os.access(path, os.R_OK):
        raise SourceUnauthorisedError(f"source: {path}: not readable; check its permissions")
