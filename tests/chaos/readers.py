"""Reads damaged inputs with what reads whole ones live, in a process that a watchdog may kill."""

import contextlib
import json
import random
import shutil
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from alerts.alert import Alert
from alerts.errors import AlertsError
from export.bundle import NEEDED, file_sha256, open_bundle
from export.errors import ExportError
from export.runtime import Runtime
from models.errors import ModelsError
from models.spec import Spec
from pipeline.annotations.read import read_annotations
from pipeline.config import LiveConfig, read_config
from pipeline.errors import HeedError
from pipeline.media import open_media
from pipeline.options import merge_options
from pipeline.window import windows

from .damage import Damage, bytes_damaged, head_damaged, packets_damaged, spliced, text_damaged

OURS: Final = (HeedError, AlertsError, ExportError, ModelsError)
"""What may be raised."""
_LIVE: Final = LiveConfig(open_timeout_seconds=3, read_timeout_seconds=3)
_CONTAINERS: Final = (
    "h264.mp4",
    "h264.ts",
    "texts.mkv",
    "styled.mkv",
    "texts.mp4",
    "mjpeg.avi",
    "mpeg4.avi",
    "pcm.wav",
)


def read_file(path: Path) -> None:
    """As `heed watch` reads a file, to its end."""
    _watch(str(path))


def read_tcp(path: Path) -> None:
    """As `heed watch` reads a stream, to its end."""
    with _served(path.read_bytes()) as address:
        _watch(f"tcp://{address}")


def read_rtsp(path: Path) -> None:
    """As `heed watch` reads a camera, until it hangs up."""
    with _served(path.read_bytes()) as address:
        _watch(f"rtsp://{address}/stream")


def read_name(path: Path) -> None:
    """As `heed watch` opens what it was told to."""
    open_media(path.read_text(encoding="utf-8", errors="replace"), Spec(), _LIVE).close()


def read_settings(path: Path) -> None:
    """As `heed watch --config` begins."""
    merge_options(read_config(path), sources=["rtsp://a:b@10.0.0.8/1"])


def read_manifest(path: Path) -> None:
    """As `heed watch --bundle` begins."""
    open_bundle(path.parent)


def read_graph(path: Path) -> None:
    """A bundle whose hashes are right, and whose graph is not."""
    manifest = path.parent / "bundle.json"
    whole = manifest.read_text(encoding="utf-8")
    data = json.loads(whole)
    data["files"][path.name] = file_sha256(path)
    manifest.write_text(json.dumps(data), encoding="utf-8")
    try:
        Runtime(open_bundle(path.parent), "cpu", threads=1)
    finally:
        manifest.write_text(whole, encoding="utf-8")


def read_alert(path: Path) -> None:
    """As a subscriber reads an entry."""
    Alert.from_json(path.read_bytes())


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input."""

    originals: tuple[str, ...]
    """Names of whole files, of which one is damaged."""
    damage: Damage
    """How."""
    read: Callable[[Path], object]
    """What reads it."""
    share: float
    """Of all inputs."""
    is_camera: bool = False
    """Read in a camera process, which may crash in FFmpeg and take nobody along."""


def kinds(originals: Path) -> dict[str, Kind]:
    """Every kind of input, by name."""
    heads = [(originals / name).read_bytes()[:4096] for name in _CONTAINERS]
    return {
        "containers": Kind(_CONTAINERS, spliced(heads), read_file, 0.4, is_camera=True),
        "packets": Kind(("texts.mkv", "mjpeg.avi", "mpeg4.avi"), packets_damaged, read_file, 0.1, is_camera=True),
        "tcp": Kind(("h264.ts",), bytes_damaged, read_tcp, 0.05, is_camera=True),
        "rtsp": Kind(("camera.rtsp",), head_damaged, read_rtsp, 0.03, is_camera=True),
        "subtitles": Kind(("words.srt", "words.vtt", "words.ass"), text_damaged, read_file, 0.12, is_camera=True),
        "names": Kind(("name.txt",), text_damaged, read_name, 0.02),
        "configs": Kind(("heed.toml",), text_damaged, read_settings, 0.08),
        "labels": Kind(
            ("labels.csv", "xd/annotations.txt", "ucf/Annotation.txt", "ped2/Test/UCSDped2.m"),
            text_damaged,
            read_annotations,
            0.09,
        ),
        "manifests": Kind(("bundle/bundle.json",), text_damaged, read_manifest, 0.03),
        "graphs": Kind(tuple(f"bundle/{name}" for name in NEEDED), bytes_damaged, read_graph, 0.04),
        "alerts": Kind(("alert.json",), text_damaged, read_alert, 0.04),
    }


def damaged(kind: Kind, originals: Path, seed: int) -> tuple[str, bytes]:
    """The input of a seed: which file, and what is in it."""
    rng = random.Random(seed)  # noqa: S311
    name = rng.choice(kind.originals)
    return name, kind.damage(_whole(originals / name), rng)


def work(originals: Path, bench: Path, pipe: Connection) -> None:
    """The process: is sent names of kinds and seeds, answers `read`, `refused`, or what went wrong."""
    shutil.copytree(originals, bench)
    known = kinds(originals)
    with pipe, contextlib.suppress(EOFError):
        while True:
            name, seed = pipe.recv()
            kind = known[name]
            file, data = damaged(kind, originals, seed)
            (bench / file).write_bytes(data)
            pipe.send(_outcome(kind, bench / file))
            shutil.copy(originals / file, bench / file)


def _outcome(kind: Kind, path: Path) -> str:
    try:
        kind.read(path)
    except OURS:
        return "refused"
    except BaseException:  # noqa: BLE001 whatever it is, it is what we look for
        return traceback.format_exc()
    return "read"


@cache
def _whole(path: Path) -> bytes:
    return path.read_bytes()


def _watch(url: str) -> None:
    with open_media(url, Spec(), _LIVE) as media:
        for _ in windows(media, "fuzz", Spec(), datetime.now(UTC)):
            pass


@contextmanager
def _served(data: bytes) -> Iterator[str]:
    """Says this to whoever connects first, whatever they ask."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_say, args=(server, data), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
    thread.join()


def _say(server: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # nobody came, or they hung up
        server.settimeout(5)
        player, _ = server.accept()
        with player:
            player.sendall(data)
            player.shutdown(socket.SHUT_WR)
            while player.recv(65536):
                pass
