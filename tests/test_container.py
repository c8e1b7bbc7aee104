"""What cannot be opened, and the one line that says so."""

from __future__ import annotations  # av.Packet takes a parameter in its stub only

import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.packet import Packet
from media_files import write_media
from rtsp_server import RtspServer

from models.spec import Spec
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
    SourceTrackError,
    SourceUnauthorisedError,
)
from pipeline.media import open_media

PASSWORD = "hunter2-secret"  # noqa: S105
HASTY = LiveConfig(open_timeout_seconds=0.5, read_timeout_seconds=0.5)


def text(path: Path) -> Path:
    path.write_text("Dear diary, this is not a film.\n" * 40)
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def without_index(path: Path) -> Path:
    write_media(path, 2.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def of_unknown_codec(path: Path) -> Path:
    write_media(path, 1.0, has_audio=False)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    return path


def without_words(path: Path) -> Path:
    path.write_text("1\nno times\n")
    return path


@pytest.mark.parametrize(
    ("make", "name", "error", "message"),
    [
        (Path, "a.mp4", SourceNotFoundError, "no such file; check the path"),
        (folder, "a.mp4", SourceFormatError, "no numbered pictures there; name a file, or a folder of 001.tif …"),
        (empty, "a.mp4", SourceFormatError, "the file is empty; record or copy it again"),
        (
            text,
            "a.mp4",
            SourceFormatError,
            "not a media file or stream, or cut off before its index; check it in a player",
        ),
        (
            without_index,
            "a.mp4",
            SourceFormatError,
            "not a media file or stream, or cut off before its index; check it in a player",
        ),
        (of_unknown_codec, "a.mp4", SourceCodecError, "no decoder for its video; convert it to H.264 and AAC"),
        (without_words, "a.srt", SourceFormatError, "no subtitle in it; name another file"),
    ],
)
def test_a_file_that_will_not_do_is_refused_in_one_line(
    tmp_path: Path, make: Callable[[Path], Path], name: str, error: type[SourceError], message: str
) -> None:
    path = make(tmp_path / name)
    with pytest.raises(error) as raised:
        open_media(str(path), Spec())
    assert str(raised.value) == f"source: {path}: {message}"
    assert raised.value.__cause__ is None


def test_a_track_of_unknown_codec_is_left_out_where_another_will_do(tmp_path: Path) -> None:
    path = write_media(tmp_path / "a.mp4", 1.0)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    with open_media(str(path), Spec()) as media:
        assert (media.has_video, media.has_audio) == (False, True)
        assert list(media.items())


def test_a_camera_that_is_not_plugged_in_is_named() -> None:
    with pytest.raises(SourceNotFoundError, match=r"^source: /dev/video97: no such file or device; check the path$"):
        open_media("/dev/video97", Spec())


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_refused_port_is_told_without_the_password(scheme: str, refused_port: int) -> None:
    with pytest.raises(SourceRefusedError, match="connection refused; check address and port") as raised:
        open_media(f"{scheme}://user:{PASSWORD}@127.0.0.1:{refused_port}/a", Spec(), HASTY)
    assert PASSWORD not in repr(raised.value)


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_server_that_says_nothing_is_given_up_in_time(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"{scheme}://user:{PASSWORD}@127.0.0.1:{server.getsockname()[1]}/a"
        with pytest.raises(SourceTimeoutError, match="nothing came in time") as raised:
            open_media(url, Spec(), HASTY)
    assert PASSWORD not in repr(raised.value)


@pytest.fixture(params=["Basic", "Digest"])
def guarded(request: pytest.FixtureRequest, clip: Path) -> Iterator[RtspServer]:
    with RtspServer(clip, "user", PASSWORD, scheme=request.param) as server:
        yield server


def test_a_wrong_password_is_told_apart(guarded: RtspServer) -> None:
    with pytest.raises(SourceUnauthorisedError, match="user or password refused; check both") as raised:
        open_media(f"rtsp://user:{PASSWORD}-no@{guarded.address}/stream", Spec())
    assert PASSWORD not in repr(raised.value)
    with open_media(guarded.url, Spec()) as media:
        assert media.has_video


@pytest.mark.parametrize("url", ["nonsense://user:{}@cam/1", "ftp://user:{}@cam/1", "data://user:{}@text/plain,1"])
def test_an_unknown_kind_of_address_is_told(url: str) -> None:
    with pytest.raises(SourceAddressError, match=r"\*\*\*@.*: unknown kind of address; use a file, http://") as raised:
        open_media(url.format(PASSWORD), Spec(), HASTY)
    assert PASSWORD not in repr(raised.value)


def test_a_file_without_picture_sound_and_words_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_data_stream("bin_data")
        for number in range(100):
            packet: Packet[Any] = Packet(b"nothing to see")
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), stream
            container.mux(packet)
    with pytest.raises(SourceTrackError, match="neither picture, sound nor subtitles in words in it; name another"):
        open_media(str(path), Spec())


def of_size(path: Path, width: int, height: int, num_tracks: int = 1) -> Path:
    """Grey pictures."""
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("mjpeg", 1, width=width, height=height) for _ in range(num_tracks)]
        for stream in streams:
            stream.pix_fmt = "yuvj420p"
        for stream in streams:
            container.mux(stream.encode(av.VideoFrame(width, height, "yuvj420p")))
            container.mux(stream.encode(None))
    return path


def test_pictures_that_are_too_large_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    path = of_size(tmp_path / "a.mkv", 8200, 8200)
    with pytest.raises(SourceLimitError) as raised:
        open_media(str(path), Spec())
    problem = "pictures of 8200x8200, over 67108864 pixels; make them smaller"
    assert str(raised.value) == f"source: {path}: {problem}"


def test_pictures_that_become_too_large_are_passed_over(tmp_path: Path) -> None:
    small, large = (of_size(tmp_path / f"{size}.mjpeg", size, size) for size in (64, 8200))
    path = tmp_path / "grown.mjpeg"
    path.write_bytes(small.read_bytes() * 4 + large.read_bytes() + small.read_bytes() * 4)
    with open_media(str(path), Spec()) as media:
        times = [item.pts_seconds for item in media.items()]
        assert media.num_bad_packets == 1
    assert times[0] == 0.0
    assert times[-1] >= 4 / 25  # behind the large one


def test_most_of_a_hundred_tracks_are_passed_over(tmp_path: Path) -> None:
    path = of_size(tmp_path / "a.mkv", 16, 16, num_tracks=100)
    with open_media(str(path), Spec()) as media:
        assert len(list(media.items())) == 1


@pytest.fixture
def plain_server() -> Iterator[str]:
    """Where somebody answers without encryption."""

    class Plain(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Plain) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("scheme", ["https", "rtsps", "rtmps"])
def test_a_port_that_speaks_no_tls_is_told_apart(plain_server: str, scheme: str) -> None:
    with pytest.raises(SourceTlsError, match="no encrypted connection; check that the port speaks TLS") as raised:
        open_media(f"{scheme}://user:{PASSWORD}@{plain_server}/a", Spec(), HASTY)
    assert PASSWORD not in repr(raised.value)


def test_ffmpeg_itself_writes_nothing_to_the_terminal(clip: Path) -> None:
    program = (
        "import sys\nfrom models.spec import Spec\nfrom pipeline.media import open_media\n"
        "try:\n    open_media(sys.argv[1], Spec())\nexcept OSError as error:\n    print(error)\n"
    )
    with RtspServer(clip, "user", "right") as server:
        url = f"rtsp://user:{PASSWORD}@{server.address}/stream"
        done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("source: rtsp://***@127.0.0.1:")
    assert done.stderr == ""
