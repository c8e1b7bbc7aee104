"""SIGTERM and Ctrl-C at any moment, from the start of a command on."""

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from alerts.alert import Alert

from .installation import Installation, Material, installation
from .line import HEED, Watch, complain, slowdown

EXIT_SECONDS: Final = 2.0
"""Most from the signal to the end, on a machine that has nothing else to do."""
LANES: Final = 2
"""Commands that are ended at the same time."""
_MOMENT_SECONDS: Final = 5.0
"""Up to here: through the imports, the start, the first windows and alerts."""
_FROZEN_SHARE: Final = 0.25
"""Of endings while Redis hangs."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_EXIT_CODES: Final = {0, *(-number for number in _SIGNALS), *(128 + number for number in _SIGNALS)}
"""In order; by the signal, before Python was ready for it; at once."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended."""

    seconds: float
    """From the signal on."""
    slowdown: float
    """Of this machine at this time."""
    is_clean: bool
    """Whether it said nothing but what it should, and left nothing half-written."""
    said: str
    """The end of what it said, for who wants to know."""

    @property
    def is_late(self) -> bool:
        """Whether it took longer than it may, by as much as this machine is slower than an idle one."""
        return self.seconds > EXIT_SECONDS * self.slowdown


def end_commands(rng: random.Random, folder: Path, material: Material, num_tries: int) -> dict[str, float]:
    """Ends commands so often, at random moments."""
    folder.mkdir()
    lanes = [(folder / f"lane{number}", rng.randrange(2**32)) for number in range(min(LANES, num_tries))]
    shares = [num_tries // len(lanes) + (number < num_tries % len(lanes)) for number in range(len(lanes))]

    def live(lane: tuple[Path, int], count: int) -> list[Ending]:
        return _endings(*lane, material, count)

    with ThreadPoolExecutor(len(lanes)) as pool:
        endings = [ending for found in pool.map(live, lanes, shares) for ending in found]
    bad = [ending for ending in endings if ending.is_late or not ending.is_clean]
    return {
        "tried": len(endings),
        "lost": 0,
        "duplicated": 0,
        "failed": complain("circumstances", bad),
        "longest_exit_seconds": round(max(ending.seconds for ending in endings), 2),
        "longest_exit_unloaded_seconds": round(max(ending.seconds / ending.slowdown for ending in endings), 2),
    }


def _endings(folder: Path, seed: int, material: Material, count: int) -> list[Ending]:
    rng = random.Random(seed)  # noqa: S311
    with socket.create_server(("127.0.0.1", 0)) as refused:
        dead = f"rtsp://127.0.0.1:{refused.getsockname()[1]}/stream"
    kinds: list[Callable[[random.Random, Installation], Ending]] = [
        _end_watch,
        _end_watch,
        _end_subscribe,
        _end_evaluate,
    ]
    with installation(folder, material, extra={"dead": dead}) as place:
        return [kinds[number % len(kinds)](rng, place) for number in range(count)]


def _end_watch(rng: random.Random, place: Installation) -> Ending:
    """The log is whole lines of JSON, and the outbox is sound."""
    is_frozen = rng.random() < _FROZEN_SHARE
    number = rng.choice(_SIGNALS)
    with place.watch() as watch:
        _wait_for_moment(rng)
        if is_frozen:
            place.server.freeze()
        before = slowdown()
        try:
            seconds = watch.stop(number)
        finally:
            place.server.thaw()
        slowed = max(before, slowdown())
        is_clean = _is_good(watch.process.returncode, watch.last_words()) and _is_clean_log(watch) and place.is_whole()
        return Ending(
            seconds, slowed, is_clean, f"watch, {number.name}, {watch.process.returncode}, {watch.last_words()}"
        )


def _end_subscribe(rng: random.Random, place: Installation) -> Ending:
    """Every line is a whole alert."""
    command = [HEED, "subscribe", "--json", "--from-start", "--redis", place.redis_url]
    ending, out = _end(rng, command, "subscribe")
    try:
        for line in out.splitlines():
            Alert.from_json(line)
    except (ValueError, ValidationError):
        return Ending(ending.seconds, ending.slowdown, False, f"{ending.said}; half an alert")
    return ending


def _end_evaluate(rng: random.Random, place: Installation) -> Ending:
    """`metrics.json` is there, whole, or not at all."""
    labels, out = place.folder / "labels.csv", place.folder / f"results{rng.randrange(2**32)}"
    labels.write_text(
        f"path,start_seconds,end_seconds,label\n{place.material.clip},0,1,normal\n{place.material.clip},2,4,loud\n"
    )
    command = [HEED, "evaluate", str(labels), "--bundle", str(place.material.bundle), "--out", str(out), "--json"]
    ending, _ = _end(rng, command, "evaluate")
    with suppress(FileNotFoundError):
        try:
            json.loads((out / "metrics.json").read_text())
        except ValueError:
            return Ending(ending.seconds, ending.slowdown, False, f"{ending.said}; half a metrics.json")
    return ending


def _end(rng: random.Random, command: Sequence[str], name: str) -> tuple[Ending, str]:
    """Starts a command, ends it, and returns what it wrote on its standard output."""
    number = rng.choice(_SIGNALS)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        _wait_for_moment(rng)
        before = slowdown()
        began = time.monotonic()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            out, err = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
        seconds = time.monotonic() - began
    slowed = max(before, slowdown())
    is_clean = _is_good(process.returncode, err) and not _has_traceback(out + err)
    return Ending(seconds, slowed, is_clean, f"{name}, {number.name}, {process.returncode}, {err[-200:]}"), out


def _is_good(exit_code: int, said: str) -> bool:
    """Whether the exit code is one of a command that was ended; or of a Python that was, before it was ready."""
    return exit_code in _EXIT_CODES or "init_import_site" in said


def _is_clean_log(watch: Watch) -> bool:
    """Whether all it said are lines of JSON, or of ours before it knew that it should be JSON."""
    for said in watch.log:
        if said.text.startswith("{"):
            try:
                json.loads(said.text)
            except ValueError:
                return False
    return not _has_traceback("\n".join(said.text for said in watch.log))


def _has_traceback(text: str) -> bool:
    """Whether there is one that goes through our `main`: Python's own start has no other words for a Ctrl-C."""
    return "Traceback" in text and "/pipeline/" in text and ", in main" in text


def _wait_for_moment(rng: random.Random) -> None:
    threading.Event().wait(rng.uniform(0, _MOMENT_SECONDS))
