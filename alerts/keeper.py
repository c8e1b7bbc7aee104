"""Keeps one Redis running in a folder for as long as anyone uses it: `python -I -S keeper.py FOLDER REDIS_SERVER`.

A process of its own, so that the server neither dies with the program that happened to start it, nor outlives the
last one that uses it, however they end: whoever uses it holds a shared lock on `users.lock`, which the kernel drops
even after `kill -9`. The keeper starts the server, starts it again should it die, and shuts it down once it can have
that lock for itself. Its own lock keeps keepers to one a folder. A keeper that finds a server running adopts it.

Only the standard library, started by path: it costs 10 MB and 30 ms.
"""

import fcntl
import os
import socket
import subprocess
import sys
import time
from typing import IO, Final

SOCKET: Final = "redis.sock"
"""Where the server listens. No port: nobody else on the network, no other user of the machine can connect."""
USERS_LOCK: Final = "users.lock"
KEEPER_LOCK: Final = "keeper.lock"
SERVER_LOCK: Final = "server.lock"
"""Held by the server itself: two of them on the same files would spoil them."""
LOG: Final = "redis.log"
POLL_SECONDS: Final = 0.5
STOP_SECONDS: Final = 10.0
"""For a shutdown, which writes everything to the disk first."""

OPTIONS: Final = (
    *("--port", "0", "--unixsocket", SOCKET, "--unixsocketperm", "700"),
    *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
    *("--dir", ".", "--logfile", LOG, "--loglevel", "warning"),
)


def take(lock: IO[bytes]) -> bool:
    """Takes the lock for this process alone; false if anyone has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def call() -> socket.socket | None:
    """A connection to the server in this folder; none if there is no server, or it is not ready yet."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(POLL_SECONDS)
    try:
        connection.connect(SOCKET)
        connection.sendall(b"PING\r\n")
        if connection.recv(64).startswith(b"+PONG"):
            return connection
    except OSError:
        pass
    connection.close()
    return None


def start(executable: str) -> socket.socket | None:
    """A connection to the server in this folder, started if there is none; none if it ends before it is ready."""
    quiet = subprocess.DEVNULL
    is_started = False
    while True:
        if connection := call():
            return connection
        with open(SERVER_LOCK, "ab") as lock:  # noqa: PTH123
            if take(lock):  # no server, not even one that hangs, loads or is just ending
                if is_started:
                    return None
                command = [executable, *OPTIONS]
                subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, pass_fds=[lock.fileno()])  # noqa: S603
                is_started = True
        time.sleep(0.01)


def is_alive(connection: socket.socket) -> bool:
    """Waits a moment; false as soon as the server at the other end is gone."""
    try:
        return connection.recv(64) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


def stop(connection: socket.socket) -> None:
    """Shuts the server down and waits until it is gone."""
    connection.settimeout(STOP_SECONDS)
    try:
        connection.sendall(b"SHUTDOWN\r\n")
        connection.recv(64)
    except OSError:
        return


def keep(executable: str, connection: socket.socket, users: IO[bytes]) -> None:
    """Starts the server again whenever it dies, until nobody uses it, then shuts it down."""
    while not take(users):
        if not is_alive(connection):
            connection.close()
            connection = start(executable) or connection
            time.sleep(POLL_SECONDS)  # or a server that cannot start would be started without a pause
    stop(connection)


def main(folder: str, executable: str) -> int:
    """Returns 0 once a server is ready, leaving a process behind if no other keeper did; 1 if it does not start."""
    os.chdir(folder)
    os.umask(0o077)  # the server writes what was heard and read
    # Leaving, the keeper's own lock is dropped first: who was waiting for `users` must find no keeper and start one.
    with open(USERS_LOCK, "ab") as users, open(KEEPER_LOCK, "ab") as keeper:  # noqa: PTH123 - pathlib costs 10 ms
        while not take(keeper):
            if call():  # another keeper's
                return 0
            time.sleep(0.01)
        connection = start(executable)
        if connection is None:
            return 1
        if os.fork():
            os._exit(0)
        keep(executable, connection, users)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
