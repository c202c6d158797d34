"""SIGKILL at random moments to ranks or launcher: run.h5 stays readable, the run goes on, the bits are right."""

import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_run import (
    GAUSSIAN,
    LAUNCHER_GIVES_UP,
    LONG,
    Case,
    LiveRun,
    Tell,
    finish,
    kill,
    program_of,
    rows_of_run_file,
)
from same_bits import assert_same

KILLS = {"gaussian": 100, "ctrl": 40} if LONG else {"gaussian": 10, "ctrl": 4}
VICTIMS = {
    "the only process": 1,
    "one of 2 ranks": 2,
    "both ranks": 2,
    "the launcher of 2 ranks": 2,
    "launcher and both ranks": 2,
}


def half_written(run: Path, since: float) -> str:
    """What a process that began at `since` left unfinished when it was killed."""
    for pattern, what in (
        ("checkpoints/*.tmp", "a checkpoint"),
        ("checkpoints/*.removed", "a checkpoint"),
        ("trajectories/*.tmp*", "a trajectory file"),
        ("run.h5.tmp", "run.h5"),
        ("images/*.tmp", "a picture"),
        ("policy/*.tmp", "the final policy"),
        ("*.tmp", "deck.toml"),
    ):
        if any(path.lstat().st_mtime >= since for path in run.glob(pattern)):
            return what
    return "no file"


def strike(live: LiveRun, victim: str, chance: random.Random) -> bool:
    """Sends SIGKILL; true if it hit something that was still going."""
    ranks = live.ranks()
    if victim == "one of 2 ranks":
        targets = [chance.choice(ranks)] if ranks else []
    elif victim == "both ranks":
        targets = ranks
    elif victim == "launcher and both ranks":
        targets = [live.process.pid, *ranks]
    else:
        targets = [live.process.pid]
    if not targets or not live.going():
        return False
    for pid in targets:
        kill(pid)
    code = live.end(LAUNCHER_GIVES_UP)
    assert code != 0 or live.epochs > 0, live.output
    return code != 0


def watch(run: Path, live: LiveRun, epochs: int, seconds: float) -> int:
    """Until it has told `epochs` epochs and then for `seconds`, opens run.h5 over and over; the number of times.

    Every epoch that this process or one before it has finished must be there, unless it is being done anew.
    """
    least, opened, since = rows_of_run_file(run), 0, 0.0
    while live.going() and (since == 0.0 or time.monotonic() < since + seconds):
        if live.told >= epochs and since == 0.0:
            since = time.monotonic()
        finished = live.epochs
        rows = rows_of_run_file(run)
        assert rows >= (finished or least), (rows, finished, least)
        opened += rows >= 0
        time.sleep(0.002)
    return opened


def test_killed_at_random_moments_it_goes_on_with_the_same_bits(
    tmp_path: Path,
    undisturbed: Callable[..., Path],
    chance: random.Random,
    tell: Tell,
    note: Callable[[str], None],
    case: Case,
) -> None:
    reference = undisturbed(case)
    first = LiveRun(case.command(tmp_path / "timing"))
    while first.going() and first.epochs == 0:
        time.sleep(0.001)
    start_up = time.monotonic() - first.started
    assert first.end() == 0, first.output
    epoch = (time.monotonic() - first.started - start_up) / (case.epochs - 1)

    wanted, kills, opened, number = KILLS[case.deck.stem], Counter[str](), 0, 0
    states: Counter[str] = Counter()
    while kills.total() < wanted:
        number += 1
        run, hits = tmp_path / f"run{number}", Counter[str]()
        while True:  # until this run gets to its end before it is hit
            victim = chance.choice(list(VICTIMS))
            began = time.time()
            live = LiveRun(case.command(run, ranks=VICTIMS[victim]))
            epochs = chance.choice([0, 1, 1, 2])  # 0: in start-up or the first epoch
            opened += watch(run, live, epochs, chance.uniform(0, 1.2 * (epoch if epochs else start_up)))
            hit = strike(live, victim, chance)
            if hit:
                hits[victim] += 1
                states[half_written(run, began)] += 1
                rows = max(0, rows_of_run_file(run))
                assert rows >= live.epochs, (rows, live.output)
            else:
                assert live.end() == 0, live.output
                break
            if hits.total() >= 12 or kills.total() + hits.total() >= wanted:
                finish(case.command(run, ranks=chance.choice([1, 2, 4])))
                break
        assert_same(run, reference, f"kills: {dict(hits)}")
        for victim, times in hits.items():
            tell(f"SIGKILL to {victim}, at a random moment", "went on, same bits", times)
        kills += hits
    left = ", ".join(f"{what} {times}" for what, times in sorted(states.items()))
    note(
        f"{case.deck.stem}: {kills.total()} kills in {number} runs; run.h5 opened {opened} times meanwhile, "
        f"never damaged; left half-written: {left}"
    )
    assert opened > 0


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_die_with_their_launcher_and_the_next_run_can_start_at_once(
    tmp_path: Path, undisturbed: Callable[..., Path], tell: Tell, ranks: int
) -> None:
    live = LiveRun(GAUSSIAN.command(tmp_path / "run", ranks=ranks))
    while live.going() and live.epochs < 2:
        time.sleep(0.001)
    left = live.ranks()
    assert len(left) == ranks
    kill(live.process.pid)
    killed = time.monotonic()
    finish(GAUSSIAN.command(tmp_path / "run", ranks=2))  # waits for the lock if it has to
    assert_same(tmp_path / "run", undisturbed(GAUSSIAN))
    while any(program_of(pid) for pid in left):
        assert time.monotonic() < killed + 30, "ranks outlive their launcher"
        time.sleep(0.01)
    tell("SIGKILL to the launcher, next run started at once", "waited for the old ranks, went on, same bits")
