"""Files and HLS playlists from a web server."""

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from media_files import write_media

from models.spec import Spec
from pipeline.errors import SourceNotFoundError
from pipeline.media import Frame, Samples, open_media

END_OF_PLAYLIST = "#EXT-X-ENDLIST\n"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web server that keeps its log to itself."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web server with a file, a playlist of it, and one that goes on."""
    folder = tmp_path_factory.mktemp("site")
    write_playlist(write_media(folder / "clip.mp4", 6.0), folder / "whole.m3u8")
    playlist = (folder / "whole.m3u8").read_text()
    assert playlist.endswith(END_OF_PLAYLIST)
    (folder / "live.m3u8").write_text(playlist.removesuffix(END_OF_PLAYLIST))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def write_playlist(source_path: Path, path: Path) -> None:
    """Cuts a file into HLS segments of 2 s, without coding it anew."""
    options = {"hls_time": "2", "hls_list_size": "0"}
    with av.open(str(source_path)) as source, av.open(str(path), "w", format="hls", options=options) as playlist:
        tracks = {stream.index: playlist.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = tracks[packet.stream.index]
                playlist.mux(packet)


@pytest.mark.parametrize("name", ["clip.mp4", "whole.m3u8"])
def test_what_has_an_end_is_read_as_a_file(site: str, name: str) -> None:
    with open_media(f"{site}/{name}", Spec()) as media:
        assert not media.is_live
        assert media.duration_seconds == pytest.approx(6.0, abs=0.1)
        items = list(media.items())
    assert len([item for item in items if isinstance(item, Frame)]) == 48
    assert sum(len(item.data) for item in items if isinstance(item, Samples)) / 16_000 == pytest.approx(6.0, abs=0.1)


def test_a_playlist_that_goes_on_is_live(site: str) -> None:
    with open_media(f"{site}/live.m3u8", Spec()) as media:
        assert media.is_live
        assert media.duration_seconds is None
        assert isinstance(next(media.items()), Frame | Samples)


def test_a_page_that_is_not_there_is_told(site: str) -> None:
    address = site.removeprefix("http://")
    with pytest.raises(SourceNotFoundError, match=r"^source: http://\*\*\*@127.*: no such stream on the server; check"):
        open_media(f"http://user:secret@{address}/none.m3u8", Spec())
