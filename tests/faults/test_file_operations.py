"""Every operation that changes a file is a point where a process can die or the disk can fail."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_run import (
    DONE,
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

EPOCHS = 3
POINTS = 60 if LONG else 6
ACTIONS = {
    "kill": "killed before",
    "torn": "killed in the middle of",
    "eio": "I/O error in",
    "enospc": "no space from then on at",
}


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """What a whole run does to its folder, in order: (operation, path)."""
    folder = tmp_path_factory.mktemp("operations")
    log = folder / "log"
    faults = {"LD_PRELOAD": FILE_FAULTS, "FAULT_FOLDER": str(folder / "run"), "FAULT_LOG": str(log)}
    finish(GAUSSIAN.command(folder / "run", run__epochs=EPOCHS), **faults)
    lines = [line.split(" ", 2) for line in log.read_text().splitlines()]
    assert [int(line[0]) for line in lines] == list(range(1, len(lines) + 1))
    return [(line[1], str(Path(line[2]).relative_to(folder / "run"))) for line in lines]


def kind_of(path: str) -> str:
    """Which of the run's files it is."""
    if path.startswith("checkpoints"):
        return "a checkpoint"
    if path.startswith("trajectories"):
        return "a trajectory file"
    if path.startswith("policy"):
        return "the final policy"
    return {"run.h5": "run.h5", "run.h5.tmp": "run.h5", ".lock": "the lock"}.get(path, "the run's folder")


def chosen(operations: list[tuple[str, str]], chance: random.Random) -> list[int]:
    """Numbers of operations, from 1. Writes of trajectory files are many and alike: others are wanted more often."""
    weights = [0.1 if operation == "write" and "trajectories" in path else 1.0 for operation, path in operations]
    picked: set[int] = set()
    while len(picked) < min(POINTS, len(operations)):
        picked.add(chance.choices(range(1, len(operations) + 1), weights)[0])
    return sorted(picked)


def strike(
    run: Path, number: int, action: str, operations: list[tuple[str, str]], reference: Path, tell: Tell
) -> None:
    """A run struck at one operation says so or does not mind, keeps what it reported, and goes on to the same bits."""
    operation, path = operations[number - 1]
    where = f"operation {number}, {operation} of {path}"
    line = GAUSSIAN.command(run, run__epochs=EPOCHS)
    faults = {"LD_PRELOAD": FILE_FAULTS, "FAULT_FOLDER": str(run), "FAULT_AT": str(number), "FAULT_ACTION": action}
    live = LiveRun(line, **faults)
    code = live.end()
    rows = max(0, rows_of_run_file(run))
    assert rows >= live.epochs, (where, rows, live.output)
    if action in ("kill", "torn"):
        assert code == -9, (where, live.output)
        outcome = "went on, same bits"
    else:
        assert code in (DONE, IO_ERROR), (where, code, live.output)
        if code == IO_ERROR:
            assert_one_error(live.output)
            outcome = "one error, exit 74; went on afterwards, same bits"
        else:
            outcome = "did not matter, same bits"
    finish(line)
    assert_same(run, reference, where)
    tell(f"{ACTIONS[action]} an operation on {kind_of(path)}", outcome)


@pytest.mark.parametrize("action", ACTIONS)
def test_at_any_file_operation_it_goes_on_or_says_why_not(
    tmp_path: Path,
    undisturbed: Callable[..., Path],
    operations: list[tuple[str, str]],
    chance: random.Random,
    tell: Tell,
    action: str,
) -> None:
    for number in chosen(operations, chance):
        strike(tmp_path / f"{action}_{number}", number, action, operations, undisturbed(GAUSSIAN, EPOCHS), tell)


def test_no_write_of_an_optimizer_is_lost_quietly(
    tmp_path: Path, undisturbed: Callable[..., Path], operations: list[tuple[str, str]], tell: Tell
) -> None:
    """HDF5 writes small datasets only when it closes them, where nothing can be thrown."""
    optimizer = ("write", "checkpoints/epoch_000002.tmp/optimizer.h5")
    writes = [number for number, operation in enumerate(operations, 1) if operation == optimizer]
    assert len(writes) > 3
    for number in writes:
        strike(tmp_path / f"{number}", number, "eio", operations, undisturbed(GAUSSIAN, EPOCHS), tell)


def test_an_error_of_one_rank_inside_parallel_hdf5_ends_both_in_bounded_time(
    tmp_path: Path,
    undisturbed: Callable[..., Path],
    operations: list[tuple[str, str]],
    chance: random.Random,
    tell: Tell,
) -> None:
    """HDF5 may leave the other rank waiting for ever where no agreement reaches it: the time limit does."""
    writes = [number for number, (_, path) in enumerate(operations, 1) if path.startswith("trajectories/")]
    for attempt in range(POINTS // 2):
        run, struck = tmp_path / f"run{attempt}", attempt % 2
        # Rank 0 of two writes less often than one alone; rank 1 writes from its fourth operation on.
        number = chance.choice(writes[: len(writes) // 2]) if struck == 0 else 4 + attempt // 2
        line = GAUSSIAN.command(run, ranks=2, run__epochs=EPOCHS, run__communication_timeout='"00:00:15"')
        faults = {"FAULT_FOLDER": str(run), "FAULT_RANK": str(struck), "FAULT_AT": str(number), "FAULT_ACTION": "eio"}
        live = LiveRun(["env", f"LD_PRELOAD={FILE_FAULTS}", *line], **faults)
        code = live.end(120)
        assert code in (DONE, IO_ERROR), (number, code, live.output)
        if code == IO_ERROR:
            assert_one_error(live.output)
            assert f"rank {struck}" in live.output, "the rank that failed, not one that heard of it"
        finish(GAUSSIAN.command(run, ranks=2, run__epochs=EPOCHS))
        assert_same(run, undisturbed(GAUSSIAN, EPOCHS), number)
        outcome = "one error, exit 74; went on afterwards, same bits" if code else "did not matter, same bits"
        tell("I/O error of one of 2 ranks in a trajectory file", outcome)
