"""The view of `heed demo`: a live screen on a terminal, plain lines in a pipe."""

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.layout import Layout
from rich.live import Live

from alerts.alert import Alert
from alerts.show import describe
from pipeline.demo.screen import screen, summary
from pipeline.demo.state import DemoState, has_passed, with_alert, with_window
from pipeline.scene import Scene
from pipeline.score import Scores
from pipeline.window import Window

PICTURES_A_SECOND = 8
"""How often the screen is drawn: as often as a window has pictures."""


class DemoView:
    """Shows a scene as Heed takes it in; `window` and `alert` may be called from other threads.

    On a terminal the screen is a live one; else every alert is a line.
    """

    state: DemoState

    def __init__(self, scene: Scene, console: Console) -> None:
        self.state = DemoState(scene)
        self._console = console
        self._changing = threading.Lock()
        self._shown_at = time.monotonic()
        self._live = Live(
            console=console, get_renderable=self._screen, refresh_per_second=PICTURES_A_SECOND, screen=True
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def window(self, window: Window, scores: Scores) -> None:
        """Takes a window and what the model thinks of it."""
        with self._changing:
            self.state, self._shown_at = with_window(self.state, window, scores), time.monotonic()

    def alert(self, alert: Alert) -> None:
        """Takes an alert."""
        with self._changing:
            self.state = with_alert(self.state, alert)
        if not self._console.is_terminal:
            self._console.print(describe(alert), soft_wrap=True, highlight=False, markup=False)

    def close(self) -> bool:
        """Prints what was scripted and what was told, once the screen is left.

        Returns:
            Whether every scripted anomaly was named and nothing else raised an alarm.
        """
        self._console.print(summary(self.state))
        return has_passed(self.state)

    def _screen(self) -> Layout:
        return screen(self.state, *self._console.size, min(1.0, time.monotonic() - self._shown_at))
