"""Two cameras are attacked again and again, each on its own; two beside them are not, and must not notice."""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conftest import EXECUTABLE, RedisServer
from media_files import write_media
from rtsp_server import RtspServer

from .alarm_bundle import SPEC, write_alarm_bundle
from .attacks import FAULTS, Attacked
from .flow import Flow, num_windows
from .installation import ENGINE
from .line import Watch, slowdown, wait_for, write_config
from .originals import write_other
from .scripted import write_script

ABOUT: Final = "cameras killed, frozen, half-open, locked, switched to other files: soon back, others untouched"

NUM_FAULTS: Final = 100
BACK_SECONDS: Final = 5.0
"""From a camera's return until its windows flow again."""
_ATTACKED: Final = ("attacked-1", "attacked-2")
_LIVE: Final = {
    "open_timeout_seconds": 2,
    "read_timeout_seconds": 2,
    "unauthorised_pause_seconds": 1,
    "longest_pause_seconds": 2,
    "healthy_seconds": 1,
}
"""Shorter than by default: a frozen camera is noticed in 2 s, and pauses stay at their first steps, 1 s and 2 s."""
_PATIENCE_SECONDS: Final = 120.0
_USER, _PASSWORD = "warden", "pass-word"


@dataclass(frozen=True, slots=True)
class Return:
    """A camera's return after a fault."""

    fault: str
    """Its name."""
    seconds: float
    """Until its windows flowed again."""
    slowdown: float
    """Of this machine just then: how many times longer work took than on one that has nothing else to do."""

    @property
    def is_late(self) -> bool:
        """Whether it took longer than it may, and the machine is not to blame."""
        return self.seconds > BACK_SECONDS * self.slowdown


def run(rng: random.Random, folder: Path, scale: float) -> dict[str, float]:
    """Attacks, and measures every return."""
    count = max(2, round(NUM_FAULTS * scale))
    bundle, quiet = write_alarm_bundle(folder / "bundle"), write_script(folder / "quiet.mp4", (), 10.0)
    files = _files(folder)
    servers = [RtspServer(files[0], _USER, _PASSWORD) for _ in _ATTACKED]
    with (
        RedisServer(EXECUTABLE, folder) as redis,
        RtspServer(quiet) as bystander,
        servers[0],
        servers[1],
        Flow(redis.url) as flow,
    ):
        urls = {name: server.url for name, server in zip(_ATTACKED, servers, strict=True)}
        others = {"bystander-1": bystander.url, "bystander-2": bystander.url}
        config = write_config(folder / "heed.toml", urls | others, live=_LIVE, engine=ENGINE)
        cameras = [Attacked(server, files, random.Random(rng.random())) for server in servers]  # noqa: S311
        with Watch(config, bundle, folder / "state", redis.url) as watch:
            watch.wait_up([*urls, *others])
            wait_for(lambda: all(map(flow.windows, [*urls, *others])), _PATIENCE_SECONDS, "the first windows")
            drawn = _drawn(rng, count)
            with ThreadPoolExecutor(len(cameras)) as pool:
                halves = pool.map(_attack, cameras, _ATTACKED, (drawn[::2], drawn[1::2]), (flow, flow), (watch, watch))
                returns = [each for half in halves for each in half]
            watch.stop()
        gaps = sum(_num_missing(flow, watch, name) for name in others)
        disturbed = sum(len(watch.statuses(name)) > 2 or _has_jumped(flow, name) for name in others)
    return _figures(returns, gaps, disturbed)


def _files(folder: Path) -> tuple[Path, ...]:
    """The ordinary one, then: larger, of other codecs, without sound."""
    return (
        write_script(folder / "small.mp4", (), 10.0),
        write_media(folder / "large.mp4", 10.0, size=(320, 240), frame_rate=15),
        write_other(folder / "other.mov", "mpeg4", "pcm_mulaw", 10.0),
        write_media(folder / "silent.mp4", 10.0, has_audio=False),
    )


def _drawn(rng: random.Random, count: int) -> list[str]:
    """So many faults, all about as often, in any order."""
    names = list(FAULTS)
    drawn = [names[number % len(names)] for number in range(count)]
    rng.shuffle(drawn)
    return drawn


def _attack(camera: Attacked, name: str, faults: Sequence[str], flow: Flow, watch: Watch) -> list[Return]:
    """One fault after the other, each when the windows have flowed a little."""
    returns = []
    for fault in faults:
        flow.wait_for_more(name, 3, _PATIENCE_SECONDS)
        began = time.monotonic()
        over = camera.suffer(fault)
        back = _back(flow, watch, name, began, over, stays=fault == "frozen")
        returns.append(Return(fault, back - over, slowdown()))
    return returns


def _back(flow: Flow, watch: Watch, name: str, began: float, over: float, *, stays: bool) -> float:
    """When windows flowed again, `time.monotonic()`: the first of a connection made after the camera's return.

    Args:
        flow: what is announced.
        watch: says when the camera runs again.
        name: of the camera.
        began: when the fault did.
        over: when the camera returned.
        stays: whether the connection may have outlasted the fault; then it is the first window after it.
    """

    def found() -> list[float]:
        statuses = [status for status in watch.statuses(name) if status.at > began]
        runs = [status.at for status in statuses if status.status == "running" and status.at > over]
        since = [over] if stays and not statuses else runs[:1]
        return [window.heard for window in flow.windows(name) for moment in since if window.heard > moment]

    wait_for(found, _PATIENCE_SECONDS, f"windows of {name} after a fault")
    return found()[0]


def _num_missing(flow: Flow, watch: Watch, name: str) -> int:
    """Windows of a camera between its first and its last that the engine has not counted."""
    windows = flow.windows(name)
    stretch = (windows[-1].at - windows[0].at).total_seconds()
    return max(0, round(stretch / SPEC.stride_seconds) + 1 - num_windows(watch, name))


def _has_jumped(flow: Flow, name: str) -> bool:
    """Whether its clock began anew: its windows end a whole number of strides after each other."""
    first, *others = flow.windows(name)
    strides = [(window.at - first.at).total_seconds() / SPEC.stride_seconds for window in others]
    return any(abs(stride - round(stride)) > 0.01 for stride in strides)


def _figures(returns: Sequence[Return], num_missing: int, num_disturbed: int) -> dict[str, float]:
    seconds = sorted(each.seconds for each in returns)
    return {
        "tried": len(returns),
        "lost": num_missing,
        "duplicated": 0,
        "failed": sum(each.is_late for each in returns) + num_disturbed,
        "over_5_seconds": sum(each.seconds > BACK_SECONDS for each in returns),
        "back_seconds_p50": round(seconds[len(seconds) // 2], 2),
        "back_seconds_p95": round(seconds[int(0.95 * (len(seconds) - 1))], 2),
        "back_seconds_worst": round(seconds[-1], 2),
        "slowdown_worst": round(max(each.slowdown for each in returns), 1),
    } | {
        f"back_seconds_worst_{fault}": round(max(each.seconds for each in returns if each.fault == fault), 2)
        for fault in sorted({each.fault for each in returns})
    }
