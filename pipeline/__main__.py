"""`heed`, and `python -m pipeline`. Light, because every camera process imports it again."""

import signal
import sys


class _Ended(KeyboardInterrupt):
    """SIGTERM."""


def main() -> None:
    """Runs the command line. Ctrl-C and SIGTERM unwind it, where a command does not see to them itself."""
    signal.signal(signal.SIGTERM, _end)
    try:
        from pipeline.cli import main as run

        run()
    except KeyboardInterrupt as error:
        number = signal.SIGTERM if isinstance(error, _Ended) else signal.SIGINT
        sys.stderr.write(f"heed: {number.name}: ended\n")
        sys.exit(128 + number)


def _end(*_: object) -> None:
    raise _Ended


if __name__ == "__main__":
    main()
