"""Lines of annotation files, and what is wrong with them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from pipeline.errors import LabelsError

_LAST_FRAME: Final = 10**9
"""A year of video."""


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not empty, with their numbers.

    Raises:
        LabelsError: it cannot be read, or is no text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise LabelsError(f"labels: {path}: {error.strerror}; name an existing annotations file") from None
    except UnicodeDecodeError:
        raise LabelsError(f"labels: {path}: not UTF-8; name a text file") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def wrong(path: Path, line: int, problem: str) -> LabelsError:
    """The error for a line; the problem says what to do, too."""
    return LabelsError(f"labels: {path}: line {line}: {problem}")


def frame_pairs(path: Path, line: int, words: Sequence[str]) -> list[tuple[int, int]]:
    """Words as pairs of frame numbers, first and last.

    Raises:
        LabelsError: a word is no frame's number, the last has no partner, or a pair ends before it begins.
    """
    try:
        numbers = [int(word) for word in words]
    except ValueError:
        raise wrong(path, line, f"{' '.join(words)}: not all are frame numbers; mend the line") from None
    if odd := [number for number in numbers if not 0 <= number <= _LAST_FRAME]:
        raise wrong(path, line, f"{str(odd[0])[:20]} is no frame's number; mend the line")
    if len(numbers) % 2:
        raise wrong(path, line, f"frame {numbers[-1]} has no partner; give first and last frame of each stretch")
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    for first, last in pairs:
        if last < first:
            raise wrong(path, line, f"frame {last} comes before frame {first}; swap or mend them")
    return pairs
