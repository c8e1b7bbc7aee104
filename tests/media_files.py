"""Makes small real media files: pictures whose brightness tells their number, a beep on every second, subtitles."""

from __future__ import annotations  # av.Packet takes a parameter in its stub only

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.packet import Packet
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.subtitle import SubtitleSet
from numpy.typing import NDArray

from pipeline.item import Cue

BEEP_HZ: Final = 1000
BEEP_SECONDS: Final = 0.25
BEEP_LEVEL: Final = 0.5
SOUND_RATE: Final = 44_100
_ASS_HEADER: Final = b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name\nStyle: Default\n\n[Events]\n"


def write_media(
    path: Path,
    seconds: float = 3.0,
    *,
    has_video: bool = True,
    has_audio: bool = True,
    cues: Sequence[Cue] = (),
    text_codec: str = "srt",
    captions: Sequence[bytes] = (),
    frame_rate: int = 25,
    num_b_frames: int = 0,
    size: tuple[int, int] = (96, 64),
    audio_codec: str = "aac",
    first_seconds: float = 0.0,
    levels: Sequence[int] = (),
    sound: NDArray[np.float32] | None = None,
) -> Path:
    """Writes H.264 and sound, in the container the path's suffix names, its time stamps from `first_seconds` on.

    `captions` holds the CEA-608 `cc_data` of each picture, from the first on; `levels` the brightness of each, instead
    of its number; `sound` what is heard instead of beeps, (S,) at `SOUND_RATE`.
    """
    with av.open(str(path), "w") as container:
        text = container.add_stream(text_codec) if cues else None
        if text is not None:
            assert isinstance(text.codec_context, SubtitleCodecContext)
            text.codec_context.subtitle_header = _ASS_HEADER
            text.time_base = Fraction(1, 1000)
        tracks = []
        if has_video:
            levels = levels or [level(number) for number in range(round(seconds * frame_rate))]
            tracks.append(_pictures(container, levels, frame_rate, num_b_frames, size, captions, first_seconds))
        if has_audio:
            tracks.append(_sound(container, beeps(seconds) if sound is None else sound, audio_codec, first_seconds))
        if text is not None:
            tracks.append(_subtitles(text, cues, first_seconds))
        _mux(container, tracks)
    return path


def write_pictures(
    folder: Path,
    count: int,
    *,
    suffix: str = ".tif",
    name: str = "{:03d}",
    first: int = 1,
    size: tuple[int, int] = (96, 64),
) -> Path:
    """Writes numbered pictures into a folder that is there; their brightness counts from 0."""
    for number in range(count):
        picture = np.full((size[1], size[0], 3), level(number), np.uint8)
        cv2.imwrite(str(folder / (name.format(first + number) + suffix)), picture)
    return folder


def level(number: int) -> int:
    """Brightness of the picture of this number, 0 to 255; the same again after 25."""
    return 30 + 8 * (number % 25)


def beeps(seconds: float, rate: int = SOUND_RATE) -> NDArray[np.float32]:
    """The sound of a file, (S,): a beep at the beginning of every second, and silence."""
    time = np.arange(round(seconds * rate)) / rate
    return (BEEP_LEVEL * np.sin(2 * np.pi * BEEP_HZ * time) * (time % 1 < BEEP_SECONDS)).astype(np.float32)


def corrupt(path: Path, first: float = 0.4, last: float = 0.6, seed: int = 0) -> Path:
    """Writes noise over one byte of eight of a part of a file, given in shares of its length."""
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    part = data[int(first * len(data)) : int(last * len(data))]
    random = np.random.default_rng(seed)
    hit = random.random(len(part)) < 1 / 8
    part[hit] = random.integers(0, 256, hit.sum())
    path.write_bytes(data.tobytes())
    return path


def pop_on(text: str) -> list[bytes]:
    """CEA-608: loads a line out of sight and shows it in place of what was there. One picture a pair."""
    return [*_twice(0x14, 0x20), *_twice(0x14, 0x2E), *_twice(0x14, 0x70), *_letters(text), *_twice(0x14, 0x2F)]


def roll_up(text: str) -> list[bytes]:
    """CEA-608: rolls two rows up and types a line on the lower one, two letters a picture."""
    return [*_twice(0x14, 0x25), *_twice(0x14, 0x2D), *_twice(0x14, 0x70), *_letters(text)]


def erase() -> list[bytes]:
    """CEA-608: empties the screen."""
    return _twice(0x14, 0x2C)


