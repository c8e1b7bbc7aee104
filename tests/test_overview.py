"""What `heed watch` shows on a terminal: a line for each source, and what happens above them."""

import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import make_alert, wait_until
from media_files import write_media
from rich.console import Console

from models.spec import Spec
from pipeline.live import SourceState
from pipeline.overview import Overview

HEED = str(Path(sys.executable).with_name("heed"))
STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""What moves the cursor, or gives a colour."""
NASTY = ["\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "a\rb", "a\nb", "\u202eevil", "\x00", "[red]"]


class Terminal:
    """A terminal of 110 columns, and everything that was written on it."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 110, 0, 0))
        self._data = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @property
    def text(self) -> str:
        """What was written, without what only moves or colours."""
        return STEERING.sub("", self._data.decode(errors="replace"))

    @property
    def lines(self) -> list[str]:
        """The same, line by line, with what was written anew."""
        return re.split(r"[\r\n]+", self.text)

    def close(self) -> None:
        """Nobody writes on it any more."""
        os.close(self.theirs)
        self._thread.join(5)
        os.close(self._ours)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # all have gone who wrote on it
                return
            self._data += data


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


@contextmanager
def watching(
    tmp_path: Path, bundle: Path, stdout: int, stderr: int, *options: str, term: str = "xterm-256color"
) -> Iterator[subprocess.Popen[bytes]]:
    clip = write_media(tmp_path / "gate.mp4", 20.0)
    config = tmp_path / "heed.toml"
    config.write_text(f'[[source]]\nname = "gate"\nurl = "{clip}"\npace = "live"\nthreshold = 0.0001\n')
    words = ["watch", "--config", str(config), "--bundle", str(bundle), "--state", str(tmp_path / "state"), *options]
    environment = {**os.environ, "TERM": term}
    with subprocess.Popen([HEED, *words], stdout=stdout, stderr=stderr, env=environment) as running:
        try:
            yield running
        finally:
            running.kill()


def test_a_terminal_shows_a_line_for_each_source_and_alerts_above(
    terminal: Terminal, tmp_path: Path, tiny_bundle: Path
) -> None:
    with watching(tmp_path, tiny_bundle, terminal.theirs, terminal.theirs) as running:
        wait_until(
            lambda: re.search(r"gate +running +\d+\.\d +\d+\.\d s .* \d\d:\d\d:\d\d \w+ \d\.\d\d", terminal.text), 60
        )
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
    wait_until(lambda: any("windows" in line for line in terminal.lines))
    assert any(re.match(r"source +state +fps +lag +seen +heard +read +last event", line) for line in terminal.lines)
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d  gate  BEGIN  .*", line) for line in terminal.lines)
    assert "gate: running" in terminal.lines
    assert re.fullmatch(r"heed: gate: \d+ windows, .*", [line for line in terminal.lines if line][-1])


def test_alerts_go_to_stdout_when_that_is_no_terminal(terminal: Terminal, tmp_path: Path, tiny_bundle: Path) -> None:
    with watching(tmp_path, tiny_bundle, subprocess.PIPE, terminal.theirs) as running:
        assert running.stdout is not None
        assert re.fullmatch(rb"\d\d:\d\d:\d\d  gate  BEGIN  .*\n", running.stdout.readline())
        wait_until(lambda: re.search(r"gate +running", terminal.text))
    assert "BEGIN" not in terminal.text


@pytest.mark.parametrize("how", ["json", "dumb"])
def test_who_cannot_or_will_not_read_lines_that_move_gets_the_log_alone(
    how: str, terminal: Terminal, tmp_path: Path, tiny_bundle: Path
) -> None:
    options, term = (["--log-format", "json"], "xterm") if how == "json" else ([], "dumb")
    with watching(tmp_path, tiny_bundle, terminal.theirs, terminal.theirs, *options, term=term):
        wait_until(lambda: "BEGIN" in terminal.text, 60)
    assert "last event" not in terminal.text


def shown(overview: Overview) -> str:
    """What stands on a terminal of 200 columns, with what steers it."""
    screen = io.StringIO()
    Console(file=screen, force_terminal=True, width=200, legacy_windows=False).print(overview.table())
    return screen.getvalue()


@pytest.mark.parametrize("nasty", NASTY)
def test_no_name_steers_the_terminal(nasty: str) -> None:
    overview = Overview([nasty], Spec(), Console(file=io.StringIO()))
    overview.note_state(nasty, SourceState("failed", nasty, datetime.now(UTC)))
    overview.show(make_alert(source=nasty, label=nasty, text=nasty))
    lines = STEERING.sub("", shown(overview)).split("\n")
    assert [line.split() != [] for line in lines] == [True, True, False]
    assert all(line.isprintable() for line in lines)


def test_a_source_that_does_not_run_has_no_bars() -> None:
    overview = Overview(["gate"], Spec(), Console(file=io.StringIO()))
    overview.note_state("gate", SourceState("stalled", "no packet", datetime.now(UTC)))
    _, line, _ = STEERING.sub("", shown(overview)).split("\n")
    assert line.split() == ["gate", "stalled", "0.0", "–", "–", "–", "–"]


def test_a_long_name_leaves_room_for_the_rest() -> None:
    overview = Overview(["x" * 64], Spec(), Console(file=io.StringIO()))
    assert f"{'x' * 23}… " in STEERING.sub("", shown(overview))
