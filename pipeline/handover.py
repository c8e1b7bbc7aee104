"""Windows on their way from a source's process to the engine: pictures and sound go through the pipe as they lie."""

import os
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.live import SourceState
from pipeline.pulse import Pulse
from pipeline.window import Window

Number = TypeVar("Number", np.uint8, np.float32)


@dataclass(frozen=True, slots=True)
class _Announced:
    """Goes before a window's arrays."""

    rest: Window
    """The window without them."""
    is_live: bool
    frames_shape: tuple[int, ...] | None
    samples_shape: tuple[int, ...] | None


def send_window(pipe: Connection, window: Window, *, is_live: bool) -> None:
    """Sends a window. Its arrays are not pickled, which would copy each of them three times on either side.

    Raises:
        OSError: the engine has closed the pipe.
    """
    arrays = (window.frames, window.samples)
    shapes = [None if array is None else array.shape for array in arrays]
    pipe.send(_Announced(replace(window, frames=None, samples=None), is_live, *shapes))
    for array in arrays:
        if array is not None:
            _write(pipe, array)


def receive(pipe: Connection) -> tuple[Window, bool] | SourceState | Pulse:
    """What a source's process sends next: a state, a pulse, or a window and whether its source is live.

    Raises:
        EOFError: the process has ended, maybe in the middle of a window.
    """
    message: _Announced | SourceState | Pulse = pipe.recv()
    if not isinstance(message, _Announced):
        return message
    frames = None if message.frames_shape is None else _read(pipe, np.empty(message.frames_shape, np.uint8))
    samples = None if message.samples_shape is None else _read(pipe, np.empty(message.samples_shape, np.float32))
    return replace(message.rest, frames=frames, samples=samples), message.is_live


def _write(pipe: Connection, array: NDArray[Any]) -> None:
    rest = array.data.cast("B")
    while rest:
        rest = rest[os.write(pipe.fileno(), rest) :]


def _read(pipe: Connection, array: NDArray[Number]) -> NDArray[Number]:
    rest = array.data.cast("B")
    while rest:
        num_bytes = os.readv(pipe.fileno(), [rest])
        if num_bytes == 0:
            raise EOFError
        rest = rest[num_bytes:]
    return array