def no_captions(num_pictures: int) -> list[bytes]:
    """CEA-608: nothing new for some pictures."""
    return [_pair(0, 0)] * num_pictures


def _pictures(
    container: OutputContainer,
    levels: Sequence[int],
    frame_rate: int,
    num_b_frames: int,
    size: tuple[int, int],
    captions: Sequence[bytes],
    first_seconds: float,
) -> Iterator[Packet[Any]]:
    options = {"preset": "ultrafast", "bf": str(num_b_frames), "g": "25"}
    stream = container.add_stream("libx264", frame_rate, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, frame_rate)
    frames = [_picture(number, brightness, size) for number, brightness in enumerate(levels)]
    for number, frame in enumerate(frames):
        frame.pts, frame.time_base = number + round(first_seconds * frame_rate), stream.time_base
    packets = (packet for frame in [*frames, None] for packet in stream.encode(frame))
    for number, packet in enumerate(packets):
        yield _with_captions(packet, captions[number]) if number < len(captions) else packet


def _picture(number: int, brightness: int, size: tuple[int, int]) -> av.VideoFrame:
    picture = np.full((size[1], size[0], 3), brightness, np.uint8)
    picture[:, number % size[0]] = 255  # something that moves
    return av.VideoFrame.from_ndarray(picture, "rgb24")


def _sound(
    container: OutputContainer, sound: NDArray[np.float32], codec: str, first_seconds: float
) -> Iterator[Packet[Any]]:
    stream = container.add_stream(codec, SOUND_RATE, layout="mono")
    assert isinstance(stream, av.AudioStream)
    for start in range(0, len(sound), 1024):
        part = sound[None, start : start + 1024]
        if stream.format.name.startswith("s16"):
            part = np.round(part * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(part, stream.format.name, "mono")
        frame.sample_rate = SOUND_RATE
        frame.pts, frame.time_base = start + round(first_seconds * SOUND_RATE), Fraction(1, SOUND_RATE)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _subtitles(stream: av.stream.Stream, cues: Sequence[Cue], first_seconds: float) -> Iterator[Packet[Any]]:
    codec = stream.codec_context
    assert isinstance(codec, SubtitleCodecContext)
    for number, cue in enumerate(cues):
        line = f"{number},0,Default,,0,0,0,,{cue.text.replace(chr(10), chr(92) + 'N')}".encode()
        milliseconds = round(1000 * (cue.end_seconds - cue.pts_seconds))
        packet = codec.encode_subtitle(SubtitleSet.create(line, 0, milliseconds))
        packet.pts = packet.dts = round(1000 * (cue.pts_seconds + first_seconds))
        packet.duration, packet.time_base = milliseconds, Fraction(1, 1000)
        packet.stream = stream
        yield packet


def _mux(container: OutputContainer, tracks: Sequence[Iterator[Packet[Any]]]) -> None:
    """Writes the tracks' packets in order of time, as a file has them."""
    packets = [packet for track in tracks for packet in track]
    for packet in sorted(packets, key=lambda packet: (packet.dts or 0) * packet.time_base):
        container.mux(packet)


def _with_captions(packet: Packet[Any], cc_data: bytes) -> Packet[Any]:
    """The packet with an SEI of ATSC A/53 captions before it."""
    payload = b"\xb5\x00\x31GA94\x03" + bytes([0xC0 | len(cc_data) // 3, 0xFF]) + cc_data + b"\xff"
    sei = b"\x00\x00\x00\x01\x06\x04" + bytes([len(payload)]) + payload + b"\x80"
    whole: Packet[Any] = Packet(sei + bytes(packet))
    whole.pts, whole.dts, whole.time_base = packet.pts, packet.dts, packet.time_base
    whole.duration, whole.is_keyframe, whole.stream = packet.duration, packet.is_keyframe, packet.stream
    return whole


def _twice(first: int, second: int) -> list[bytes]:
    """A control code, which is always sent twice."""
    return [_pair(first, second)] * 2


def _letters(text: str) -> list[bytes]:
    codes = text.encode("ascii") + b"\x00" * (len(text) % 2)
    return [_pair(codes[at], codes[at + 1]) for at in range(0, len(codes), 2)]


def _pair(first: int, second: int) -> bytes:
    """Two bytes of field 1, each with odd parity."""
    return bytes([0xFC, *(code | (0 if code.bit_count() % 2 else 0x80) for code in (first, second))])
