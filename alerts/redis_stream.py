"""The publisher: alerts to the outbox at once, and from there to Redis for as long as it takes."""

import logging
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Self

import redis
from redis.exceptions import NoPermissionError

from alerts import keys
from alerts.alert import Alert
from alerts.complaint import FAILURES, Client, Failure, complaint
from alerts.connect import has_moved, may_fail_over, node, refresh
from alerts.errors import OutboxError
from alerts.latest import Fields, Latest
from alerts.outbox import Outbox
from alerts.run_lock import RunLock

_log = logging.getLogger(__name__)


class Publisher:
    """A sink of alerts that never waits for Redis.

    An alert is on the disk before the call returns, and is removed only after Redis has said yes; what waits from an
    earlier run goes first, and then the end of every event that was open when that run ended. A crash in between sends
    an alert again, with the same id and sequence.
    """

    def __init__(
        self, client: Client, state: Path, on_sent: Callable[[float], None] = lambda _waited_seconds: None
    ) -> None:
        """Starts to send what waits in `state`.

        Args:
            client: Where to; need not be reachable yet. The caller closes it, after the publisher.
            state: The state folder; the outbox lives in it.
            on_sent: Told how long an alert waited on the disk, in seconds, when Redis has it.

        Raises:
            OutboxError: the outbox cannot be opened.
        """
        self._client, self._on_sent = client, on_sent
        self._run_lock = RunLock(state)
        self._outbox = self._opened(state / "outbox.sqlite")
        self._latest = Latest()
        self._has_replica = True
        self._failures = 0
        self._num_told = 0
        self._awake = Event()
        self._closing = Event()
        self._thread = Thread(target=self._send, name="publisher", daemon=True)
        self._thread.start()

    def __call__(self, alert: Alert) -> None:
        """Takes charge of the alert.

        Raises:
            OutboxError: it cannot be written to the disk. It waits in memory then: for Redis, or for room on the disk.
        """
        try:
            self._outbox.put(alert)
        finally:
            self._awake.set()

    @property
    def num_discarded(self) -> int:
        """Alerts of this run that were given up because too many waited for Redis, or for too long."""
        return self._outbox.num_discarded

    def announce(self, source: str, state: Fields) -> None:
        """Makes this the present state of the source; forgotten when Redis is away, for the next one is better."""
        self._latest.note_state(source, state)
        self._awake.set()

    def show(self, source: str, scores: Fields, picture: bytes | None) -> None:
        """Adds what was thought of the source's latest window, and its picture; forgotten when Redis is away."""
        self._latest.note_window(source, scores, picture)
        self._awake.set()

    def report(self, engine: str, snapshot: str) -> None:
        """Makes this what the engine counts; forgotten when Redis is away."""
        self._latest.note_snapshot(engine, snapshot)
        self._awake.set()

    @property
    def num_waiting(self) -> int:
        """Alerts that Redis has not said yes to.

        Raises:
            OutboxError: the outbox cannot be read.
        """
        return len(self._outbox)

    @property
    def run(self) -> int:
        """The lowest number that no other living run on the state folder has."""
        return self._run_lock.number

    def close(self, timeout: float = keys.CLOSE_SECONDS) -> None:
        """Sends what waits, in one last attempt. What does not get through stays for the next start.

        Args:
            timeout: Most seconds to take.
        """
        self._closing.set()
        self._awake.set()
        self._thread.join(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _opened(self, path: Path) -> Outbox:
        """The outbox, in which what earlier runs left open is ended."""
        with ExitStack() as opened:
            opened.callback(self._run_lock.close)
            outbox = Outbox(path, self._run_lock.number)
            opened.callback(outbox.close)
            if num_ended := outbox.end_open(self._run_lock.is_over):
                _log.warning("outbox: %s: %d event(s) left open by an earlier run; ended", path, num_ended)
            opened.pop_all()
        return outbox

    def _send(self) -> None:
        pause = keys.FIRST_PAUSE_SECONDS
        is_last = False
        while not is_last:
            is_last = self._closing.is_set()  # asked before sending: what was put before close() is still sent
            self._awake.clear()
            try:
                self._send_alerts()
                self._latest.send(self._client)
            except (*FAILURES, OSError, ValueError) as error:  # ValueError: the client was closed meanwhile
                self._failed(error)
                self._closing.wait(pause)
                pause = min(2 * pause, keys.LONGEST_PAUSE_SECONDS)
            else:
                self._succeeded()
                pause = keys.FIRST_PAUSE_SECONDS
                if not is_last:
                    self._awake.wait()
        if num_lost := self._outbox.num_unwritten:
            _log.error("outbox: %d alert(s) lost: neither the disk nor Redis took them", num_lost)
        self._outbox.close()
        self._run_lock.close()

    def _send_alerts(self) -> None:
        with suppress(OutboxError):  # told when they were put
            self._outbox.write()
        while waiting := self._outbox.pending():
            server = node(self._client, keys.STREAM)
            pipeline = server.pipeline(transaction=True)  # a channel is no key: it is on every node
            for _, alert in waiting:
                pipeline.xadd(keys.STREAM, {keys.FIELD: alert}, maxlen=keys.STREAM_LENGTH, approximate=True)
                pipeline.publish(keys.CHANNEL, alert)
            pipeline.execute()
            if may_fail_over(self._client):
                self._await_replica(server)
            for seconds in self._outbox.remove(waiting):
                self._on_sent(seconds)

    def _await_replica(self, server: redis.Redis) -> None:
        """Fails if another server has taken over: it may not have what this one said yes to.

        If no replica comes, that is not waited for again until there is one.
        """
        seconds = min(keys.REPLICA_SECONDS, self._client.get_connection_kwargs()["socket_timeout"] / 2)
        milliseconds = round(seconds * 1000) if self._has_replica and not self._closing.is_set() else 1
        with suppress(NoPermissionError):
            self._has_replica = server.wait(1, milliseconds) > 0
            if not self._has_replica and has_moved(self._client, server, keys.STREAM):
                raise redis.ConnectionError("another server has taken over")

    def _failed(self, error: Failure | OSError | ValueError) -> None:
        self._failures += 1
        self._latest.clear()
        if self._failures == keys.QUIET_FAILURES + 1:
            said = complaint(self._client, error) if isinstance(error, FAILURES) else str(error)
            _log.warning("%s; alerts wait on the disk, trying again", said)
        refresh(self._client)
        with suppress(OutboxError):  # a broken disk is told when an alert is put
            had_discarded = self.num_discarded > self._num_told
            if self._outbox.trim() and not had_discarded:
                _log.error("outbox: too many alerts wait, or for too long; discarding the oldest, updates first")

    def _succeeded(self) -> None:
        if self._failures > keys.QUIET_FAILURES:
            _log.warning("redis: back after %d failed attempts; nothing waits", self._failures)
        if num_discarded := self.num_discarded - self._num_told:
            _log.error("outbox: %d alert(s) discarded while Redis was away", num_discarded)
        self._num_told = self.num_discarded
        self._failures = 0
