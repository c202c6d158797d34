"""Ranks that fail, stop or stay away: the others end with the name of that one and with its exit code, and never wait."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

PROGRAM = os.environ["SCOREACT"]
DECK = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs" / "analytic" / "gaussian.toml"
MISSING_INPUT, BAD_DATA, INTERNAL, IO, STOPPED_EARLY = 66, 65, 70, 74, 75
PATIENCE = 6  # seconds; the machine may be busy
ENDLESS = {
    "run.epochs": 1000000,
    "run.save_freq": 1,
    "sample.num_steps": 5,
    "sample.samples_per_epoch": 64,
    "sample.micro_batch_size": 16,
    "train.minibatch_size": 64,
    "train.micro_batch_size": 16,
    "train.num_times": 2,
}


def rank(out: Path, **settings: object) -> list[str]:
    """The command line of one rank; settings as section__key."""
    changed = ENDLESS | {key.replace("__", "."): value for key, value in settings.items()}
    overrides = [word for key, value in changed.items() for word in ("--set", f"{key}={value}")]
    return [PROGRAM, "finetune", str(DECK), "--out", str(out), "--quiet", *overrides]


def launch(lines: list[list[str]]) -> subprocess.Popen[str]:
    """One program of so many ranks, each with its own command line."""
    words = [word for line in lines for word in (":", "-n", "1", *line)]
    return subprocess.Popen(
        ["mpirun", "--oversubscribe", *words[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def messages(process: subprocess.Popen[str]) -> list[str]:
    """What the ranks said; the launcher's own words are left out."""
    try:
        _, stderr = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail("the ranks wait for each other")
    return [line for line in stderr.splitlines() if line.startswith("scoreact: rank")]


@pytest.mark.parametrize(("ranks", "wrong"), [(2, 1), (4, 2), (4, 0)])
def test_a_rank_that_fails_alone_ends_all_with_its_message(tmp_path: Path, ranks: int, wrong: int) -> None:
    lines = [rank(tmp_path / "run") for _ in range(ranks)]
    lines[wrong] = rank(tmp_path / "run", model__kind="pixel_unet", model__path=f'"{tmp_path}/nowhere"')
    process = launch(lines)
    said = messages(process)
    assert process.returncode == MISSING_INPUT, said
    assert len(said) == 1 and said[0].startswith(f"scoreact: rank {wrong}: "), said
    assert "nowhere" in said[0]


@pytest.mark.parametrize(("ranks", "wrong"), [(2, 0), (4, 3)])
def test_a_rank_whose_rewards_are_not_finite_ends_all_in_good_order(tmp_path: Path, ranks: int, wrong: int) -> None:
    lines = [rank(tmp_path / "run") for _ in range(ranks)]
    lines[wrong] = rank(tmp_path / "run", reward__vector="[1e300, 1e300]")
    process = launch(lines)
    said = messages(process)
    assert process.returncode == INTERNAL, said
    assert len(said) == 1 and said[0].startswith(f"scoreact: rank {wrong}: epoch 1: "), said
    assert "not finite" in said[0]


def test_what_is_wrong_on_all_ranks_is_said_once(tmp_path: Path) -> None:
    process = launch([rank(tmp_path / "run", sample__micro_batch_size=64)] * 4)
    said = messages(process)
    assert process.returncode == BAD_DATA, said
    assert len(said) == 1 and "4 ranks" in said[0], said


@pytest.mark.parametrize(("ranks", "stopped"), [(2, 0), (2, 1), (4, 2)])
def test_a_rank_that_hangs_is_named_by_the_others(tmp_path: Path, ranks: int, stopped: int) -> None:
    run = tmp_path / "run"
    process = launch([rank(run, run__communication_timeout=f'"00:00:{PATIENCE:02d}"')] * ranks)
    while not (run / "checkpoints" / "epoch_000002" / "DONE").exists():
        assert process.poll() is None, messages(process)
        time.sleep(0.01)
    programs = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(programs) == ranks
    os.kill(int(programs[stopped]), signal.SIGSTOP)
    since = time.monotonic()
    said = messages(process)
    assert process.returncode == IO, said
    assert time.monotonic() - since >= PATIENCE, "somebody lost patience too soon"
    assert len(said) == 1 and f"no sign of rank {stopped} on " in said[0], said
    others = [r for r in range(ranks) if r != stopped]
    assert said[0].startswith(tuple(f"scoreact: rank {r}: " for r in others)), "one speaks for all"
    assert not any(f"rank {r} on " in said[0] for r in others), said

    again = subprocess.run(rank(run, run__max_time='"00:00:01"'), timeout=120, check=False)
    assert again.returncode == STOPPED_EARLY, "the run goes on from its last checkpoint"
