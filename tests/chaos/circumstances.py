"""A full disk, a state folder that cannot be written, a clock that is set, and the end at any moment."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from .clock_jumps import set_clock
from .disks import fill_disk, forbid_writing
from .endings import end_commands
from .installation import Material
from .scripted import SCRIPT, SCRIPT_SECONDS

ABOUT = "full disk, read-only state, clock set by an hour, SIGTERM and Ctrl-C at any moment"
ENDINGS: Final = 100
JUMPS: Final = 12
COUNTS: Final = ("tried", "lost", "duplicated", "failed")


def run(rng: random.Random, folder: Path, scale: float) -> dict[str, float]:
    """Ends commands `ENDINGS * scale` times, sets the clock `JUMPS * scale` times, and does the others once."""
    material = Material.write(folder, SCRIPT, SCRIPT_SECONDS)
    num_jumps, num_endings = max(1, round(JUMPS * scale)), max(2, round(ENDINGS * scale))
    clock_rng, endings_rng = (random.Random(rng.randrange(2**32)) for _ in range(2))  # noqa: S311
    with ThreadPoolExecutor() as pool:  # all together: they mostly wait
        running = [
            pool.submit(fill_disk, folder / "full", material, has_redis=True),
            pool.submit(fill_disk, folder / "full_and_alone", material, has_redis=False),
            pool.submit(forbid_writing, folder / "forbidden", material),
            pool.submit(set_clock, clock_rng, folder / "clock", material, num_jumps),
            pool.submit(end_commands, endings_rng, folder / "endings", material, num_endings),
        ]
        parts = [future.result() for future in running]
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update({name: part[name] for name in COUNTS})
    others = {name: value for part in parts for name, value in part.items() if name not in COUNTS}
    return {**{name: float(counts[name]) for name in COUNTS}, **others}
