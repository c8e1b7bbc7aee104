"""`heed doctor`: what this machine has, tried out rather than looked up in lists."""

import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import av
import redis
from av.codec.codec import UnknownCodecError

from alerts.complaint import Client, complaint, place
from alerts.connect import connect, from_url
from alerts.errors import BrokerError
from alerts.private import make_private
from export.bundle import DEFAULT, Bundle, open_bundle
from export.choice import NVIDIA, PROVIDERS, available, installed
from export.errors import BundleError, ProviderError
from export.runtime import Runtime
from pipeline.versions import versions

DECODERS: Final = (
    *("h264", "hevc", "mjpeg", "aac", "opus", "pcm_alaw", "pcm_mulaw"),
    *("subrip", "ass", "webvtt", "mov_text", "cc_dec"),
)
"""FFmpeg's decoders of what cameras and subtitled files hold."""
LIBRARIES: Final = ("PyAV", "FFmpeg", "ONNX Runtime", "redis-py")
LEAST_REDIS: Final = (6, 2)
"""The first Redis with `XAUTOCLAIM`."""
TRAINING: Final = ("torch", "torchvision", "torchaudio", "transformers", "librosa", "onnx", "onnxscript")
"""What `heed[train]` adds. Looked for, never imported."""

_PROBE_SECONDS = 2.0
_WIDTH = 80
_INDENT = 16
_MARKS = {True: "✓", False: "✗", None: "–"}


