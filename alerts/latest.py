"""What of a source is worth something only while it is new: its state, its picture, its last scores."""

from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from threading import Lock
from typing import Final

import redis
from redis.exceptions import NoPermissionError
from redis.typing import EncodableT, FieldT

from alerts import keys
from alerts.complaint import Client

Fields = Mapping[str, str | float]
_Entry = dict[FieldT, EncodableT]

_MOST_WAITING: Final = 10
"""Scores of a source that wait to be sent: more come only while Redis is slow."""


class Latest:
    """The latest of every source, on its way to Redis. Safe for several threads; what cannot be sent is forgotten."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._states: dict[str, _Entry] = {}
        self._scores: dict[str, deque[_Entry]] = {}
        self._pictures: dict[str, bytes] = {}
        self._snapshots: dict[str, str] = {}

    def note_state(self, source: str, state: Fields) -> None:
        """The source is so from now on."""
        with self._lock:
            self._states[source] = _entry(state)

    def note_window(self, source: str, scores: Fields, picture: bytes | None) -> None:
        """What was thought of its latest window, and how it looked there, if a picture was taken."""
        with self._lock:
            self._scores.setdefault(source, deque(maxlen=_MOST_WAITING)).append(_entry(scores))
            if picture is not None:
                self._pictures[source] = picture

    def note_snapshot(self, engine: str, snapshot: str) -> None:
        """This is what the engine has counted so far."""
        with self._lock:
            self._snapshots[engine] = snapshot

    def clear(self) -> None:
        """Forgets what was not sent: newer will come."""
        with self._lock:
            self._states, self._scores, self._pictures, self._snapshots = {}, {}, {}, {}

    def send(self, client: Client) -> None:
        """To Redis with it, and each to be gone there if nothing newer follows.

        Raises:
            redis.RedisError: Redis is away, or refuses.
        """
        with self._lock:
            states, self._states = self._states, {}
            scores, self._scores = self._scores, {}
            pictures, self._pictures = self._pictures, {}
            snapshots, self._snapshots = self._snapshots, {}
        if states or snapshots:
            hashes = {keys.STATE + source: state for source, state in states.items()}
            told = {keys.METRICS + engine: _entry({keys.SNAPSHOT: snapshot}) for engine, snapshot in snapshots.items()}
            _send_hashes(client, hashes | told)
        if scores or pictures:
            with suppress(NoPermissionError):  # a user that may tell states, and nothing to look at
                _send_windows(client, scores, pictures)


def _entry(fields: Fields) -> _Entry:
    return {name: str(value) for name, value in fields.items()}


def _send_hashes(client: Client, hashes: Mapping[str, _Entry]) -> None:
    pipeline = client.pipeline(transaction=isinstance(client, redis.Redis))
    for key, fields in hashes.items():
        pipeline.delete(key)
        pipeline.hset(key, mapping=fields)
        pipeline.expire(key, keys.STATE_SECONDS)
    pipeline.execute()


def _send_windows(client: Client, scores: Mapping[str, deque[_Entry]], pictures: Mapping[str, bytes]) -> None:
    pipeline = client.pipeline(transaction=False)
    for source, entries in scores.items():
        key = keys.SCORES + source
        for entry in entries:
            pipeline.xadd(key, entry, maxlen=keys.SCORES_LENGTH, approximate=True)
        pipeline.expire(key, keys.SCORES_SECONDS)
    for source, picture in pictures.items():
        pipeline.set(keys.PICTURE + source, picture, ex=keys.PICTURE_SECONDS)
    pipeline.execute()
