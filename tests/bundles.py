"""A tiny run and its bundle, kept in pytest's cache until the code that makes them changes."""

import contextlib
import hashlib
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent


def tiny_folder(cache: Path) -> Path:
    """A folder that holds `run` and `bundle`; the export takes half a minute, so it is made once."""
    key = hashlib.sha256("".join(map(version, ("torch", "transformers", "onnx", "onnxscript"))).encode())
    for path in (*sorted(ROOT.glob("models/*.py")), *sorted(ROOT.glob("export/*.py")), ROOT / "tests" / "tiny.py"):
        key.update(path.read_bytes())
    folder = cache / key.hexdigest()[:16]
    if not folder.exists():
        from tiny import write_tiny  # torch takes seconds to import

        with tempfile.TemporaryDirectory(dir=cache) as place:
            write_tiny(Path(place) / "tiny")
            with contextlib.suppress(OSError):  # another run of the tests was faster
                (Path(place) / "tiny").rename(folder)
    return folder
