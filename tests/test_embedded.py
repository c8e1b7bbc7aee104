"""The embedded Redis lives exactly as long as somebody uses it, and keeps what it was told."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import redis
from conftest import wait_until

from alerts import keeper, keys
from alerts.connect import connect
from alerts.errors import BrokerError

USING = """
import sys
from pathlib import Path
from alerts.connect import connect
client = connect(None, Path(sys.argv[1]))
print(client.incr("users"), flush=True)
sys.stdin.read()
client.close()
"""


@contextmanager
def another_program(state: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that uses the embedded Redis until its input ends or it is killed."""
    command = [sys.executable, "-c", USING, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        yield process


def servers(state: Path) -> list[psutil.Process]:
    """The Redis servers and keepers that run in the state folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(state / "redis"):
                found.append(process)
        except psutil.Error:
            continue
    return found


def server(state: Path) -> psutil.Process:
    (found,) = [process for process in servers(state) if "redis-server" in process.name()]
    return found


def test_what_it_was_told_is_there_after_a_restart(tmp_path: Path) -> None:
    with connect(None, tmp_path) as client:
        client.xadd(keys.STREAM, {"alert": "{}"})
    wait_until(lambda: not servers(tmp_path))
    with connect(None, tmp_path) as client:
        assert client.xlen(keys.STREAM) == 1


def test_it_has_no_port_and_its_socket_is_the_users_own(tmp_path: Path) -> None:
    with connect(None, tmp_path) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("append*sync") == {"appendfsync": "everysec"}
        assert (tmp_path / "redis" / keeper.SOCKET).stat().st_mode & 0o077 == 0
        assert (tmp_path / "redis").stat().st_mode & 0o077 == 0


def test_a_second_program_finds_the_running_one(tmp_path: Path) -> None:
    with connect(None, tmp_path) as client, another_program(tmp_path):
        assert client.get("users") == b"1"
        assert len(servers(tmp_path)) == 2  # one server, one keeper


def test_it_outlives_the_program_that_started_it_while_another_uses_it(tmp_path: Path) -> None:
    with another_program(tmp_path) as starter, connect(None, tmp_path) as client:
        pid = server(tmp_path).pid
        starter.communicate()
        assert client.incr("users") == 2
        with connect(None, tmp_path) as late:
            assert late.incr("users") == 3
        assert client.incr("users") == 4
        assert server(tmp_path).pid == pid


def test_it_outlives_a_killed_starter_while_another_uses_it(tmp_path: Path) -> None:
    with another_program(tmp_path) as starter, connect(None, tmp_path) as client:
        starter.kill()
        starter.wait()
        assert client.incr("users") == 2


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_its_last_user_however_that_ends(ending: signal.Signals, tmp_path: Path) -> None:
    with another_program(tmp_path) as last:
        assert len(servers(tmp_path)) == 2
        last.send_signal(ending)
    wait_until(lambda: not servers(tmp_path))


def test_ctrl_c_in_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    with connect(None, tmp_path):
        assert all(os.getsid(process.pid) != os.getsid(0) for process in servers(tmp_path))


def knows(client: redis.Redis, key: str, value: bytes) -> bool:
    """Whether the server answers, and with this: the first command after it was killed may find its socket reset."""
    try:
        return bool(client.get(key) == value)
    except redis.ConnectionError:
        return False


def test_a_killed_server_is_started_again_with_all_it_knew(tmp_path: Path) -> None:
    with connect(None, tmp_path) as client:
        client.set("a", "b")
        old = server(tmp_path)
        old.kill()
        wait_until(lambda: knows(client, "a", b"b"))
        assert server(tmp_path).pid != old.pid
    wait_until(lambda: not servers(tmp_path))


def test_who_still_uses_it_starts_it_again_when_server_and_keeper_were_killed(tmp_path: Path) -> None:
    with connect(None, tmp_path) as client:
        client.set("a", "b")
        for process in sorted(servers(tmp_path), key=lambda process: "redis" in process.name()):
            process.kill()  # the keeper first
        wait_until(lambda: not servers(tmp_path))
        wait_until(lambda: knows(client, "a", b"b"))
        assert len(servers(tmp_path)) == 2
    wait_until(lambda: not servers(tmp_path))


def test_what_a_kill_of_everything_leaves_behind_is_no_hindrance(tmp_path: Path) -> None:
    with another_program(tmp_path) as user:
        user.kill()
        for process in sorted(servers(tmp_path), key=lambda process: "redis" in process.name()):
            process.kill()  # the keeper first
    assert (tmp_path / "redis" / keeper.SOCKET).exists()
    with connect(None, tmp_path) as client:
        assert client.get("users") == b"1"
    wait_until(lambda: not servers(tmp_path))


def test_a_server_that_lost_its_keeper_gets_a_new_one(tmp_path: Path) -> None:
    with another_program(tmp_path) as user:
        pid = server(tmp_path).pid
        for process in servers(tmp_path):
            if process.pid != pid:
                process.kill()
        with connect(None, tmp_path) as client:
            assert server(tmp_path).pid == pid
            user.communicate()
            assert client.incr("users") == 2
    wait_until(lambda: not servers(tmp_path))


def test_no_second_server_is_started_beside_one_that_does_not_answer(tmp_path: Path) -> None:
    with another_program(tmp_path):
        hung = server(tmp_path)
        for process in servers(tmp_path):
            if process.pid != hung.pid:
                process.kill()
        hung.suspend()
        with ThreadPoolExecutor(1) as thread:
            waiting = thread.submit(connect, None, tmp_path)
            wait_until(lambda: len(servers(tmp_path)) == 2)  # a new keeper waits
            hung.resume()
            with waiting.result() as client:
                assert client.get("users") == b"1"
                assert server(tmp_path).pid == hung.pid


def test_many_who_come_and_go_at_once_share_one_server(tmp_path: Path) -> None:
    def use(_: int) -> int:
        with connect(None, tmp_path) as client:
            return int(client.incr("users"))

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(use, range(24))) == list(range(1, 25))
    wait_until(lambda: not servers(tmp_path))


def test_who_comes_just_as_it_stops_gets_a_server(tmp_path: Path) -> None:
    for number in range(1, 6):
        with connect(None, tmp_path) as client:
            assert client.incr("users") == number
        wait_until(lambda: not (tmp_path / "redis" / keeper.SOCKET).exists())  # it is just going


def test_a_broken_file_is_an_error_in_the_words_of_redis(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis" / "appendonly.aof").write_text("no commands at all\n" * 10)
    with pytest.raises(
        BrokerError, match=r"/redis: does not start: .*append only file.*; see redis.log there$"
    ) as caught:
        connect(None, tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert servers(tmp_path) == []


def test_a_file_cut_by_a_crash_loses_only_its_end(tmp_path: Path) -> None:
    with connect(None, tmp_path) as client:
        client.set("a", "b")
        client.set("c", "d")
    wait_until(lambda: not servers(tmp_path))
    file = tmp_path / "redis" / "appendonly.aof"
    file.write_bytes(file.read_bytes()[:-3])
    with connect(None, tmp_path) as client:
        assert (client.get("a"), client.get("c")) == (b"b", None)


def test_a_folder_too_deep_for_a_socket_is_refused_with_the_limit(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"path longer than 92 bytes; choose a shorter state folder$"):
        connect(None, tmp_path / ("d" * 100))
    assert list(tmp_path.iterdir()) == []


def test_the_deepest_folder_that_is_not_refused_works(tmp_path: Path) -> None:
    state = tmp_path / ("d" * (92 - len(str(tmp_path)) - len("//redis")))
    assert len(str(state / "redis")) == 92
    with connect(None, state) as client:
        assert client.ping()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(BrokerError, match=r"state/redis: Not a directory; choose a state folder of your own$"):
        connect(None, tmp_path / "state")


def test_a_state_folder_may_be_relative_and_have_spaces(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    code = "from alerts.connect import connect; from pathlib import Path; print(connect(None, Path('c d')).ping())"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "a b", capture_output=True, text=True, check=True
    )
    assert told.stdout == "True\n"
    assert (tmp_path / "a b" / "c d" / "redis" / "appendonly.aof").exists()
    wait_until(lambda: not servers(tmp_path / "a b" / "c d"))
