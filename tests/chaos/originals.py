"""Whole files of every kind that Heed reads, small, and a recorded RTSP conversation."""

import contextlib
import shutil
import socket
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Final

import av
import numpy as np
from conftest import make_alert
from media_files import pop_on, write_media, write_pictures
from rtsp_server import RtspServer

from pipeline.item import Cue

from .alarm_bundle import write_alarm_bundle

SECONDS: Final = 2.5
_CUES: Final = [Cue(0.2, 1.0, "give me the money"), Cue(1.2, 2.0, "or I <i>shoot</i>"), Cue(2.0, 2.4, "{\\an8}now")]
_TEXTS: Final = {
    "name.txt": "clips/gate.mp4",
    "words.srt": """1
00:00:00,200 --> 00:00:01,000
give me the money

2
00:00:01,200 --> 00:00:02,000
<i>or I shoot</i>
""",
    "words.vtt": """WEBVTT

NOTE a note

first
00:00.200 --> 00:01.000 align:start
<v Ann>give me

00:01.200 -->
now
""",
    "words.ass": """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,16

[Events]
Format: Layer, Start, End, Style, Text
Dialogue: 0,0:00:00.20,0:00:01.00,Default,{\\b1}give me\\Nnow
""",
    "heed.toml": """[[source]]
name = "gate"
url = "rtsp://a:b@10.0.0.7/1"
threshold = 0.5

[[source]]
name = "door"
url = "door.mp4"
pace = "live"

[live]
open_timeout_seconds = 10
jitter = 0.2

[engine]
provider = "cpu"
bundle = "bundle"
threads = 1

[event]
confirm_windows = 2
release = 0.7

[redis]
url = "redis://localhost:6379/0"
""",
    "labels.csv": """path,start_seconds,end_seconds,label,group,modality
pcm.wav,0,1.5,fight,april,audio
pcm.wav,,,normal,april,
h264.mp4,0.5,2,gun_shot,may,video+audio
""",
    "xd/annotations.txt": """Film__#1_label_B1-0-0 2 8 12 20
Film__#1_label_B1-0-0.mp4 1 3
""",
    "ucf/Annotation.txt": """Abuse028_x264.mp4  Abuse  5  12  -1  -1
Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1
""",
    "ped2/Test/UCSDped2.m": """TestVideoFile = {};
TestVideoFile{end+1}.gt_frame = [1:3];
TestVideoFile{end+1}.gt_frame = [];
""",
}
"""By name."""


def write_originals(folder: Path) -> Path:
    """Writes them all, each with what must lie beside it."""
    folder.mkdir(parents=True)
    small = partial(write_media, seconds=SECONDS, size=(48, 32), frame_rate=10)
    small(folder / "h264.mp4")
    small(folder / "h264.ts", captions=pop_on("A GUN"))
    small(folder / "texts.mkv", cues=_CUES)
    small(folder / "styled.mkv", cues=_CUES, text_codec="ass", audio_codec="pcm_s16le")
    small(folder / "texts.mp4", cues=_CUES, text_codec="mov_text", has_audio=False)
    write_media(folder / "pcm.wav", SECONDS, has_video=False, audio_codec="pcm_s16le")
    for codec in ("mjpeg", "mpeg4"):
        write_other(folder / f"{codec}.avi", codec)
    for name, text in _TEXTS.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in ("xd/Film__#1_label_B1-0-0.mp4", "ucf/Abuse028_x264.mp4", "ucf/Normal_Videos_003_x264.mp4"):
        shutil.copy(folder / "h264.mp4", folder / name)
    for number in (1, 2):
        (folder / f"ped2/Test/Test{number:03}").mkdir()
        write_pictures(folder / f"ped2/Test/Test{number:03}", 4, size=(32, 32))
    write_alarm_bundle(folder / "bundle")
    (folder / "alert.json").write_text(make_alert(kind="end").to_json(), encoding="utf-8")
    (folder / "camera.rtsp").write_bytes(_conversation(folder / "h264.mp4"))
    return folder


def write_other(path: Path, codec: str, sound_codec: str = "pcm_s16le", seconds: float = SECONDS) -> Path:
    """Writes pictures of a codec other than H.264, and sound at 8 kHz."""
    with av.open(str(path), "w") as container:
        pictures, sound = container.add_stream(codec, 10), container.add_stream(sound_codec, 8000, layout="mono")
        assert isinstance(pictures, av.VideoStream)
        assert isinstance(sound, av.AudioStream)
        pictures.width, pictures.height = 48, 32
        pictures.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for number in range(round(10 * seconds)):
            picture = av.VideoFrame.from_ndarray(np.full((32, 48, 3), 8 * number % 120, np.uint8), "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 10)
            container.mux(pictures.encode(picture))
            noise = av.AudioFrame.from_ndarray(np.full((1, 800), 100 * number, np.int16), "s16", "mono")
            noise.sample_rate, noise.pts, noise.time_base = 8000, 800 * number, Fraction(1, 8000)
            container.mux(sound.encode(noise))
        container.mux([*pictures.encode(None), *sound.encode(None)])
    return path


def _conversation(path: Path) -> bytes:
    """All that a camera says to one player: its answers, then the stream to its end."""
    said = b""
    with RtspServer(path, loops=False) as server, socket.create_connection(("127.0.0.1", server.port)) as player:
        requests = ["OPTIONS", "DESCRIBE", "SETUP /track=0", "SETUP /track=1", "PLAY"]
        for number, request in enumerate(requests, start=1):
            method, _, track = request.partition(" ")
            player.sendall(f"{method} {server.url}{track} RTSP/1.0\r\nCSeq: {number}\r\n\r\n".encode())
            if method != "PLAY":
                said += _answer(player)
        with contextlib.suppress(OSError):
            while part := player.recv(65536):
                said += part
    return said


def _answer(player: socket.socket) -> bytes:
    """One answer, whole."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += player.recv(65536)
    head, _, body = said.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
    while len(body) < length:
        body += player.recv(65536)
    return head + b"\r\n\r\n" + body
