"""Runs of scoreact that are killed, starved or fed with damaged files: how to start them, what must hold afterwards."""

import contextlib
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

PROGRAM = os.environ["SCOREACT"]
FILE_FAULTS = os.environ["SCOREACT_FILE_FAULTS"]
INPUTS = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs"
LONG = os.environ.get("SCOREACT_FAULTS_LONG") == "1"
SCRATCH = tempfile.TemporaryDirectory(prefix="faults-")  # for what Open MPI leaves behind when everything is killed
ENVIRONMENT = {
    **os.environ,
    "OMPI_MCA_orte_tmpdir_base": SCRATCH.name,
    "OMPI_MCA_btl_vader_backing_directory": SCRATCH.name,
    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",  # file_faults comes before it
}
Tell = Callable[..., None]  # tell(fault, outcome, times): counts what came of a fault
TIMEOUT = 240
DONE, BAD_DATA, MISSING, INTERNAL, IO_ERROR, STOPPED_EARLY = 0, 65, 66, 70, 74, 75
LAUNCHER_GIVES_UP = 60  # seconds that mpirun may take to end after a rank died
COMMON = {
    "run.save_freq": 1,
    "store.trajectories": '"every:1"',
    "store.means": "true",
    "train.lr_schedule": '"constant"',  # so that a longer run begins with the bits of a shorter one
}


@dataclass(frozen=True)
class Case:
    """A deck with settings that make an epoch last a fraction of a second."""

    deck: Path
    epochs: int
    settings: dict[str, object] = field(default_factory=dict, hash=False)

    def command(self, out: Path, *words: str, ranks: int = 1, **changes: object) -> list[str]:
        """The command line; changes as section__key."""
        named = {key.replace("__", "."): value for key, value in changes.items()}
        settings = COMMON | {"run.epochs": self.epochs} | self.settings | named
        launcher = ["mpirun", "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
        overrides = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        return [*launcher, PROGRAM, "finetune", str(self.deck), "--out", str(out), *overrides, *words]


GAUSSIAN = Case(
    INPUTS / "analytic" / "gaussian.toml",
    epochs=8,
    settings={
        "sample.num_steps": 8,
        "sample.samples_per_epoch": 32,
        "sample.micro_batch_size": 8,
        "train.minibatch_size": 16,
        "train.micro_batch_size": 8,
        "train.num_times": 4,
        "run.num_checkpoint_limit": 8,
    },
)
DIGITS = Case(
    INPUTS / "digits" / "ctrl.toml",
    epochs=6,
    settings={
        "sample.num_steps": 6,
        "sample.samples_per_epoch": 16,
        "sample.micro_batch_size": 4,
        "train.minibatch_size": 8,
        "train.micro_batch_size": 4,
        "train.num_times": 3,
        "value.steps_per_epoch": 2,
        "value.batch_size": 12,
        "store.images_per_epoch": 4,
        "store.images_freq": 1,
    },
)


def finish(line: list[str], *codes: int, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; fail with the program's output unless it exits with one of `codes` (0 if none is given)."""
    done = subprocess.run(
        line,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TIMEOUT,
        check=False,
        env=ENVIRONMENT | environment,
        preexec_fn=die_with_the_test,
    )
    report = f"{' '.join(line)}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode in (codes or (DONE,)), report
    return done


def die_with_the_test() -> None:
    """A test that is killed leaves no process behind (Linux: PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class LiveRun:
    """A process that is going, and what it has printed so far."""

    def __init__(self, line: list[str], **environment: str) -> None:
        self.process = subprocess.Popen(
            line,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=ENVIRONMENT | environment,
            preexec_fn=die_with_the_test,
        )
        self.started = time.monotonic()
        self.lines: list[str] = []
        self.epochs = 0  # the last one that it told to be finished
        self.told = 0  # how many it told
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            words = line.split()
            if line.startswith("epoch ") and "/" in words[1]:
                self.epochs = int(words[1].split("/")[0])
                self.told += 1

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def going(self) -> bool:
        return self.process.poll() is None

    def ranks(self) -> list[int]:
        """Process ids of the ranks under the launcher, in order of their start."""
        folder = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            children = [int(pid) for pid in folder.read_text().split()]
        except OSError:
            return []
        return [pid for pid in children if program_of(pid) == Path(PROGRAM).name]

    def end(self, timeout: float = TIMEOUT) -> int:
        """Its exit code; everything that it printed has been read."""
        code = self.process.wait(timeout)
        self._reader.join(5)  # ranks that outlive their launcher hold the pipe for a moment
        return code


def program_of(pid: int) -> str:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name
    except OSError:
        return ""


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):  # it was faster
        os.kill(pid, number)


def rows_of_run_file(run: Path) -> int:
    """Opens run.h5 as a user does, checks that it is whole, and counts its epochs; -1 if there is none yet."""
    try:
        file = h5py.File(run / "run.h5", "r")
    except FileNotFoundError:
        return -1
    with file:
        epochs = file["metrics/epoch"][:]
        assert epochs.tolist() == list(range(1, len(epochs) + 1)), epochs
        for name, item in file["metrics"].items():
            assert item.shape == epochs.shape, name
            assert np.isfinite(item[:]).all(), name
    return len(epochs)


def errors_in(text: str) -> list[str]:
    """The lines in which scoreact says why it stopped."""
    return [line for line in text.splitlines() if line.startswith("scoreact: rank ")]


def warnings_in(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("scoreact: warning: ")]


def assert_one_error(text: str, *parts: str) -> None:
    found = errors_in(text)
    assert len(found) == 1, text
    for part in parts:
        assert part in found[0], found[0]


def sound_checkpoints(run: Path) -> list[int]:
    """Epochs of the checkpoints whose files have the sizes and CRC-32 that stand in DONE."""
    sound = []
    for folder in sorted((run / "checkpoints").glob("epoch_??????")):
        try:
            done = json.loads((folder / "DONE").read_text())
            contents = {name: (folder / name).read_bytes() for name in done["files"]}
        except (OSError, ValueError, KeyError):
            continue
        digests = {name: {"bytes": len(b), "crc32": f"{zlib.crc32(b):08x}"} for name, b in contents.items()}
        if digests == done["files"]:
            sound.append(int(folder.name[-6:]))
    return sound


def copy_run(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target, symlinks=True))


def damage(path: Path, how: str, chance: random.Random) -> None:
    """Cut off at half or to nothing, one bit turned, or removed."""
    content = bytearray(path.read_bytes())
    if how == "removed":
        path.unlink()
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "cut off":
        path.write_bytes(content[: chance.randrange(1, len(content))])
    elif how == "a bit flipped":
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
    else:
        raise ValueError(how)
