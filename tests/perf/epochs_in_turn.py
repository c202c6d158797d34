"""Seconds an epoch of two or more decks, run in turn in the same minutes, so that what else the machine does weighs on all alike.

Run by hand, one rank and one thread:

    .venv/bin/python tests/perf/epochs_in_turn.py build/bin/scoreact inputs/digits/ctrl.toml inputs/digits/ddpo.toml

The first epoch of a run warms up and does not count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

import h5py


def epoch_seconds(program: str, deck: Path, epochs: int, folder: Path) -> list[float]:
    settings = {"run.epochs": epochs, "run.save_freq": 0, "store.images_per_epoch": 0}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    command = [program, "finetune", str(deck), *words, "--quiet", "--out", str(folder)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    with h5py.File(folder / "run.h5") as file:
        return [float(seconds) for seconds in file["metrics/epoch_time"][1:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("decks", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int, default=4, help="of each run")
    parser.add_argument("--turns", type=int, default=2)
    arguments = parser.parse_args()
    seconds: dict[Path, list[float]] = {deck: [] for deck in arguments.decks}
    for _ in range(arguments.turns):
        for deck in arguments.decks:
            with tempfile.TemporaryDirectory() as scratch:
                seconds[deck] += epoch_seconds(arguments.program, deck, arguments.epochs, Path(scratch) / "run")
    first = statistics.median(seconds[arguments.decks[0]])
    print("| deck | epochs | median (s) | least | largest | first / this |\n|---|---|---|---|---|---|")
    for deck, all_of_deck in seconds.items():
        middle = statistics.median(all_of_deck)
        print(
            f"| {deck} | {len(all_of_deck)} | {middle:.2f} | {min(all_of_deck):.2f} | {max(all_of_deck):.2f} | {first / middle:.2f} |"
        )


if __name__ == "__main__":
    main()
