"""A disk that is full for a while, and a state folder that cannot be written."""

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from .installation import Material, installation
from .line import Watch, complain, wait_for

_DISK_MEGABYTES: Final = 16
_SECONDS: Final = 60.0


class Disk(Protocol):
    """Where a state folder is, and how it fills up."""

    folder: Path
    """On it."""

    def fill(self, watch: Watch) -> None:
        """From here on nothing more can be written."""

    def free(self, watch: Watch) -> None:
        """There is room again."""


class SmallDisk:
    """A file system in memory: a full disk as it is. Only root may mount it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, watch: Watch) -> None:
        """Writes a file until there is no room for another byte."""
        assert watch.is_running
        with (self.folder / "filler").open("wb", buffering=0) as filler, contextlib.suppress(OSError):
            for size in (65536, 1):
                with contextlib.suppress(OSError):
                    while True:
                        filler.write(bytes(size))

    def free(self, watch: Watch) -> None:
        """Deletes that file."""
        assert watch.is_running
        (self.folder / "filler").unlink()


class NoLargerFiles:
    """What the kernel does for anyone: the engine may not make any file larger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, watch: Watch) -> None:
        """No file may have a single byte more than nothing."""
        resource.prlimit(watch.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free(self, watch: Watch) -> None:
        """Files may grow."""
        resource.prlimit(watch.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    """A disk that can be filled."""
    folder.mkdir()
    if not _mount("-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m", "tmpfs", str(folder)):
        yield NoLargerFiles(folder)
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill_disk(folder: Path, material: Material, *, has_redis: bool) -> dict[str, float]:
    """The disk is full for a while: that is said, and not an alert is lost.

    Args:
        folder: is made.
        material: model and files.
        has_redis: whether Redis is there to take the alerts; else they wait in memory.
    """
    folder.mkdir()
    with (
        small_disk(folder / "disk") as disk,
        installation(folder / "rest", material, state=disk.folder / "state") as place,
    ):
        with place.watch() as watch:
            watch.wait_up(place.sources)
            place.wait_for_flow()
            disk.fill(watch)
            if not has_redis:
                place.server.stop()
            num_shown_before = len(watch.shown)
            wait_for(lambda: _complaints(watch, "make room"), _SECONDS, "words on the full disk")
            wait_for(lambda: len(watch.shown) > num_shown_before + 2, _SECONDS, "alerts shown in spite of it")
            disk.free(watch)
            if not has_redis:
                place.server.start()
            place.wait_for_flow()
            is_running = watch.is_running
            watch.stop()
        place.settle()
        steps = place.steps()
        is_clean = is_running and place.is_whole() and not _complaints(watch, "Traceback")
        return {
            "tried": 1,
            "lost": steps.num_missing + steps.num_unseen(said.text for said in watch.shown),
            "duplicated": steps.num_duplicated,
            "failed": int(not is_clean) + complain("circumstances", steps.faults),
        }


def forbid_writing(folder: Path, material: Material) -> dict[str, float]:
    """The state folder cannot be written: that is said on one line, and nothing starts."""
    folder.mkdir()
    with _unwritable(folder / "disk") as disk:
        if disk is None:
            sys.stderr.write("chaos: circumstances: no read-only folder to be had here; left out\n")
            return {"tried": 0, "lost": 0, "duplicated": 0, "failed": 0}
        with installation(folder / "rest", material, state=disk / "state") as place, place.watch() as watch:
            watch.process.wait(_SECONDS)
            watch.stop()
    said = [said.text for said in watch.log if said.text]
    is_clear = len(said) == 1 and str(disk) in said[0] and "; choose" in said[0]
    return {
        "tried": 1,
        "lost": 0,
        "duplicated": 0,
        "failed": int(watch.process.returncode != 1 or not is_clear),
    }


@contextmanager
def _unwritable(folder: Path) -> Iterator[Path | None]:
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield folder
        folder.chmod(0o700)
    elif _mount("-t", "tmpfs", "-o", "ro", "tmpfs", str(folder)):
        yield folder
        subprocess.run(["umount", "--lazy", folder], check=True)
    else:
        yield None


def _mount(*words: str) -> bool:
    try:
        return subprocess.run(["mount", *words], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _complaints(watch: Watch, words: str) -> list[str]:
    return [said.text for said in watch.log if words in said.text]
