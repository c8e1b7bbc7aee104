"""A camera, a Redis and a subscriber, and whatever watches them."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conftest import EXECUTABLE, RedisServer
from rtsp_server import RtspServer

from alerts import keys
from alerts.alert import Alert

from .alarm_bundle import write_alarm_bundle
from .line import Subscriber, Watch, wait_for, write_config
from .proxy import Proxy
from .scripted import Burst, write_script
from .steps import Steps

EVENT: Final = {"merge_seconds": 0.5, "cooldown_seconds": 0, "update_seconds": 0.5}
"""Events follow each other closely, and are updated with every window."""
ENGINE: Final = {"threads": 1, "queue_windows": 1000}
"""What the machine is too slow for is late and not dropped: that loss is another test's."""
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Material:
    """What every installation needs; written once."""

    bundle: Path
    """Folder of the model."""
    clip: Path
    """What cameras show."""
    quiet: Path
    """A file in which nothing happens."""

    @classmethod
    def write(cls, folder: Path, bursts: Sequence[Burst], seconds: float) -> "Material":
        """Writes it, with this script for the cameras."""
        return cls(
            write_alarm_bundle(folder / "bundle"),
            write_script(folder / "clip.mp4", bursts, seconds),
            write_script(folder / "quiet.mp4", (), 2.0),
        )


@dataclass(frozen=True, slots=True)
class Installation:
    """One state folder, and all that it takes to watch."""

    folder: Path
    """Of everything else that it keeps."""
    state: Path
    """The state folder."""
    material: Material
    """Model and files."""
    server: RedisServer
    """Its Redis."""
    proxy: Proxy
    """Before the Redis; in use if asked for."""
    redis_url: str
    """How the command reaches it."""
    camera: RtspServer
    """Shows the script over and over."""
    subscriber: Subscriber
    """Follows all alerts."""
    sources: tuple[str, ...]
    """Names under which the camera is watched."""

    def watch(self, env: Mapping[str, str] | None = None) -> Watch:
        """Starts `heed watch`."""
        return Watch(self.folder / "heed.toml", self.material.bundle, self.state, self.redis_url, env=env)

    def settle(self, also: Sequence[Subscriber] = ()) -> None:
        """Watches the quiet file to its end: what was left open is ended, and what waits is sent and read.

        A command that was told to end and could not in time leaves both to the next.

        Args:
            also: more subscribers that must have read it.
        """
        config = write_config(self.folder / "quiet.toml", {"quiet": str(self.material.quiet)})
        for _ in range(5):
            with Watch(config, self.material.bundle, self.state, self.redis_url) as watch:
                watch.process.wait(_PATIENCE_SECONDS)
            if not self.outbox():
                break
        kept = int(self.server.client.xlen(keys.STREAM))
        readers = (self.subscriber, *also)
        wait_for(
            lambda: all(len(each.alerts) >= kept for each in readers), _PATIENCE_SECONDS, "the subscribers' last alert"
        )

    def wait_for_flow(self, also: Sequence[Subscriber] = ()) -> None:
        """Waits until the subscriber, and others, have got something new."""
        before = [(each, len(each.alerts)) for each in (self.subscriber, *also)]
        wait_for(
            lambda: all(len(each.alerts) > count for each, count in before),
            _PATIENCE_SECONDS,
            f"new alerts; {' '.join(each.error for each, _ in before)}",
        )

    def steps(self) -> Steps:
        """What the subscriber has got."""
        return Steps.of(self.subscriber.alerts)

    def outbox(self) -> set[tuple[str, int]]:
        """Ids and sequences of the alerts that wait on the disk."""
        path = self.state / "outbox.sqlite"
        if not path.exists():
            return set()
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            try:
                rows = connection.execute("SELECT alert FROM outbox").fetchall()
            except sqlite3.OperationalError:  # killed before there was a table
                return set()
        return {(alert.id, alert.sequence) for alert in (Alert.from_json(row) for (row,) in rows)}

    def is_whole(self) -> bool:
        """Whether SQLite finds nothing wrong with the outbox."""
        path = self.state / "outbox.sqlite"
        if not path.exists():
            return True
        with closing(sqlite3.connect(path, timeout=10)) as connection:
            return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))


@contextmanager
def installation(
    folder: Path,
    material: Material,
    sources: Sequence[str] = ("gate",),
    *,
    state: Path | None = None,
    extra: Mapping[str, str] | None = None,
    proxied: bool = False,
) -> Iterator[Installation]:
    """Starts a Redis, a camera and a subscriber.

    Args:
        folder: is made.
        material: model and files.
        sources: names under which the camera is watched.
        state: the state folder; none means one in `folder`.
        extra: URLs of more sources, by their names.
        proxied: whether the command and the subscriber reach the Redis through a proxy that can be told to cut.
    """
    folder.mkdir()
    with (
        RedisServer(EXECUTABLE, folder) as server,
        Proxy(folder / "private.sock") as proxy,
        RtspServer(material.clip) as camera,
        Subscriber(url := proxy.url if proxied else server.url) as subscriber,
    ):
        urls = dict.fromkeys(sources, camera.url) | dict(extra or {})
        write_config(folder / "heed.toml", urls, live={"first_pause_seconds": 0.1}, engine=ENGINE, event=EVENT)
        yield Installation(
            folder, state or folder / "state", material, server, proxy, url, camera, subscriber, tuple(sources)
        )
