"""`heed`, and `python -m pipeline`. Light, because every camera process imports it again."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Ended(BaseException):
    """Ctrl-C, or SIGTERM. No `KeyboardInterrupt`, which typer would turn into exit code 130 without a word."""

    def __init__(self, number: int) -> None:
        self.number = number


def main() -> None:
    """Runs the command line. Ctrl-C and SIGTERM unwind it, where a command does not see to them itself."""
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:  # a shell's background job ignores Ctrl-C
            signal.signal(number, _end)
    try:
        from pipeline.cli import main as run

        run()
    except _Ended as ended:
        sys.stderr.write(_said(ended.number))
        sys.exit(128 + ended.number)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    """Unwinds the program; or ends it at once while it imports: some libraries swallow what is raised then."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            os.write(2, _said(number).encode())
            os._exit(128 + number)
        frame = frame.f_back
    raise _Ended(number)


def _said(number: int) -> str:
    return f"heed: {signal.Signals(number).name}: ended\n"


if __name__ == "__main__":
    main()
