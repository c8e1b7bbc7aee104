"""Processes of sources: forked from a server that has loaded the decoders, so that all share them in memory."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any, Final

_FORKS = multiprocessing.get_context("forkserver")  # a fork of the engine would take its threads and sessions along
_SPAWNS = multiprocessing.get_context("spawn")
_LOADED: Final = ["pipeline.camera"]
"""What the server imports before it forks."""
_LOST: Final = 255
"""Exit code of a process whose server has died, as multiprocessing has it: it may well be alive."""


def start_server() -> None:
    """Starts the server if it does not run; it loads while the caller goes on. `start_process` does so too.

    Raises:
        OSError: the machine is out of processes, memory or room for a socket.
    """
    _FORKS.set_forkserver_preload(_LOADED)
    with _deaf():
        forkserver.ensure_running()


def start_process(name: str, target: Callable[..., None], *args: Any) -> BaseProcess:
    """Starts a daemon process that is deaf to Ctrl-C and SIGTERM.

    Without a server, for want of room for its socket, say, it is started from nothing: later and larger, but it runs.

    Raises:
        OSError: the machine is out of processes, memory or descriptors.
    """
    try:
        start_server()
        process: BaseProcess = _FORKS.Process(target=target, args=args, name=name, daemon=True)
        process.start()
    except (OSError, EOFError):  # the latter when the server died at it
        process = _SPAWNS.Process(target=target, args=args, name=name, daemon=True)
        with _deaf():
            process.start()
    return process


def kill(process: BaseProcess) -> None:
    """Ends it at once, also when its server has died and cannot say whether it lives."""
    if process.pid is not None and process.exitcode in {None, _LOST}:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


@contextmanager
def _deaf() -> Iterator[None]:
    """What is started within never hears Ctrl-C and SIGTERM, which reach the whole group.

    It is the engine that says when to stop, and kills: a camera's process has nothing to put in order.
    """
    resource_tracker.ensure_running()  # else a start does, and lifts the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
