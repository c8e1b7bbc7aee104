"""Subtitles as plain words: the mark-up of SubRip, WebVTT and ASS taken off."""

import html
import re

_ASS_OVERRIDE = re.compile(r"\{[^{}]*\}")
_TAG = re.compile(r"<[^<>\n]*>")
_ASS_BREAK = re.compile(r"\\[Nn]")


def plain_text(text: str) -> str:
    """The words of a subtitle, a line feed between its lines, without mark-up or empty lines."""
    text = _ASS_BREAK.sub("\n", text.replace("\\h", " "))
    text = html.unescape(_TAG.sub("", _ASS_OVERRIDE.sub("", text)))
    lines = (" ".join(line.split()) for line in text.replace("\x00", "").splitlines())
    return "\n".join(line for line in lines if line)
