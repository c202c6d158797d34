"""Signals, clocks, locks: what stops a run, how fast, and that it goes on."""

import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_run import (
    DIGITS,
    DONE,
    ENVIRONMENT,
    FILE_FAULTS,
    GAUSSIAN,
    IO_ERROR,
    STOPPED_EARLY,
    LiveRun,
    Tell,
    assert_one_error,
    finish,
    kill,
    rows_of_run_file,
    sound_checkpoints,
)
from same_bits import assert_same

SLOW_EPOCH = {"sample__samples_per_epoch": 16384, "sample__num_steps": 200, "train__minibatch_size": 16384}


PRETRAINED = {"value__pretrain_epochs": 6, "run__epochs": 2}


def wait_until(reached: Callable[[], bool], live: LiveRun, patience: float = 120) -> None:
    give_up = time.monotonic() + patience
    while live.going() and not reached():
        assert time.monotonic() < give_up, live.output
        time.sleep(0.002)


def started(run: Path) -> Callable[[], bool]:
    return lambda: (run / "run.h5").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_in_start_up_stops_it_before_the_first_epoch(
    tmp_path: Path, undisturbed: Callable[..., Path], tell: Tell, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    live = LiveRun(GAUSSIAN.command(run))
    wait_until(lambda: (run / ".lock").exists(), live)
    live.process.send_signal(number)
    assert live.end() == STOPPED_EARLY, live.output
    assert sound_checkpoints(run) != []
    finish(GAUSSIAN.command(run, ranks=2))
    assert_same(run, undisturbed(GAUSSIAN))
    tell(f"{number.name} while it starts", "checkpoint, exit 75; went on, same bits")


def test_the_same_signal_delivered_twice_at_once_is_one(tmp_path: Path, undisturbed: Callable[..., Path]) -> None:
    run = tmp_path / "run"
    live = LiveRun(GAUSSIAN.command(run))
    wait_until(started(run), live)
    live.process.send_signal(signal.SIGUSR1)
    live.process.send_signal(signal.SIGTERM)
    assert live.end() == STOPPED_EARLY, live.output
    finish(GAUSSIAN.command(run))
    assert_same(run, undisturbed(GAUSSIAN))


def test_the_second_signal_ends_it_in_the_middle_of_an_epoch(tmp_path: Path, tell: Tell) -> None:
    run = tmp_path / "run"
    live = LiveRun(GAUSSIAN.command(run, store__trajectories='"none"', **SLOW_EPOCH))
    wait_until(started(run), live)
    time.sleep(1)  # it is in its first epoch by now
    live.process.send_signal(signal.SIGTERM)
    time.sleep(2.5)
    assert live.going(), live.output  # it finishes the epoch
    live.process.send_signal(signal.SIGTERM)
    told = time.monotonic()
    assert live.end() == 128 + signal.SIGTERM, live.output
    assert time.monotonic() - told < 2
    assert rows_of_run_file(run) == 0
    tell("a second SIGTERM seconds after the first", "ends at once with 143; run.h5 and checkpoints sound")


@pytest.mark.parametrize("ranks", [1, 2])
def test_it_leaves_before_slurm_ends_the_job(
    tmp_path: Path, undisturbed: Callable[..., Path], tell: Tell, ranks: int
) -> None:
    run = tmp_path / "run"
    job_end = {"SLURM_JOB_END_TIME": str(int(time.time()) + 3)}  # less than the reserve: after the first epoch
    done = finish(GAUSSIAN.command(run, ranks=ranks), STOPPED_EARLY, **job_end)
    assert "time limit of the Slurm job" in done.stdout and "after epoch 1 of" in done.stdout
    finish(GAUSSIAN.command(run), SLURM_JOB_END_TIME=str(int(time.time()) + 3600))
    assert_same(run, undisturbed(GAUSSIAN))
    tell("the time limit of a Slurm job", "checkpoint, exit 75; went on, same bits")


def test_the_time_limit_leaves_room_for_what_follows_an_epoch(tmp_path: Path, tell: Tell) -> None:
    run = tmp_path / "run"
    slow = {"LD_PRELOAD": FILE_FAULTS, "FAULT_FOLDER": str(run / "trajectories"), "FAULT_ACTION": "slow"}
    done = finish(GAUSSIAN.command(run, "--max-time", "00:00:06", run__save_freq=0), STOPPED_EARLY, **slow)
    assert "after epoch 1 of" in done.stdout  # writing its trajectories takes 3 s, and those of another one would pass the limit
    tell("trajectory files that take longer than epochs, and a time limit", "stopped before the limit")


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose value is fitted before the first epoch, without any fault."""
    run = tmp_path_factory.mktemp("pretrained") / "run"
    finish(DIGITS.command(run, **PRETRAINED))
    return run


def pretraining_told(output: str) -> list[int]:
    return [int(number) for number in re.findall(r"^value pretraining (\d+)/6 ", output, re.MULTILINE)]


@pytest.mark.parametrize(
    ("how", "ranks"), [("SIGTERM", 1), ("SIGUSR1", 2), ("stop file", 1), ("stop file", 2), ("SIGKILL", 1)]
)
def test_the_pretraining_of_the_value_stops_within_a_step_and_goes_on(
    tmp_path: Path, pretrained: Path, tell: Tell, how: str, ranks: int
) -> None:
    run = tmp_path / "run"
    live = LiveRun(DIGITS.command(run, ranks=ranks, **PRETRAINED))
    wait_until(lambda: len(pretraining_told(live.output)) >= 2, live)
    if how == "stop file":
        (run / "stop").touch()
    else:
        live.process.send_signal(signal.Signals[how])
    known = max(pretraining_told(live.output))
    code = live.end()
    told = max(pretraining_told(live.output))
    assert told <= min(known + 2, 5) and rows_of_run_file(run) == 0, live.output
    assert 0 in sound_checkpoints(run)
    if how == "SIGKILL":
        assert code == -signal.SIGKILL
    else:
        assert code == STOPPED_EARLY, live.output
        assert f"after epoch 0 of 2 and {told} of value pretraining" in live.output
    again = finish(DIGITS.command(run, ranks=3 - ranks, **PRETRAINED))
    first = pretraining_told(again.stdout)[0]
    assert first == told + 1 or (how == "SIGKILL" and 1 < first <= told + 1)  # nothing finished is done again
    assert_same(run, pretrained)
    tell(f"{how} during the value's pretraining", "went on from the last checkpoint, same bits")


def test_jobs_shorter_than_the_pretraining_of_the_value_get_through_it(
    tmp_path: Path, pretrained: Path, tell: Tell
) -> None:
    run, told, stops = tmp_path / "run", [], 0
    while rows_of_run_file(run) <= 0 and stops < 8:
        line = DIGITS.command(run, "--max-time", "00:00:01", **PRETRAINED)
        done = finish(line, STOPPED_EARLY, DONE)
        told += pretraining_told(done.stdout)
        stops += "(time limit)" in done.stdout
    assert told == [1, 2, 3, 4, 5, 6] and stops >= 1
    finish(DIGITS.command(run, **PRETRAINED))
    assert_same(run, pretrained)
    tell("time limits within the value's pretraining", "a step each at least, same bits")


def test_a_stop_under_mpirun_is_told_to_all_ranks(tmp_path: Path, undisturbed: Callable[..., Path]) -> None:
    run = tmp_path / "run"
    live = LiveRun(GAUSSIAN.command(run, ranks=2))
    wait_until(started(run), live)
    (run / "stop").touch()
    assert live.end() == STOPPED_EARLY, live.output
    finish(GAUSSIAN.command(run))
    assert_same(run, undisturbed(GAUSSIAN))


def test_a_second_writer_waits_ten_seconds_and_names_the_first(tmp_path: Path, tell: Tell) -> None:
    run = tmp_path / "run"
    live = LiveRun(GAUSSIAN.command(run, ranks=2, run__epochs=100000, store__trajectories='"none"'))
    wait_until(started(run), live)
    began = time.monotonic()
    done = finish(GAUSSIAN.command(run), IO_ERROR)
    assert 10 <= time.monotonic() - began < 40
    assert_one_error(done.stderr, "another process writes into this run: pid ")
    (run / "stop").touch()
    assert live.end() == STOPPED_EARLY, live.output
    assert rows_of_run_file(run) == live.epochs
    tell(
        "a second process starts in the folder of a run that is going",
        "waits 10 s, one error, exit 74; the first goes on",
    )


def test_a_rank_that_outlives_the_others_keeps_the_folder_locked(
    tmp_path: Path, undisturbed: Callable[..., Path], tell: Tell
) -> None:
    run, epochs = tmp_path / "run", 40  # enough not to be over before the signals come
    live = LiveRun(GAUSSIAN.command(run, ranks=2, run__epochs=epochs))
    wait_until(lambda: live.epochs >= 2, live)
    first, second = live.ranks()
    kill(live.process.pid)
    live.process.wait()  # before the rank is stopped: the system wakes stopped orphans, and ends them so
    kill(second, signal.SIGSTOP)  # it can notice nothing now, and its files stay open
    kill(first)
    successor = subprocess.Popen(GAUSSIAN.command(run, run__epochs=epochs), env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    time.sleep(3)
    assert successor.poll() is None
    rows = rows_of_run_file(run)
    kill(second)
    assert successor.wait(120) == 0
    assert 2 <= rows < epochs
    assert_same(run, undisturbed(GAUSSIAN, epochs))
    tell("a rank outlives launcher and rank 0", "the next run waits for it, then went on, same bits")


@pytest.mark.parametrize("ranks", [(2, 1), (1, 4), (4, 2)])
def test_a_run_goes_on_with_another_number_of_ranks(
    tmp_path: Path, undisturbed: Callable[..., Path], tell: Tell, ranks: tuple[int, int]
) -> None:
    before, after = ranks
    run = tmp_path / "run"
    live = LiveRun(DIGITS.command(run, ranks=before))
    wait_until(lambda: live.epochs >= 2, live)
    (run / "stop").touch()
    assert live.end() == STOPPED_EARLY, live.output
    finish(DIGITS.command(run, ranks=after))
    assert_same(run, undisturbed(DIGITS))
    tell("a run is continued on another number of ranks", "same bits")
