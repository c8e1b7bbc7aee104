"""Renders random scenes and their labels into a folder: material for training."""

import argparse
from pathlib import Path

from pipeline.scene import random_scene, render, render_sound, write_labels


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.scene", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write scenes and labels.csv to")
    parser.add_argument("--num", type=int, default=20, help="how many")
    parser.add_argument("--seconds", type=float, default=20, help="length of each")
    parser.add_argument("--first", type=int, default=0, help="seed of the first; the others follow")
    parser.add_argument("--sound", action="store_true", help="what they sound like alone")
    wanted = parser.parse_args()
    wanted.out.mkdir(parents=True, exist_ok=True)
    made = []
    for seed in range(wanted.first, wanted.first + wanted.num):
        scene, path = random_scene(seed, wanted.seconds), wanted.out / f"scene{seed:05}.mkv"
        (render_sound if wanted.sound else render)(scene, path)
        made.append((scene, path))
    write_labels(made, wanted.out / "labels.csv")


if __name__ == "__main__":
    main()
