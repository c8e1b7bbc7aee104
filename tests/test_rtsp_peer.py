"""Reading from an RTSP server that is not ours: GStreamer's, where the system has it."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from media_files import write_media

from models.spec import Spec
from pipeline.errors import SourceUnauthorisedError
from pipeline.media import Frame, Samples, open_media

SYSTEM_PYTHON = "/usr/bin/python3"
IMPORTS = """
import sys, gi
gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer
Gst.init(None)
needed = ("qtdemux", "h264parse", "rtph264pay", "aacparse", "rtpmp4gpay")
if missing := [name for name in needed if not Gst.ElementFactory.find(name)]:
    sys.exit(f"no {missing}")
"""
SERVER = f"""{IMPORTS}
_, path, user, password = sys.argv
server = GstRtspServer.RTSPServer(service="0", address="127.0.0.1")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f'( filesrc location="{{path}}" ! qtdemux name=file '
    "file.video_0 ! queue ! h264parse ! rtph264pay name=pay0 pt=96 "
    "file.audio_0 ! queue ! aacparse ! rtpmp4gpay name=pay1 pt=97 )"
)
if user:
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "player")
    auth = GstRtspServer.RTSPAuth()
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    factory.add_role_from_structure(Gst.Structure.new_from_string(
        "player, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
    ))
server.get_mount_points().add_factory("/stream", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to serve, where GStreamer can serve it."""
    try:
        tried = subprocess.run([SYSTEM_PYTHON, "-c", IMPORTS], capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no {SYSTEM_PYTHON}: {error.strerror}")
    if tried.returncode:
        pytest.skip(f"no gst-rtsp-server: {tried.stderr.strip().splitlines()[-1]}")
    return write_media(tmp_path_factory.mktemp("peer") / "clip.mp4", 3.0)


@contextmanager
def served(clip: Path, user: str = "", password: str = "") -> Iterator[str]:
    """Serves the file and gives the address."""
    command = [SYSTEM_PYTHON, "-c", SERVER, str(clip), user, password]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"127.0.0.1:{int(server.stdout.readline())}/stream"
        finally:
            server.kill()


def test_a_stream_of_gstreamers_server_is_seen_and_heard_to_its_end(clip: Path) -> None:
    with served(clip) as address, open_media(f"rtsp://{address}", Spec()) as media:
        assert media.is_live
        assert media.has_video
        assert media.has_audio
        items = list(media.items())
    frames = [item.pts_seconds for item in items if isinstance(item, Frame)]
    sound = [item for item in items if isinstance(item, Samples)]
    assert len(frames) in {23, 24}  # 3 s, less what went by before the player was ready
    assert frames[-1] - frames[0] == pytest.approx(2.88, abs=0.2)
    assert sum(len(item.data) for item in sound) / 16_000 == pytest.approx(3.0, abs=0.2)
    assert media.error is None


def test_gstreamers_server_lets_the_right_password_in_and_no_other(clip: Path) -> None:
    with served(clip, "warden", "p@ss:w0rd/") as address:
        with open_media(f"rtsp://warden:p%40ss%3Aw0rd%2F@{address}", Spec()) as media:
            assert isinstance(next(media.items()), Frame | Samples)
        with pytest.raises(SourceUnauthorisedError, match=r"^source: rtsp://\*\*\*@127"):
            open_media(f"rtsp://warden:wrong@{address}", Spec())
