"""Subtitles as plain words: files beside a video or alone, and the mark-up of SubRip, WebVTT and ASS taken off."""

import codecs
import html
import math
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Final

from pipeline.errors import SourceFormatError
from pipeline.item import Cue

SUFFIXES: Final = (".srt", ".vtt")
"""Of subtitle files."""
LONGEST_ENDLESS_SECONDS: Final = 5.0
"""How long a cue without an end stays, if no other takes its place."""

_OVERRIDE = re.compile(r"\{[^{}]*\}")
_TAG = re.compile(r"</?[a-zA-Z0-9][^<>]*>")
_LINE_BREAK = re.compile(r"\\[Nn]")
_TIMES = re.compile(r"\s*(?P<start>\S*)\s*-->\s*(?P<end>\S*)")
_TIME = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,3}):)?(\d{1,3}(?:[.,]\d+)?)")


def plain_text(text: str) -> str:
    """The words of a subtitle, a line feed between its lines, without mark-up or empty lines."""
    text = _LINE_BREAK.sub("\n", text.replace(r"\h", " ").replace(r"\{", "{").replace(r"\}", "}"))
    text = html.unescape(_TAG.sub("", _OVERRIDE.sub("", text)))
    lines = (" ".join(line.split()) for line in text.replace("\x00", "").splitlines())
    return "\n".join(line for line in lines if line)


def ass_text(line: bytes) -> str:
    """The words of a subtitle as FFmpeg gives it: a line of ASS, whose ninth field they are."""
    return plain_text(line.decode("utf-8", "replace").split(",", 8)[-1])


def sidecar(path: Path) -> Path | None:
    """The subtitle file beside a video: `movie.srt`, `movie.vtt`, or with a language, `movie.en.srt`."""
    folder = path.parent
    names = [folder / f"{path.stem}{suffix}" for suffix in SUFFIXES]
    try:
        names += sorted(name for name in folder.glob("*.*") if _is_in_language(name, path.stem))
        return next((name for name in names if name.is_file()), None)
    except OSError:  # a name too long with another suffix, a folder that is none
        return None


def _is_in_language(name: Path, stem: str) -> bool:
    language = name.stem.removeprefix(f"{stem}.")
    return name.suffix in SUFFIXES and language != name.stem and "." not in language


def read_cues(path: Path) -> list[Cue]:
    """The cues of a SubRip or WebVTT file in order of time. Malformed ones are left out.

    Raises:
        SourceFormatError: the file is not readable.
    """
    try:
        return list(_closed(_cues([*_decoded(path.read_bytes()).splitlines(), ""])))
    except OSError as error:
        raise SourceFormatError(f"subtitles: {path}: {error.strerror}; check the path and its permissions") from None


def _decoded(data: bytes) -> str:
    """UTF-8, UTF-16 if its byte order mark says so, else Latin-1, in which every file can be read."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _cues(lines: list[str]) -> Iterator[tuple[float, float | None, str]]:
    """(start, end or none, text) of every cue with good times."""
    heads = [(index, times) for index, line in enumerate(lines) if (times := _TIMES.match(line))]
    ends = [*(index for index, _ in heads), len(lines)][1:]
    for (index, times), end_index in zip(heads, ends, strict=True):
        start, end = _seconds(times["start"]), _seconds(times["end"])
        text = plain_text("\n".join(_body(lines[index + 1 : end_index])))
        if start is not None and (end is not None or not times["end"]) and text:
            yield start, end, text


def _body(lines: list[str]) -> list[str]:
    """The lines of a cue: up to an empty one, or without the number of the next cue if none is between."""
    body = list(takewhile(str.strip, lines))
    return body[:-1] if len(body) == len(lines) > 1 and body[-1].strip().isdigit() else body


def _closed(cues: Iterator[tuple[float, float | None, str]]) -> Iterator[Cue]:
    """Cues in order, each with an end: its own, or a few seconds on and not beyond the next one's start."""
    ordered = sorted(cues, key=lambda cue: cue[0])
    followings = [*(start for start, _, _ in ordered), math.inf][1:]
    for (start, end, text), following in zip(ordered, followings, strict=True):
        if end is not None and end > start:
            yield Cue(start, end, text)
        else:
            yield Cue(start, min(start + LONGEST_ENDLESS_SECONDS, following if following > start else math.inf), text)


def _seconds(text: str) -> float | None:
    time = _TIME.fullmatch(text)
    if time is None:
        return None
    hours, minutes, seconds = time.groups()
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds.replace(",", "."))