def examine(bundle: Path | None, url: str | None, state: Path) -> dict[str, Any]:
    """Tries everything `heed watch` needs.

    Args:
        bundle: folder of the model; none means the one that ships with Heed.
        url: of Redis; none means the embedded server, which is started.
        state: the state folder; made if missing.

    Returns:
        What `--json` prints. Every section has `error`: none, or *what: where; what to do*; `problems` are all of them.
    """
    opened, model = _bundle(bundle)
    sections: dict[str, dict[str, Any]] = {
        "versions": {**versions(), "redis-py": version("redis"), "error": None},
        "decoders": _decoders(),
        "protocols": _protocols(),
        "bundle": model,
        "providers": _providers(opened),
        "state": _state(state),
        "redis": _redis(url, state),
        "train": _training(),
    }
    problems = [section["error"] for section in sections.values() if section["error"]]
    return {"healthy": not problems, "problems": problems, **sections}


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """The report for people: a line each, what is wrong and what to do, and a verdict."""
    for name, is_good, text in _rows(report):
        yield from textwrap.wrap(
            f"{_MARKS[is_good]} {name:{_INDENT - 2}}{text}",
            _WIDTH,
            subsequent_indent=" " * _INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
    yield ""
    count = len(report["problems"])
    yield "Healthy." if report["healthy"] else f"{count} problem{'s' if count > 1 else ''}."


def _rows(report: Mapping[str, Any]) -> Iterator[tuple[str, bool | None, str]]:
    """Name, whether it is good (none: it is not needed), and what there is to say."""
    versions, model, train = (report[name] for name in ("versions", "bundle", "train"))
    yield "heed", True, f"{versions['heed']} on Python {versions['Python']}, {versions['machine']}"
    yield "libraries", True, ", ".join(f"{name} {versions[name]}" for name in LIBRARIES)
    for name in ("decoders", "protocols"):
        section = report[name]
        yield name, not section["error"], section["error"] or " ".join(section["found"])
    about = f"{model['name']}, {str(model['sha256'])[:12]}…, runs on {model['provider']} in {model['precision']}"
    yield "bundle", not model["error"], model["error"] or about
    for name, provider in report["providers"]["found"].items():
        yield name, provider["runs"] or None, _said_of(name, provider)
    if report["providers"]["error"]:
        yield "gpu", False, report["providers"]["error"]
    for name in ("state", "redis"):
        section = report[name]
        yield name, not section["error"], section["error"] or _where(section)
    yield "training", train["installed"] or None, "installed" if train["installed"] else "not installed: heed[train]"


def _said_of(name: str, provider: Mapping[str, bool | None]) -> str:
    if not provider["installed"]:
        return "not installed: heed[openvino]" if name == "openvino" else "not in this ONNX Runtime"
    if provider["runs"] is None:
        return "not tried without a bundle"
    return "runs" if provider["runs"] else "in this ONNX Runtime, does not run here"


def _where(section: Mapping[str, Any]) -> str:
    if "folder" in section:
        return f"{section['folder']}, writable"
    kind = "embedded, " if section["embedded"] else ""
    return f"{section['version'] or 'version not told'}, {kind}{section['place']}"


def _decoders() -> dict[str, Any]:
    return _present("decoders", {name: _can_decode(name) for name in DECODERS})


def _protocols() -> dict[str, Any]:
    found = {name: name in av.formats_available for name in ("rtsp", "hls")}
    return _present("protocols", {**found, "https": _speaks("https")})


def _present(what: str, found: dict[str, bool]) -> dict[str, Any]:
    missing = ", ".join(name for name, is_there in found.items() if not is_there)
    error = f"{what}: FFmpeg in PyAV: no {missing}; pip install --force-reinstall --only-binary av av"
    return {"found": found, "error": error if missing else None}


def _can_decode(name: str) -> bool:
    try:
        return bool(av.Codec(name, "r").is_decoder)
    except UnknownCodecError:
        return False


def _speaks(scheme: str) -> bool:
    """Whether FFmpeg knows a protocol: PyAV has no list of them, but an unknown one fails in its own way."""
    try:
        av.open(f"{scheme}://127.0.0.1:1/", timeout=_PROBE_SECONDS).close()
    except av.ProtocolNotFoundError:
        return False
    except av.FFmpegError:
        pass  # nobody listens there
    return True


def _bundle(folder: Path | None) -> tuple[Bundle | None, dict[str, Any]]:
    """Opens all four graphs, on the provider that `auto` would take."""
    unknown = dict.fromkeys(("name", "sha256", "provider", "precision"))
    section: dict[str, Any] = {"folder": str(folder or DEFAULT), **unknown}
    try:
        opened = open_bundle(folder)
        runtime = Runtime(opened)
    except (BundleError, ProviderError) as error:
        return None, {**section, "error": str(error)}
    about = {"name": opened.name, "sha256": opened.sha256, "provider": runtime.provider, "precision": runtime.precision}
    return opened, {**section, **about, "error": None}


def _providers(bundle: Bundle | None) -> dict[str, Any]:
    found = {
        name: {"installed": installed(name), "runs": None if bundle is None else available(bundle, name)}
        for name in PROVIDERS
    }
    error = None
    if NVIDIA.exists() and found["cuda"]["runs"] is False:
        error = "provider: cuda: there is an NVIDIA GPU, and it is not used; pip install 'heed[gpu]', check the driver"
    return {"found": found, "error": error}


def _state(folder: Path) -> dict[str, Any]:
    error = None
    try:
        make_private(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as failure:
        error = f"state: {folder}: {failure.strerror}; choose a folder you may write to with --state"
    return {"folder": str(folder), "writable": error is None, "error": error}


def _redis(url: str | None, state: Path) -> dict[str, Any]:
    section: dict[str, Any] = {"embedded": url is None, "place": None, "reachable": False, "version": None}
    try:
        section["place"] = str(state / "redis") if url is None else place(from_url(url))
        with closing(connect(url, state)) as client:
            section |= {"place": place(client), "version": _redis_version(client), "reachable": True}
    except BrokerError as error:
        return {**section, "error": str(error)}
    return {**section, "error": _too_old(section["place"], section["version"])}


def _redis_version(client: Client) -> str | None:
    """None when the user may not ask: alerts do not need it."""
    try:
        return str(client.info("server")["redis_version"])
    except redis.ResponseError:
        return None
    except redis.RedisError as error:
        raise BrokerError(f"{complaint(client, error)}; look at its log") from None


def _too_old(where: str, number: str | None) -> str | None:
    if number is None or tuple(map(int, number.split(".")[:2])) >= LEAST_REDIS:
        return None
    return f"redis: {where}: version {number}; upgrade it to {'.'.join(map(str, LEAST_REDIS))} or later"


def _training() -> dict[str, Any]:
    missing = [name for name in TRAINING if find_spec(name) is None]
    return {"installed": not missing, "missing": missing, "error": None}
