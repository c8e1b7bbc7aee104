"""A small RTSP server on loopback: one file as RTP within the TCP connection, at its own pace.

Pictures are H.264 or MPEG-4, sound is AAC or G.711.

Packets are made by FFmpeg's own RTP muxer; the server only speaks RTSP and waits for each packet's time.
"""

import base64
import hashlib
import secrets
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av

REALM: Final = "test"


class RtspServer:
    """Serves a file to any number of players, over and over unless told once. A context manager."""

    def __init__(
        self,
        path: Path,
        user: str | None = None,
        password: str | None = None,
        *,
        scheme: str = "Digest",
        loops: bool = True,
        port: int = 0,
    ) -> None:
        self.path, self.user, self.password, self.scheme, self.loops = path, user, password, scheme, loops
        self.port = port
        self.nonce = secrets.token_hex(8)
        self.num_connections = 0
        self.flowing = threading.Event()
        self.flowing.set()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Where the file plays, with user and password where they are asked for."""
        user = f"{self.user}:{self.password}@" if self.user else ""
        return f"rtsp://{user}{self.address}/stream"

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listens; after a stop, on the same port again."""
        self._server = _Server(("127.0.0.1", self.port), self)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Cuts every connection off and listens no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
            self._server = None

    def stall(self) -> None:
        """Keeps connections open and sends nothing."""
        self.flowing.clear()

    def resume(self) -> None:
        """Sends on."""
        self.flowing.set()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], owner: RtspServer) -> None:
        super().__init__(address, _Connection)
        self.owner = owner
        self.sockets: set[socket.socket] = set()

    def cut(self) -> None:
        for connection in list(self.sockets):
            _shut(connection)


class _Connection(socketserver.StreamRequestHandler):
    """One player."""

    server: _Server

    def handle(self) -> None:
        self.owner = self.server.owner
        self.owner.num_connections += 1
        self.server.sockets.add(self.connection)
        self.lock = threading.Lock()
        self.is_over = threading.Event()
        self.channels: dict[int, int] = {}  # track -> interleaved channel
        try:
            for method, url, headers in self._requests():
                self._answer(method, url, headers)
                if method == "TEARDOWN":
                    break
        except OSError:
            pass
        self.is_over.set()
        self.server.sockets.discard(self.connection)

    def _requests(self) -> Iterator[tuple[str, str, dict[str, str]]]:
        while first := self.rfile.read(1):
            if first == b"$":  # a report of the player's, as RTCP
                self.rfile.read(int.from_bytes(self.rfile.read(3)[1:], "big"))
                continue
            method, url, _ = (first + self.rfile.readline()).decode().split()
            lines = iter(lambda: self.rfile.readline().decode().strip(), "")
            yield method, url, {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}

    def _answer(self, method: str, url: str, headers: dict[str, str]) -> None:
        if not self._is_allowed(method, headers.get("authorization", "")):
            ask = f'{self.owner.scheme} realm="{REALM}"'
            ask += f', nonce="{self.owner.nonce}"' if self.owner.scheme == "Digest" else ""
            return self._reply(headers, 401, {"WWW-Authenticate": ask})
        if method == "OPTIONS":
            return self._reply(headers, 200, {"Public": "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"})
        if method == "DESCRIBE":
            about = {"Content-Type": "application/sdp", "Content-Base": f"{url}/"}
            return self._reply(headers, 200, about, sdp(self.owner.path))
        if method == "SETUP":
            track = int(url.rpartition("=")[2])
            self.channels[track] = 2 * track
            transport = f"RTP/AVP/TCP;unicast;interleaved={2 * track}-{2 * track + 1}"
            return self._reply(headers, 200, {"Transport": transport})
        self._reply(headers, 200, {})
        if method == "PLAY":
            threading.Thread(target=self._play, daemon=True).start()
        return None

    def _is_allowed(self, method: str, given: str) -> bool:
        owner = self.owner
        if owner.user is None:
            return True
        if owner.scheme == "Basic":
            return given == "Basic " + base64.b64encode(f"{owner.user}:{owner.password}".encode()).decode()
        parts = (part.partition("=") for part in given.removeprefix("Digest ").split(", "))
        fields = {name.strip(): value.strip('"') for name, _, value in parts}
        secret = _md5(f"{owner.user}:{REALM}:{owner.password}")
        asked = _md5(f"{method}:{fields.get('uri', '')}")
        wanted = _md5(f"{secret}:{owner.nonce}:{asked}")
        return fields.get("username") == owner.user and fields.get("response") == wanted

    def _reply(self, headers: dict[str, str], code: int, fields: dict[str, str], body: str = "") -> None:
        fields = {"CSeq": headers.get("cseq", "0"), "Session": "1", "Content-Length": str(len(body)), **fields}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.send(f"RTSP/1.0 {code} {'OK' if code == 200 else 'Unauthorized'}\r\n{head}\r\n{body}".encode())

    def send(self, data: bytes) -> None:
        with self.lock:
            self.connection.sendall(data)

    def _play(self) -> None:
        with suppress(OSError):  # the player has gone
            _stream(self.owner, self)
        _shut(self.connection)


