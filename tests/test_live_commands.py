"""Watching and subscribing as processes that meet in Redis, and are ended by Ctrl-C."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
from conftest import written
from rtsp_server import RtspServer

from alerts.alert import SCHEMA_PATH

HEED = str(Path(sys.executable).with_name("heed"))
PASSWORD = "hunter2-secret"  # noqa: S105 - the one that must never be seen
END_SECONDS = 4
"""Ctrl-C takes 2 at most on a machine that has nothing else to do."""


@contextmanager
def process(*words: object) -> Iterator[subprocess.Popen[str]]:
    """A command in a process and a group of its own, as a terminal has it."""
    command = [HEED, *map(str, words)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def interrupt(running: subprocess.Popen[str]) -> tuple[float, str, str]:
    """Ctrl-C: seconds until the end, and what was still to read."""
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    return time.monotonic() - began, out, err


def test_alerts_of_a_camera_reach_a_subscriber_in_another_process(
    clip: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    state = ("--state", tmp_path / "state")
    with (
        RtspServer(clip, "user", PASSWORD) as server,
        process("subscribe", "--json", "--from-start", *state) as subscriber,
    ):
        toml = f'[[source]]\nname = "gate"\nurl = "{server.url}"\nthreshold = 0.0001\n'
        config = written(tmp_path / "heed.toml", toml)
        with process("watch", "--config", config, "--bundle", tiny_bundle, *state) as watching:
            assert subscriber.stdout is not None
            begin = json.loads(subscriber.stdout.readline())
            seconds, out, err = interrupt(watching)
            end = json.loads(subscriber.stdout.readline())
            assert (watching.returncode, subscriber.poll()) == (0, None)
            assert seconds < END_SECONDS
        seconds_too, rest, subscriber_err = interrupt(subscriber)
        assert (subscriber.returncode, subscriber_err) == (0, "heed: SIGINT: ending; once more ends at once\n")
        assert seconds_too < END_SECONDS
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA_PATH.read_text()))
    for alert in (begin, end, *map(json.loads, rest.splitlines())):
        validator.validate(alert)
        assert (alert["id"], alert["source"]) == (begin["id"], "gate")
    assert (begin["kind"], begin["sequence"]) == ("begin", 0)
    assert end["sequence"] == 1
    assert "gate: running" in err.splitlines()
    assert re.search(r"^\d\d:\d\d:\d\d  gate  BEGIN", out, re.MULTILINE)
    assert "Traceback" not in err
    assert PASSWORD not in out + err + json.dumps([begin, end]) + rest


def test_a_service_that_is_stopped_blames_no_camera(clip: Path, tmp_path: Path, tiny_bundle: Path) -> None:
    with RtspServer(clip) as server:
        config = written(tmp_path / "heed.toml", f'[[source]]\nname = "gate"\nurl = "{server.url}"\n')
        with process("watch", "--config", config, "--bundle", tiny_bundle, "--state", tmp_path / "state") as watching:
            assert watching.stderr is not None
            while watching.stderr.readline() != "gate: running\n":
                assert watching.poll() is None
            os.killpg(watching.pid, signal.SIGTERM)
            _, err = watching.communicate(timeout=30)
    assert err.splitlines()[0] == "heed: SIGTERM: ending; once more ends at once"
    assert "crashed" not in err


def test_cameras_that_refuse_are_told_without_a_password_and_tried_again(
    clip: Path, tmp_path: Path, tiny_bundle: Path, refused_port: int
) -> None:
    with RtspServer(clip, "user", "right") as server:
        wrong = f"rtsp://user:{PASSWORD}@{server.address}/stream"
        absent = f"rtsp://user:{PASSWORD}@127.0.0.1:{refused_port}/stream"
        unauthorised = (
            f"127.0.0.1: unauthorised: source: rtsp://***@{server.address}/stream: user or password refused; "
            r"check both; next try in \d+ s"
        )
        refused = (
            f"127.0.0.1-2: reconnecting: source: rtsp://***@127.0.0.1:{refused_port}/stream: connection refused; "
            r"check address and port.*; next try in [\d.]+ s"
        )
        state = tmp_path / "state"
        with process("watch", wrong, absent, "--bundle", tiny_bundle, "--state", state) as watching:
            told = read_until(watching, unauthorised.replace("***", r"\*\*\*"), refused.replace("***", r"\*\*\*"))
            _, out, err = interrupt(watching)
    assert watching.returncode == 0
    assert "heed: SIGINT: ending; once more ends at once" in err.splitlines()
    assert PASSWORD not in told + out + err


def read_until(running: subprocess.Popen[str], *patterns: str) -> str:
    """What a command says on stderr, until it has said a line of each pattern."""
    assert running.stderr is not None
    told, missing = "", set(patterns)
    while missing:
        line = running.stderr.readline()
        assert line, f"ended without {missing}: {told}"
        told += line
        missing -= {pattern for pattern in missing if re.fullmatch(pattern, line.rstrip("\n"))}
    return told
