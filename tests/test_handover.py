"""Windows through a pipe."""

import multiprocessing
import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from pipeline.handover import receive, send_window
from pipeline.live import SourceState
from pipeline.pulse import Pulse
from pipeline.window import Window

NOW = datetime.now(UTC)


def window(*, has_frames: bool = True, has_samples: bool = True) -> Window:
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (16, 112, 112, 3), np.uint8) if has_frames else None
    samples = random.random(1_000, np.float32) if has_samples else None
    return Window("gate", 3, 7, 7.0, 9.0, NOW, frames, samples, "Hands up!", 12.5, b"a picture")


@pytest.mark.parametrize("has_frames", [True, False])
@pytest.mark.parametrize("has_samples", [True, False])
def test_a_window_arrives_as_it_was_sent_between_other_messages(has_frames: bool, has_samples: bool) -> None:
    ours, theirs = multiprocessing.Pipe()
    sent, state = window(has_frames=has_frames, has_samples=has_samples), SourceState("running", "", NOW)

    def send() -> None:
        with theirs:
            theirs.send(Pulse(20.0))
            send_window(theirs, sent, is_live=True)
            theirs.send(state)

    with ours:
        thread = threading.Thread(target=send)
        thread.start()
        pulse, message, last = receive(ours), receive(ours), receive(ours)
        thread.join()
    assert (pulse, last) == (Pulse(20.0), state)
    assert isinstance(message, tuple)
    arrived, is_live = message
    assert is_live
    for name in Window.__slots__:
        np.testing.assert_array_equal(getattr(arrived, name), getattr(sent, name))


def test_a_process_that_dies_in_the_middle_of_a_window_has_ended() -> None:
    ours, theirs = multiprocessing.Pipe()
    spare, announcing = multiprocessing.Pipe()
    with ours, spare, announcing:
        send_window(announcing, window(has_frames=False), is_live=False)
        with theirs:
            theirs.send(spare.recv())  # what announces the sound, and none of it
        with pytest.raises(EOFError):
            receive(ours)
