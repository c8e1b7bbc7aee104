"""Damages what was whole, the same way for the same seed."""

import io
import random
from collections.abc import Callable, Sequence
from typing import Final

import av

Damage = Callable[[bytes, random.Random], bytes]
"""Makes the bytes of a damaged file of the bytes of a whole one."""

_NUMBERS: Final = (
    b"\x00" * 4,
    b"\xff" * 4,
    b"\x7f\xff\xff\xff",
    b"\x80\x00\x00\x00",
    b"\x00\x00\x00\x01",
    b"\x00\x01" * 2,
)
"""Sizes and counts at which programs err."""
_WORDS: Final = (
    *("", "0", "-1", "1e999", "nan", "inf", "-inf", "9" * 20, "9" * 400, "9" * 5000, "0x10", "1_0", "٣", "true"),
    *('"', "'", '""', "[]", "{}", "[" * 3000, "{" * 3000, "[a." * 500, "=", ",", ";", ":", "-->", "\\", "../..", "%s"),
    *(
        "\x00",
        "\ufeff",
        "\u202e",
        "\ud7ff",
        "\U0010ffff",
        "é" * 300,
        "\r",
        "\n",
        "\n\n",
        "\t",
        "null",
        "2026-13-45T99:99:99Z",
    ),
)
"""What does not belong where a number, a word or a sign was."""


def bytes_damaged(data: bytes, rng: random.Random) -> bytes:
    """One to three of: bits flipped, noise, zeros, an odd number, parts cut out, swapped, repeated, the end cut off."""
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(_OF_BYTES)(data, rng)
    return data


def head_damaged(data: bytes, rng: random.Random) -> bytes:
    """Damage within the first kilobyte, where formats say what is in them."""
    return bytes_damaged(data[:1024], rng) + data[1024:]


def text_damaged(data: bytes, rng: random.Random) -> bytes:
    """One to three words replaced, lines moved, left out or repeated; now and then bytes as in any file."""
    for _ in range(rng.randint(1, 3)):
        data = rng.choices((_word, _line, _bytes), (6, 3, 1))[0](data, rng)
    return data


def packets_damaged(data: bytes, rng: random.Random) -> bytes:
    """A whole Matroska file of damaged packets: the container is right, what the decoders get is not."""
    out, share = io.BytesIO(), rng.choice((0.02, 0.1, 0.5))
    with av.open(io.BytesIO(data), "r") as source, av.open(out, "w", format="matroska") as target:
        streams = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            packet.stream = streams[packet.stream_index]
            if rng.random() < share:
                hit = av.Packet(bytes_damaged(bytes(packet), rng) or b"\x00")
                hit.pts, hit.dts, hit.time_base, hit.stream = packet.pts, packet.dts, packet.time_base, packet.stream
                hit.is_keyframe = packet.is_keyframe
                packet = hit  # noqa: PLW2901
            target.mux(packet)
    return out.getvalue()


def spliced(others: Sequence[bytes]) -> Damage:
    """Damage that now and then puts the head of another file before the tail of this one."""

    def damage(data: bytes, rng: random.Random) -> bytes:
        if rng.random() < 0.9:
            return rng.choice((bytes_damaged, head_damaged))(data, rng)
        other = rng.choice(others)
        return other[: rng.randrange(len(other))] + data[rng.randrange(len(data)) :]

    return damage


def _stretch(data: bytes, rng: random.Random, longest: int) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.randint(1, longest))


def _flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 4, 16, 64)) if data else 0):
        changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _noise(data: bytes, rng: random.Random) -> bytes:
    start, end = _stretch(data, rng, 512)
    return data[:start] + rng.randbytes(end - start) + data[end:]


def _zeros(data: bytes, rng: random.Random) -> bytes:
    start, end = _stretch(data, rng, 4096)
    return data[:start] + bytes(end - start) + data[end:]


def _number(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1) // 4 * 4
    return data[:start] + rng.choice(_NUMBERS) + data[start + 4 :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    start, end = _stretch(data, rng, 1024)
    return data[:start] + data[end:]


def _repeated(data: bytes, rng: random.Random) -> bytes:
    start, end = _stretch(data, rng, 1024)
    return data[:end] + data[start:]


def _swapped(data: bytes, rng: random.Random) -> bytes:
    a, b, c, d = sorted(rng.randrange(len(data) + 1) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _ended(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


_OF_BYTES: Final[tuple[Damage, ...]] = (_flipped, _noise, _zeros, _number, _cut, _repeated, _swapped, _ended)


def _word(data: bytes, rng: random.Random) -> bytes:
    start, end = _stretch(data, rng, 6)
    word = b"".join(rng.choice(_WORDS).encode() for _ in range(rng.choice((1, 1, 1, 3))))
    return data[:start] + word + data[end:]


def _line(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.choice((0, 1, 2, 50))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    return b"".join(lines)


def _bytes(data: bytes, rng: random.Random) -> bytes:
    return rng.choice(_OF_BYTES)(data, rng)
