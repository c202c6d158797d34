"""A disk that fills up: a small tmpfs of random size, mounted in a user namespace where mounting takes root."""

import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faulty_run import (
    ENVIRONMENT,
    FILE_FAULTS,
    GAUSSIAN,
    IO_ERROR,
    LONG,
    LiveRun,
    Tell,
    assert_one_error,
    finish,
    rows_of_run_file,
)
from same_bits import assert_same

TIMES = 24 if LONG else 4
EPOCHS = 4
INSIDE = "SCOREACT_FAULTS_IN_NAMESPACE"


def mount(folder: Path, options: str) -> bool:
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)], capture_output=True, check=False
    )
    return done.returncode == 0


def own_namespace() -> bool:
    """Whether an ordinary user may mount things in a namespace of its own here."""
    words = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path | None]:
    """An empty folder that is a file system of its own; nothing where that takes rights that we don't have."""
    folder = tmp_path / "disk"
    if not mount(folder, "size=64m"):
        yield None
        return
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def starve_and_go_on(
    run: Path, ranks: int, reference: Path, start: Callable[[list[str]], LiveRun], relieve: Callable[[], None]
) -> bool:
    """One run that runs out of space and is started again with space; false if it had enough."""
    line = GAUSSIAN.command(run, run__epochs=EPOCHS, ranks=ranks)
    live = start(line)
    code = live.end()
    assert code in (0, IO_ERROR), (code, live.output)
    if code == IO_ERROR:
        assert_one_error(live.output)
        assert max(0, rows_of_run_file(run)) >= live.epochs, live.output
    relieve()
    finish(line)
    assert_same(run, reference)
    return code == IO_ERROR


def test_a_full_disk_stops_it_and_it_goes_on_when_there_is_space(
    tmp_path: Path, undisturbed: Callable[..., Path], chance: random.Random, tell: Tell, disk: Path | None
) -> None:
    if disk is None and own_namespace():
        words = [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            __file__,
        ]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=ENVIRONMENT | {INSIDE: "1"})
        assert done.returncode == 0, done.stdout + done.stderr
        return
    assert disk is not None or INSIDE not in os.environ
    reference = undisturbed(GAUSSIAN, EPOCHS)
    if disk is None:  # no file system of our own: the calls fail as they do on a full disk
        stopped = 0
        for attempt in range(TIMES):
            run = tmp_path / f"run{attempt}"
            faults = {
                "LD_PRELOAD": FILE_FAULTS,
                "FAULT_FOLDER": str(run),
                "FAULT_ACTION": "enospc",
                "FAULT_AT": str(chance.randrange(20, 500)),
            }
            stopped += starve_and_go_on(run, 1, reference, lambda line: LiveRun(line, **faults), lambda: None)  # noqa: B023
        assert stopped > 0
        tell("no space left (injected)", "one error, exit 74; went on with space, same bits", stopped)
        return

    def relieve() -> None:
        assert mount(disk, "remount,size=64m")

    whole = sum(-(-path.stat().st_size // 4096) * 4096 for path in reference.rglob("*") if path.is_file())
    stopped = 0
    for attempt in range(TIMES):
        run, ranks = disk / f"run{attempt}", 1 + attempt % 2
        full = chance.randrange(whole // 20, whole)
        for old in disk.iterdir():
            subprocess.run(["rm", "-rf", str(old)], check=True)
        assert mount(disk, f"remount,size={full}")
        stopped += starve_and_go_on(run, ranks, reference, LiveRun, relieve)
    assert stopped > TIMES // 2, f"{stopped} of {TIMES}: the disk is hardly ever full"
    tell("disk full (tmpfs of random size)", "one error, exit 74; went on with space, same bits", stopped)


def test_a_file_size_limit_is_an_error_with_a_message(
    tmp_path: Path, undisturbed: Callable[..., Path], tell: Tell
) -> None:
    run = tmp_path / "run"
    line = GAUSSIAN.command(run, run__epochs=EPOCHS)
    live = LiveRun(line)
    while live.going() and live.epochs < 1:
        time.sleep(0.001)
    resource.prlimit(live.process.pid, resource.RLIMIT_FSIZE, (4096, 4096))  # MPI itself has started by now
    assert live.end() == IO_ERROR, live.output
    assert_one_error(live.output, str(run))
    finish(line)
    assert_same(run, undisturbed(GAUSSIAN, EPOCHS))
    tell("a limit on file sizes (ulimit -f)", "one error, exit 74; went on without it, same bits")
