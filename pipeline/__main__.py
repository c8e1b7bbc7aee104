"""`heed`, and `python -m pipeline`. Light, because every camera process imports it again."""

import sys


def main() -> None:
    """Runs the command line."""
    try:
        from pipeline.cli import main as run

        run()
    except KeyboardInterrupt:  # while the engine was still being imported
        sys.exit(130)


if __name__ == "__main__":
    main()
