"""Runs of seconds, what of them must not depend on ranks or interruptions, and a hold on the ranks of a run."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from one_node_slurm import ROOT, processes, wait_until

PROGRAM = os.environ["SCOREACT"]
DIGITS = ROOT / "inputs" / "digits" / "ctrl.toml"
EPOCHS = 8
TINY = {
    "run.epochs": EPOCHS,
    "run.save_freq": 1,
    "sample.num_steps": 4,
    "sample.samples_per_epoch": 16,
    "sample.micro_batch_size": 4,
    "train.minibatch_size": 8,
    "train.micro_batch_size": 4,
    "train.num_times": 2,
    "value.steps_per_epoch": 2,
    "value.batch_size": 12,
    "store.images_per_epoch": 4,
    "evaluate.steps": "[3, 4]",
    "evaluate.num_samples": 8,
    "evaluate.base_samples": 8,
}


def options(**settings: object) -> list[str]:
    """--set words that make a digits deck tiny; settings as section__key."""
    changed = TINY | {key.replace("__", "."): value for key, value in settings.items()}
    return [word for key, value in changed.items() for word in ("--set", f"{key}={value}")]


def undisturbed(out: Path, **settings: object) -> Path:
    """The same run on one rank, from beginning to end, without Slurm."""
    line = [PROGRAM, "finetune", str(DIGITS), "--out", str(out), "--quiet", *options(**settings)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def epochs_done(run: Path) -> int:
    return len([path for path in (run / "checkpoints").glob("epoch_*") if (path / "DONE").exists()])


def ranks_of(run: Path) -> list[int]:
    """Processes that are this program at work on this run; not its launcher, whose words are the same."""
    return [
        pid for pid in processes() if program_of(pid) == Path(PROGRAM).resolve() and str(run).encode() in words_of(pid)
    ]


def program_of(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return None


def words_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def has_pending(pid: int, number: signal.Signals) -> bool:
    """Whether a signal waits for this stopped process."""
    try:
        lines = dict(line.partition(":")[::2] for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    except OSError:
        return False
    return any(int(lines[name], 16) >> (number - 1) & 1 for name in ("SigPnd", "ShdPnd"))


@contextlib.contextmanager
def held(*runs: Path, ranks: int) -> Iterator[list[int]]:
    """Each run stands still after its first checkpoint until the block is left; the process numbers of all ranks."""
    pids: list[int] = []
    waiting = list(runs)

    def all_are_held() -> bool:
        for run in [each for each in waiting if epochs_done(each) >= 1]:
            found = ranks_of(run)
            for pid in found:
                os.kill(pid, signal.SIGSTOP)
            pids.extend(found)
            waiting.remove(run)
            assert len(found) == ranks, (
                f"expected {ranks} processes at work on {run}, found {found}; ended before it was held?"
            )
            assert epochs_done(run) < EPOCHS
        return not waiting

    try:
        wait_until(f"there are checkpoints in {', '.join(map(str, runs))}", all_are_held)
        yield pids
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
