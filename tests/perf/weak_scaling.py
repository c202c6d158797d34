"""How an epoch grows with the ranks when each keeps its samples, and what of it is communication.

    .venv/bin/python tests/perf/weak_scaling.py --page docs/scaling.md

Runs a digits deck with 1, 2 and 4 ranks (a fixed number of samples, micro-batches and value rows a rank, the same
number of optimiser updates), reads the phases and the time in collectives from each run.h5, and prints Markdown tables;
then the benchmarks of exchanges and of trajectory files at the same ranks. Ranks that share a core cannot be as fast as
ranks that do not: with P ranks on C cores the ideal epoch takes max(1, P / C) times that of one rank, and efficiency is
measured against that. Last comes the cost model beside the measurement. docs/scaling.md explains the numbers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import cost_model
import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_mpi_yield_when_idle": "1",
    "OMPI_MCA_btl_vader_single_copy_mechanism": "none",
} | os.environ
BEGIN, END = "<!-- measured -->", "<!-- end of what was measured -->"
PHASES = ("rollout_time", "value_time", "update_time")


def mpirun(ranks: int, *words: object) -> str:
    """Run a program to its end on some ranks; its output."""
    line = ["mpirun", "-n", str(ranks), *map(str, words)]
    done = subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(line)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def settings(ranks: int, samples: int, epochs: int) -> dict[str, object]:
    """What keeps the work of a rank the same: every batch grows with the ranks, micro-batches don't."""
    return {
        "run.epochs": epochs,
        "run.save_freq": 0,
        "run.eval_freq": 0,
        "sample.samples_per_epoch": samples * ranks,
        "sample.micro_batch_size": samples // 2,
        "train.minibatch_size": samples // 2 * ranks,
        "train.micro_batch_size": samples // 2,
        "value.batch_size": 4 * samples * ranks,
        "store.images_per_epoch": 0,
        "store.trajectories": '"all"',
    }


def measure(
    program: Path, deck_file: Path, ranks: int, samples: int, epochs: int, overrides: list[str]
) -> dict[str, float]:
    """Median seconds of the phases of an epoch, the first one left out."""
    with tempfile.TemporaryDirectory() as folder:
        pairs = [f"{key}={value}" for key, value in settings(ranks, samples, epochs).items()] + overrides
        words = [word for pair in pairs for word in ("--set", pair)]
        mpirun(ranks, program, "finetune", deck_file, "--quiet", "--out", folder, *words)
        with h5py.File(Path(folder) / "run.h5", locking=False) as run:
            columns = {name: run["metrics"][name][1:] for name in ("epoch_time", *PHASES)}
            columns["communication_time"] = run["resources/communication_time"][1:]
            columns["trajectory_time"] = run["resources/trajectory_time"][1:]
            deck = tomllib.loads(run.attrs["deck"])
        size = (Path(folder) / "trajectories" / "epoch_000001.h5").stat().st_size
    found = {name: float(np.median(values)) for name, values in columns.items()}
    found["updates"] = deck["sample"]["samples_per_epoch"] // deck["train"]["minibatch_size"]
    found |= {"steps": deck["sample"]["num_steps"], "times": deck["train"]["num_times"]}
    return found | {"ranks": ranks, "samples": samples * ranks, "trajectory_bytes": size}


def table(rows: list[dict[str, float]], cores: int) -> str:
    """The measured epochs as a Markdown table."""
    first = rows[0]
    lines = [
        "| ranks | epoch s | rollout | value | update | in collectives | trajectory file | ideal epoch | efficiency |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        crowded = max(1.0, row["ranks"] / cores) / max(1.0, first["ranks"] / cores)
        ideal = first["epoch_time"] * crowded
        row["efficiency"] = ideal / row["epoch_time"]
        share = row["communication_time"] / row["epoch_time"]
        lines.append(
            f"| {row['ranks']} | {row['epoch_time']:.2f} | {row['rollout_time']:.2f} | {row['value_time']:.2f} | "
            f"{row['update_time']:.2f} | {row['communication_time']:.3f} ({100 * share:.1f} %) | "
            f"{row['trajectory_time']:.2f} | {ideal:.2f} | {100 * row['efficiency']:.0f} % |"
        )
    return "\n".join(lines)


def rows_of(text: str) -> list[list[str]]:
    """The cells of the Markdown tables that the benchmarks print, without headings."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    rules = [index for index, row in enumerate(cells) if set("".join(row)) <= set("-:")]
    return cells[rules[-1] + 1 :]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", type=Path, default=ROOT / "build", help="where the programs were built")
    options.add_argument("--deck", type=Path, default=ROOT / "inputs/digits/ctrl.toml")
    options.add_argument("--ranks", default="1,2,4", help="%(default)s")
    options.add_argument("--samples", type=int, default=64, help="a rank and epoch (%(default)s)")
    options.add_argument("--epochs", type=int, default=6, help="the first does not count (%(default)s)")
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further settings")
    options.add_argument("--folder", type=Path, help="on the file system to measure (default: beside the programs)")
    options.add_argument("--json", type=Path, metavar="FILE", help="the numbers, for cost_model.py")
    options.add_argument("--page", type=Path, metavar="FILE.md", help="replace the measured part of this page")
    given = options.parse_args()
    ranks = [int(word) for word in given.ranks.split(",")]
    cores = len(os.sched_getaffinity(0))
    programs = given.build / "bin"
    report: list[str] = []

    def tell(text: str) -> None:
        report.append(text.strip())
        print(text.strip(), end="\n\n", flush=True)

    setting = f"{cores} core(s), {given.samples} samples a rank, median of {given.epochs - 1} epochs"
    busy = os.getloadavg()[0]  # of others: what they take is not ours
    tell(f"{setting}, deck `{given.deck.name}`; load average before the start {busy:.1f}:")
    epochs = [
        measure(programs / "scoreact", given.deck, count, given.samples, given.epochs, given.set) for count in ranks
    ]
    tell(table(epochs, cores))
    result: dict[str, Any] = {"cores": cores, "epochs": epochs, "exchanges": {}, "files": {}}
    for count in ranks[1:] if ranks[0] == 1 else ranks:
        text = mpirun(count, programs / "bench_collectives", "--most", 1 << 21)
        tell(f"Exchanges, seconds a call: {text}")
        result["exchanges"][str(count)] = [[float(cell) for cell in row] for row in rows_of(text)]
    with tempfile.TemporaryDirectory(dir=given.folder or given.build) as folder:
        for count in ranks:
            shape = ("--samples", 16, "--repeat", 3, "--gzip", 1)
            text = mpirun(count, programs / "bench_trajectory_file", "--folder", folder, *shape)
            tell(f"Trajectory files: {text.replace(folder, 'DIR')}")
            result["files"][str(count)] = {row[0]: float(row[3]) for row in rows_of(text)}
    tell(f"The cost model with the numbers of one rank, seconds:\n\n{cost_model.against(result)}")
    if given.json:
        given.json.write_text(json.dumps(result, indent=1))
    if given.page:
        before, rest = given.page.read_text().split(BEGIN)
        given.page.write_text(before + BEGIN + "\n\n" + "\n\n".join(report) + "\n\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
