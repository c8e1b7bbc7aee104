"""Every way in which Redis cannot be used is one line, without the password."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from conftest import BUNDLED, RedisServer

from alerts.complaint import complaint
from alerts.connect import connect, from_url
from alerts.errors import AlertsError, BrokerError

PASSWORD = "hunter2"  # noqa: S105 - there is nothing behind it


@contextmanager
def listener(answer: bytes | None) -> Iterator[int]:
    """The port of a server that gives every caller the same answer and hangs up, or says nothing for ever."""
    calls: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                call, _ = server.accept()
            except OSError:
                return
            calls.append(call)
            if answer is not None:
                call.recv(4096)
                call.sendall(answer)
                call.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for call in calls:
                call.close()


def refusal(url: str, tmp_path: Path) -> str:
    with pytest.raises(BrokerError) as caught:
        connect(url, tmp_path)
    assert PASSWORD not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert isinstance(caught.value, AlertsError)
    return str(caught.value)


def test_a_redis_that_answers_is_used(redis_server: RedisServer, tmp_path: Path) -> None:
    with connect(redis_server.url, tmp_path / "state") as client:
        assert client.set("a", "b")
    assert redis_server.client.get("a") == b"b"
    assert not (tmp_path / "state").exists()


def test_a_refused_port_is_named_with_its_remedy(refused_port: int, tmp_path: Path) -> None:
    told = refusal(f"redis://u:{PASSWORD}@127.0.0.1:{refused_port}/2", tmp_path)
    assert told == f"redis: 127.0.0.1:{refused_port}/2: connection refused; start it or leave --redis out"


def test_a_missing_socket_file_is_named(tmp_path: Path) -> None:
    told = refusal(f"unix://u:{PASSWORD}@{tmp_path}/none.sock", tmp_path)
    assert told == f"redis: {tmp_path}/none.sock: no such file or directory; start it or leave --redis out"


def test_a_silent_server_is_given_up_after_the_timeout(tmp_path: Path) -> None:
    with listener(None) as port:
        told = refusal(f"redis://:{PASSWORD}@127.0.0.1:{port}/0?socket_timeout=0.2", tmp_path)
    assert told == f"redis: 127.0.0.1:{port}/0: no answer within 0.2 s; start it or leave --redis out"


@pytest.mark.parametrize("answer", [b"", b"+", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02"])
def test_what_is_no_redis_is_an_error_on_one_line(answer: bytes, tmp_path: Path) -> None:
    with listener(answer) as port:
        told = refusal(f"redis://:{PASSWORD}@127.0.0.1:{port}/0", tmp_path)
    assert told.startswith(f"redis: 127.0.0.1:{port}/0: ")
    assert len(told.splitlines()) == 1


def test_a_server_that_echoes_the_password_does_not_make_us_tell_it(tmp_path: Path) -> None:
    with listener(f"-ERR unknown command `AUTH`, with args beginning with: `{PASSWORD}`\r\n".encode()) as port:
        assert "***" in refusal(f"redis://:{PASSWORD}@127.0.0.1:{port}/0", tmp_path)


@pytest.mark.parametrize("login", ["", f":{PASSWORD}@", f"someone:{PASSWORD}@"])
def test_a_wrong_or_missing_password_is_told_apart(login: str, tmp_path: Path) -> None:
    with RedisServer(BUNDLED, tmp_path, "--requirepass", "right"):
        told = refusal(f"unix://{login}{tmp_path}/private.sock", tmp_path)
    assert told.endswith("private.sock: user or password refused; correct the URL")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        f"http://:{PASSWORD}@localhost",
        f"redis://:{PASSWORD}@localhost:port/0",
        f"redis://:{PASSWORD}@localhost:99999/0",
        f"redis://:{PASSWORD}@localhost/0?colour=red",
        f"redis://:{PASSWORD}@localhost/0?socket_timeout={PASSWORD}",
        f"redis://:{PASSWORD}@localhost/0?decode_responses=1",
    ],
)
def test_a_wrong_url_is_refused_without_repeating_it(url: str, tmp_path: Path) -> None:
    told = refusal(url, tmp_path)
    assert told == "redis: not a Redis URL; write redis://host:6379/0, rediss://… or unix:///path"


def test_no_command_is_tried_again_behind_our_back() -> None:
    with listener(None) as port, from_url(f"redis://127.0.0.1:{port}?socket_timeout=0.3") as client:
        with pytest.raises(redis.TimeoutError) as caught:
            client.pipeline().set("a", "b").execute()
        assert complaint(client, caught.value) == f"redis: 127.0.0.1:{port}/0: no answer within 0.3 s"


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"HEED_STATE": "/somewhere", "XDG_STATE_HOME": "/xdg", "HOME": "/home/me"}, "/somewhere"),
        ({"XDG_STATE_HOME": "/xdg", "HOME": "/home/me"}, "/xdg/heed"),
        ({"XDG_STATE_HOME": "", "HEED_STATE": "", "HOME": "/home/me"}, "/home/me/.local/state/heed"),
    ],
)
def test_the_state_folder_is_ours_then_xdgs_then_the_homes(variables: dict[str, str], folder: str) -> None:
    code = "from alerts.connect import default_state; print(default_state())"
    kept = {name: value for name, value in os.environ.items() if name not in {"HEED_STATE", "XDG_STATE_HOME"}}
    told = subprocess.run(
        [sys.executable, "-c", code], env=kept | variables, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == folder
