"""What Heed keeps, only its user can read."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import make_alert

from alerts.connect import connect
from alerts.errors import AlertsError
from alerts.private import make_private, open_private
from alerts.redis_stream import Publisher


@pytest.fixture(autouse=True)
def everything_open() -> Iterator[None]:
    """A umask that forbids nobody anything."""
    old = os.umask(0)
    yield
    os.umask(old)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("is_there", [True, False])
def test_state_can_be_read_by_its_user_alone(tmp_path: Path, is_there: bool) -> None:
    state = tmp_path / "state"
    if is_there:
        state.mkdir(mode=0o755)
    client = connect(None, state)
    with Publisher(client, state) as publisher:
        publisher(make_alert())
        found = {path.relative_to(state).as_posix(): mode(path) for path in state.rglob("*")}
    client.close()
    assert mode(state) == (0o755 if is_there else 0o700)
    assert {"outbox.sqlite", "outbox.sqlite-wal", "redis", "redis/redis.sock", "redis/users.lock"} <= found.keys()
    assert {name: oct(bits) for name, bits in found.items() if bits & 0o077} == {}


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    (tmp_path / "outbox.sqlite").touch(0o666)
    open_private(tmp_path / "outbox.sqlite").close()
    assert mode(tmp_path / "outbox.sqlite") == 0o600


def test_a_folder_that_everybody_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o777)
    with pytest.raises(PermissionError, match="everybody may write to it"):
        make_private(tmp_path / "state")
    with pytest.raises(AlertsError, match=r"state.*: everybody may write to it; choose a state folder of your own"):
        Publisher(connect(None, tmp_path / "other"), tmp_path / "state")
