"""Ctrl-C and SIGTERM: in order if it can be done soon, and at once if it cannot."""

import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final, NoReturn, Self

EXIT_SECONDS: Final = 1.6
"""For an end in order. Supervisors, and people, expect it within 2, and the interpreter takes some of them."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SAY_SECONDS: Final = 0.1
"""For a line, when whoever reads stderr does not."""
_LEAVE: Final = 0
"""No signal has this number."""

Say = Callable[[str], None]
"""Tells the user in one line."""


class Stop:
    """Turns Ctrl-C and SIGTERM into the end of the program. A context manager, for the main thread.

    Until `begin` there is nothing to end in order: the first signal ends the program at once. After it, the first
    one sets `asked`; if the program is still there when `EXIT_SECONDS` are over, or a second one comes, it is ended
    at once. A thread sees to it, so that no call that waits, in whatever library, can hold the program up.
    """

    def __init__(self, say: Say) -> None:
        """Does nothing yet.

        Args:
            say: told what happens; called from a thread.
        """
        self.asked = threading.Event()
        """Set when the program is to end."""
        self._say = say
        self._has_begun = False

    def begin(self) -> None:
        """From here on there is something to be ended in order."""
        self._has_begun = True

    def __enter__(self) -> Self:
        self._reading, self._writing = socket.socketpair()
        self._writing.setblocking(False)
        self._old_fd = signal.set_wakeup_fd(self._writing.fileno())
        # The handler only keeps the signal from ending the program: Python writes its number to the socket.
        self._old = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
        self._thread = threading.Thread(target=self._wait, name="stop", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_fd)
        self._writing.send(bytes([_LEAVE]))
        self._thread.join()
        self._reading.close()
        self._writing.close()

    def _wait(self) -> None:
        number = self._next()
        if number == _LEAVE:
            return
        name = signal.Signals(number).name
        if not self._has_begun:
            self._end(number, f"{name}: ended while starting")
        self.asked.set()
        self._tell(f"{name}: ending; once more ends at once")
        self._reading.settimeout(EXIT_SECONDS)
        try:
            is_over = self._next() == _LEAVE
        except TimeoutError:
            is_over = False
        if not is_over:
            self._end(number, f"{name}: ended at once; the next start goes on with what is on the disk")

    def _next(self) -> int:
        return self._reading.recv(1)[0]

    def _tell(self, line: str) -> None:
        telling = threading.Thread(target=self._say, args=(line,), daemon=True)
        telling.start()
        telling.join(_SAY_SECONDS)

    def _end(self, number: int, line: str) -> NoReturn:
        for child in multiprocessing.active_children():
            child.kill()
        self._tell(line)
        os._exit(128 + number)
