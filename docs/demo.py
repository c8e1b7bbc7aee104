"""Takes the picture of `heed demo` for the README: `python docs/demo.py`."""

import io
import sys
import tempfile
import threading
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from alerts.alert import Alert  # noqa: E402
from pipeline.config import Config, SourceConfig  # noqa: E402
from pipeline.demo.play import SOURCE  # noqa: E402
from pipeline.demo.screen import screen  # noqa: E402
from pipeline.demo.view import DemoView  # noqa: E402
from pipeline.engine import open_runtime  # noqa: E402
from pipeline.run import watch  # noqa: E402
from pipeline.scene import demo_scene, render  # noqa: E402
from pipeline.score import Scores  # noqa: E402
from pipeline.window import Window  # noqa: E402

WIDTH, HEIGHT = 100, 32
AT_SECONDS = 49.0
"""On the scene's clock: the threat is being read."""


def main() -> None:
    """Watches the scene as fast as the machine goes, and draws the screen of one moment."""
    console = Console(
        record=True, width=WIDTH, height=HEIGHT, force_terminal=True, color_system="truecolor", file=io.StringIO()
    )
    view, stopped = DemoView(demo_scene(), console), threading.Event()

    def seen(window: Window, scores: Scores) -> None:
        if view.state.seconds < AT_SECONDS:
            view.window(window, scores)
        else:
            stopped.set()

    def told(alert: Alert) -> None:
        if not stopped.is_set():
            view.alert(alert)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "street.mkv"
        render(demo_scene(), path)
        config = Config(source=(SourceConfig(name=SOURCE, url=SecretStr(str(path)), pace="auto"),))
        watch(config, open_runtime(config.engine), told, stopped, observe=seen)
    console.print(screen(view.state, WIDTH, HEIGHT))
    console.save_svg(str(FOLDER / "demo.svg"), title="heed demo")


if __name__ == "__main__":
    main()
