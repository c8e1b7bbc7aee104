"""What is said on stderr: by Heed, by libraries, by child processes."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pipeline.log import LogFormat, StderrLog, escaped

NASTY = ["\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "a\rb", "a\nheed: all is well", "\u202eevil", "\x00", "\u2028"]
LOG = logging.getLogger("pipeline.test")


@pytest.fixture
def log() -> Iterator[StderrLog]:
    with StderrLog() as log:
        yield log


def said(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return capfd.readouterr().err.split("\n")[:-1]


def test_text_is_a_line_by_heed(log: StderrLog, capfd: pytest.CaptureFixture[str]) -> None:
    LOG.info("%d windows", 7, extra={"event": "summary", "source": "gate"})
    LOG.info("running", extra={"event": "source_state", "source": "gate"})
    LOG.warning("redis: gone")
    assert said(capfd) == ["heed: gate: 7 windows", "gate: running", "heed: redis: gone"]
    log.use(LogFormat.JSON)


def test_json_is_an_object_a_line(log: StderrLog, capfd: pytest.CaptureFixture[str]) -> None:
    log.use(LogFormat.JSON)
    state = {"event": "source_state", "source": "gate", "status": "stalled", "reason": "no packet"}
    LOG.warning("stalled: no packet", extra=state)
    logging.getLogger("alerts.link").error("gone")
    first, second = map(json.loads, said(capfd))
    assert first.pop("at").endswith("Z")
    assert first == {"level": "warning", "message": "stalled: no packet", **state}
    assert (second["level"], second["event"], second["source"]) == ("error", "alerts", None)


@pytest.mark.parametrize("form", LogFormat)
@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_said_steers_the_terminal_or_forges_a_line(
    log: StderrLog, capfd: pytest.CaptureFixture[str], form: LogFormat, nasty: str
) -> None:
    log.use(form)
    LOG.warning("%s", nasty, extra={"source": nasty, "reason": nasty})
    (line,) = said(capfd)
    assert line.isprintable()


@pytest.mark.parametrize("form", LogFormat)
def test_secrets_are_masked_wherever_they_stand(
    log: StderrLog, capfd: pytest.CaptureFixture[str], form: LogFormat
) -> None:
    log.use(form, ["hunter2"])
    LOG.error("hunter2 at rtsp://guard:other@cam/1", extra={"reason": "hunter2"})
    (line,) = said(capfd)
    assert "hunter2" not in line
    assert "rtsp://***@cam/1" in line
    assert "other" not in line


def test_repeats_are_told_with_their_count(log: StderrLog, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        LOG.warning("redis: gone")
    LOG.warning("redis: back")
    assert said(capfd) == ["heed: redis: gone", "heed: redis: gone (said 2 times more in 0 s)", "heed: redis: back"]
    log.use(LogFormat.JSON)
    LOG.warning("redis: back")
    log.use(LogFormat.JSON, seconds=0)
    LOG.warning("redis: gone")
    assert json.loads(said(capfd)[0])["repeats"] == 1


def test_the_end_tells_what_was_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with StderrLog():
        LOG.warning("gone")
        LOG.warning("gone")
    LOG.info("nobody listens any more")
    assert said(capfd) == ["heed: gone", "heed: gone (said once more in 0 s)"]


def test_what_others_write_on_stderr_passes_through_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    words = r"sys.stderr.write('[h264 @ 0x1] \x1b[31mcannot open rtsp://guard:hunter2@cam/1\n' * 1000 + 'half a line')"
    with StderrLog() as log, log.capturing():
        subprocess.run([sys.executable, "-c", f"import sys; {words}"], check=True)
        os.write(2, b"ours, too\n")
        LOG.info("still here")
    lines = said(capfd)
    assert lines[0] == "heed: [h264 @ 0x1] \N{REPLACEMENT CHARACTER}[31mcannot open rtsp://***@cam/1"
    assert "heed: half a lineours, too" in lines
    assert "heed: still here" in lines
    assert len(lines) == 4


def test_a_long_line_is_cut(log: StderrLog, capfd: pytest.CaptureFixture[str]) -> None:
    log.use(LogFormat.TEXT)
    LOG.info("x" * 100_000)
    (line,) = said(capfd)
    assert line.endswith("x…")
    assert len(line) < 3000


def test_escaped_json_says_the_same() -> None:
    for nasty in NASTY:
        line = escaped(json.dumps({"text": nasty}, ensure_ascii=False))
        assert line.isprintable()
        assert json.loads(line) == {"text": nasty}
