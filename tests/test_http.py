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
from pipeline.errors import SourceError, SourceNotFoundError
from pipeline.media import Frame, Samples, open_media

END_OF_PLAYLIST = "#EXT-X-ENDLIST\n"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A web server that keeps its log to itself."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the web server serves."""
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    """A web server with a file, a playlist of it, and one that goes on."""
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


@pytest.mark.parametrize("address", ["file://{}", "{}", "concat:{}", "subfile:,,start,0,end,0,,:{}"])
def test_a_playlist_from_outside_opens_no_file_of_this_machine(site: str, folder: Path, address: str) -> None:
    segment = address.format(write_media(folder / "private.ts", 2.0))
    playlist = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{segment}\n{END_OF_PLAYLIST}"
    (folder / "evil.m3u8").write_text(playlist)
    with pytest.raises(SourceError):
        open_media(f"{site}/evil.m3u8", Spec())