class _Channel:
    """The file that a track's RTP muxer writes its packets to."""

    def __init__(self, connection: _Connection, channel: int) -> None:
        self._connection, self._channel = connection, channel

    def write(self, packet: bytes) -> int:
        is_report = 200 <= packet[1] <= 204
        head = b"$" + bytes([self._channel + is_report]) + len(packet).to_bytes(2, "big")
        self._connection.send(head + bytes(packet))
        return len(packet)


def _stream(owner: RtspServer, connection: _Connection) -> None:
    """Sends the file's packets, each when its time has come, time stamps going on from round to round."""
    began, done_seconds = time.monotonic(), 0.0
    with av.open(str(owner.path)) as source:
        streams = [source.streams[index] for index in connection.channels]
        muxers = {}
        for stream in streams:
            file = _Channel(connection, connection.channels[stream.index])
            muxer = av.open(file, "w", format="rtp", options={"packetsize": "1400"})
            muxers[stream.index] = (muxer, muxer.add_stream_from_template(stream))
        for muxer, _ in muxers.values():
            muxer.start_encoding()  # now, all together: from here each counts its sender reports' time
        while not connection.is_over.is_set():
            for packet in source.demux(streams):
                if packet.dts is None or packet.pts is None:
                    continue
                shift = round(done_seconds / packet.time_base)
                packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
                due = began + float(packet.dts * packet.time_base)
                if connection.is_over.wait(max(0.0, due - time.monotonic())):
                    return
                owner.flowing.wait()
                muxer, packet.stream = muxers[packet.stream.index]
                muxer.mux(packet)
            if not owner.loops:
                return
            done_seconds += (source.duration or 0) / av.time_base
            source.seek(0)


def sdp(path: Path) -> str:
    """What the file's tracks are, as a player must know before the first packet."""
    lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=test", "c=IN IP4 127.0.0.1", "t=0 0"]
    with av.open(str(path)) as source:
        for picture in source.streams.video:
            lines += ["m=video 0 RTP/AVP 96", *_picture(picture.codec_context), f"a=control:track={picture.index}"]
        for sound in source.streams.audio:
            lines += ["m=audio 0 RTP/AVP 97", *_sound(sound.codec_context), f"a=control:track={sound.index}"]
    return "\r\n".join([*lines, ""])


def _picture(codec: av.VideoCodecContext) -> list[str]:
    extra = codec.extradata or b""
    if codec.name == "mpeg4":
        return ["a=rtpmap:96 MP4V-ES/90000", f"a=fmtp:96 profile-level-id=1;config={extra.hex()}"]
    sets = ",".join(base64.b64encode(nal).decode() for nal in parameter_sets(extra))
    return ["a=rtpmap:96 H264/90000", f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}"]


def _sound(codec: av.AudioCodecContext) -> list[str]:
    if codec.name == "pcm_mulaw":
        return [f"a=rtpmap:97 PCMU/{codec.sample_rate}/{codec.channels}"]
    mode = "mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3"
    return [
        f"a=rtpmap:97 MPEG4-GENERIC/{codec.sample_rate}/{codec.channels}",
        f"a=fmtp:97 streamtype=5;profile-level-id=1;{mode};config={(codec.extradata or b'').hex()}",
    ]


def parameter_sets(avcc: bytes) -> Iterator[bytes]:
    """The SPS and PPS of an MP4's `avcC` box."""
    at = 5
    for mask in (0x1F, 0xFF):
        count, at = avcc[at] & mask, at + 1
        for _ in range(count):
            size = int.from_bytes(avcc[at : at + 2], "big")
            yield avcc[at + 2 : at + 2 + size]
            at += 2 + size


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):  # already gone
        connection.shutdown(socket.SHUT_RDWR)
