"""`heed demo`: a drawn scene streamed through all of Heed, and watched on the other side of Redis."""

import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from alerts.alert import Alert
from alerts.connect import connect
from alerts.redis_stream import Publisher
from alerts.subscriber import subscribe
from export.runtime import Runtime
from pipeline.config import Config, SourceConfig
from pipeline.demo.view import DemoView
from pipeline.live import Pace
from pipeline.run import Sink, watch
from pipeline.scene import Scene, render

SOURCE = "street"
"""Name of the source that the demo watches."""
_LAST_ALERT_SECONDS = 5.0
"""For what is still on its way when the scene is over."""


def play(
    scene: Scene,
    runtime: Runtime,
    console: Console,
    stopped: threading.Event,
    *,
    pace: Pace = "live",
    progress: Callable[[float], None] = lambda _share: None,
) -> bool:
    """Renders the scene, watches it, shows what comes, and sums up.

    Args:
        scene: the script.
        runtime: the model.
        console: to show it on.
        stopped: set it to end early.
        pace: `live`, or `auto` for as fast as the machine goes.
        progress: told which share of the scene is drawn.

    Returns:
        Whether every scripted anomaly raised an alert of its kind, and nothing else any.
    """
    with tempfile.TemporaryDirectory(prefix="heed-demo-") as folder:
        path, state = Path(folder) / "street.mkv", Path(folder) / "state"
        render(scene, path, progress)
        config = Config(source=(SourceConfig(name=SOURCE, url=SecretStr(str(path)), pace=pace),))
        view = DemoView(scene, console)
        client = connect(None, state)
        done = _Follower(view, state)
        try:
            with view, Publisher(client, state) as publisher:
                done.start()
                watch(
                    config, runtime, done.expect(publisher), stopped, announce=publisher.announce, observe=view.window
                )
                done.wait(stopped)
        finally:
            done.stop()
            client.close()
    return view.close()


class _Follower:
    """A subscriber in a thread of its own, that knows how many alerts are to come."""

    def __init__(self, view: DemoView, state: Path) -> None:
        self._stopped, self._changed = threading.Event(), threading.Condition()
        self._num_sent = self._num_seen = 0
        self._view = view
        self._alerts = subscribe(None, state=state, from_start=True, stopped=self._stopped.is_set)
        self._thread = threading.Thread(target=self._follow, name="subscriber", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def expect(self, sink: Sink) -> Sink:
        """The sink, counted."""

        def counted(alert: Alert) -> None:
            self._num_sent += 1
            sink(alert)

        return counted

    def wait(self, stopped: threading.Event) -> None:
        """Until what was sent has been seen."""
        with self._changed:
            self._changed.wait_for(
                lambda: stopped.is_set() or self._num_seen >= self._num_sent, timeout=_LAST_ALERT_SECONDS
            )

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(2)

    def _follow(self) -> None:
        for alert in self._alerts:
            self._view.alert(alert)
            with self._changed:
                self._num_seen += 1
                self._changed.notify_all()
