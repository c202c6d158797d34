"""Files that are cut off or have wrong bits: recognised, passed over or refused, and nothing is lost."""

import json
import random
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_run import (
    BAD_DATA,
    DIGITS,
    DONE,
    GAUSSIAN,
    IO_ERROR,
    LONG,
    MISSING,
    PROGRAM,
    Tell,
    assert_one_error,
    copy_run,
    damage,
    errors_in,
    finish,
    rows_of_run_file,
    sound_checkpoints,
    warnings_in,
)
from same_bits import assert_same

EPOCHS, STOPPED_AFTER = 4, 2
HOW = ["cut off", "emptied", "a bit flipped", "removed"]
CHECKPOINT_FILES = ["policy.safetensors", "value.safetensors", "optimizer.h5", "state.json", "run.h5", "DONE"]
TIMES = 40 if LONG else 4


@pytest.fixture(scope="module")
def stopped(undisturbed: Callable[..., Path]) -> Path:
    """A run that has more epochs before it. Not to be changed."""
    return undisturbed(GAUSSIAN, STOPPED_AFTER)


def tree(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def go_on(run: Path) -> list[str]:
    """Continues to the last epoch; its warnings."""
    return warnings_in(finish(GAUSSIAN.command(run, run__epochs=EPOCHS)).stderr)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", CHECKPOINT_FILES)
def test_a_damaged_newest_checkpoint_is_passed_over_with_a_warning(
    tmp_path: Path,
    undisturbed: Callable[..., Path],
    stopped: Path,
    chance: random.Random,
    tell: Tell,
    name: str,
    how: str,
) -> None:
    run = copy_run(stopped, tmp_path / "run")
    damage(run / "checkpoints" / "epoch_000002" / name, how, chance)
    assert sound_checkpoints(run) == [1]
    warnings = go_on(run)
    assert len(warnings) == 1 and "epoch_000002" in warnings[0] and "passed over" in warnings[0], warnings
    assert_same(run, undisturbed(GAUSSIAN, EPOCHS))
    assert sound_checkpoints(run) == [1, 2, 3, 4]
    tell(f"newest checkpoint: one of its files {how}", "warning, went on from the one before, same bits")


def test_a_run_whose_checkpoints_are_all_damaged_stops_and_changes_nothing(
    tmp_path: Path, stopped: Path, chance: random.Random, tell: Tell
) -> None:
    run = copy_run(stopped, tmp_path / "run")
    for epoch in (1, 2):
        damage(run / "checkpoints" / f"epoch_{epoch:06d}" / "policy.safetensors", "a bit flipped", chance)
    before = tree(run)
    done = finish(GAUSSIAN.command(run, run__epochs=EPOCHS), BAD_DATA)
    assert_one_error(done.stderr, "none of the checkpoints is sound")
    assert len(warnings_in(done.stderr)) == 2
    assert tree(run) == before
    tell("every checkpoint damaged", "one error, exit 65, nothing changed")


def test_damaged_checkpoints_do_not_count_among_those_to_keep(
    tmp_path: Path, stopped: Path, chance: random.Random
) -> None:
    run = copy_run(stopped, tmp_path / "run")
    damage(run / "checkpoints" / "epoch_000002" / "policy.safetensors", "a bit flipped", chance)
    finish(GAUSSIAN.command(run, run__epochs=3, run__save_freq=3, run__num_checkpoint_limit=2))
    assert sound_checkpoints(run) == [1, 3]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["epoch_000001", "epoch_000003", "latest"]


def test_what_a_killed_process_left_is_cleared_away(
    tmp_path: Path, undisturbed: Callable[..., Path], stopped: Path
) -> None:
    run = copy_run(stopped, tmp_path / "run")
    for name in ("run.h5.tmp", "deck.toml.tmp", "trajectories/epoch_000003.h5.tmp"):
        (run / name).write_bytes(b"half a file")
    for name in ("epoch_000003.tmp", "epoch_000001.removed"):
        shutil.copytree(run / "checkpoints" / "epoch_000002", run / "checkpoints" / name)
    (run / "checkpoints" / "latest").unlink()
    (run / "checkpoints" / "latest").symlink_to("epoch_000007")
    assert go_on(run) == []
    assert_same(run, undisturbed(GAUSSIAN, EPOCHS))
    assert not list(run.rglob("*.tmp")) and not list(run.rglob("*.removed"))
    assert (run / "checkpoints" / "latest").readlink() == Path("epoch_000004")


@pytest.mark.parametrize("how", HOW)
def test_a_damaged_run_file_is_brought_back_from_the_checkpoint(
    tmp_path: Path, undisturbed: Callable[..., Path], stopped: Path, chance: random.Random, tell: Tell, how: str
) -> None:
    for attempt in range(TIMES if how in ("cut off", "a bit flipped") else 1):
        run = copy_run(stopped, tmp_path / f"run{attempt}")
        damage(run / "run.h5", how, chance)
        warnings = go_on(run)
        assert len(warnings) <= 1 and all("run.h5" in line for line in warnings), warnings
        assert warnings or how == "a bit flipped"  # one in a byte that means nothing
        assert (run / "run.h5.damaged").exists() == (bool(warnings) and how != "removed")
        assert_same(run, undisturbed(GAUSSIAN, EPOCHS))
        assert rows_of_run_file(run) == EPOCHS
        outcome = "warning, its epochs taken from the checkpoint" if warnings else "in a byte without meaning, went on"
        tell(f"run.h5 {how}", f"{outcome}, same bits")


@pytest.mark.parametrize("how", ["cut off", "emptied"])
def test_a_damaged_trajectory_file_is_named_by_inspect_and_does_not_stop_the_run(
    tmp_path: Path, stopped: Path, undisturbed: Callable[..., Path], chance: random.Random, tell: Tell, how: str
) -> None:
    run = copy_run(stopped, tmp_path / "run")
    damaged = run / "trajectories" / "epoch_000001.h5"
    damage(damaged, how, chance)
    assert_one_error(finish([PROGRAM, "inspect", str(damaged)], BAD_DATA).stderr, "epoch_000001.h5")
    go_on(run)
    shutil.copy(stopped / "trajectories" / "epoch_000001.h5", damaged)
    assert_same(run, undisturbed(GAUSSIAN, EPOCHS))
    tell(f"a finished trajectory file {how}", "inspect: one error, exit 65; the run goes on, same bits")


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A copy of the digit inputs that may be damaged; its deck is ctrl.toml."""
    return Path(shutil.copytree(DIGITS.deck.parent, tmp_path / "digits"))


def weights_of(folder: Path) -> Path:
    (found,) = folder.glob("*.safetensors")
    return found


@pytest.mark.parametrize("what", ["model", "classifier"])
@pytest.mark.parametrize("how", ["cut off", "emptied", "removed"])
def test_damaged_weights_are_refused_before_anything_is_computed(
    tmp_path: Path, digits: Path, chance: random.Random, tell: Tell, what: str, how: str
) -> None:
    damage(weights_of(digits / what), how, chance)
    line = DIGITS.command(tmp_path / "run")
    line[line.index(str(DIGITS.deck))] = str(digits / "ctrl.toml")
    code = MISSING if how == "removed" else BAD_DATA
    assert_one_error(finish(line, code).stderr, ".safetensors")
    assert not (tmp_path / "run" / "run.h5").exists()
    tell(f"{what} weights {how}", f"one error, exit {code}, before anything is computed")


def test_weights_with_a_damaged_header_are_read_rightly_or_refused(
    digits: Path, chance: random.Random, tell: Tell
) -> None:
    path = weights_of(digits / "model")
    good = path.read_bytes()
    (length,) = struct.unpack("<Q", good[:8])
    expected = finish([PROGRAM, "inspect", str(path), "--json"]).stdout
    for _ in range(3 * TIMES):
        bad = bytearray(good)
        bad[chance.randrange(8 + length)] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        done = finish([PROGRAM, "inspect", str(path), "--json"], DONE, BAD_DATA)
        if done.returncode == BAD_DATA:
            assert_one_error(done.stderr, path.name)
            tell("a bit of a safetensors header flipped", "one error, exit 65")
        else:  # a name or a remark has changed
            assert len(json.loads(done.stdout)["tensors"]) == len(json.loads(expected)["tensors"])
            tell("a bit of a safetensors header flipped", "still a valid file of as many tensors")


def mutated(text: str, chance: random.Random) -> bytes:
    """A deck with a small accident: bytes changed, lost, doubled, lines lost or moved, the end missing."""
    content = bytearray(text.encode())
    kind = chance.randrange(5)
    at = chance.randrange(len(content))
    if kind == 0:
        content[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        del content[at : at + chance.randrange(1, 30)]
    elif kind == 2:
        content[at:at] = content[at : at + chance.randrange(1, 30)]
    elif kind == 3:
        del content[at:]
    else:
        lines = text.splitlines(keepends=True)
        lines.insert(chance.randrange(len(lines)), lines.pop(chance.randrange(len(lines))))
        content = bytearray("".join(lines).encode())
    return bytes(content)


@pytest.mark.parametrize("deck", [GAUSSIAN.deck, DIGITS.deck], ids=lambda deck: deck.stem)
def test_a_damaged_deck_is_understood_or_refused(tmp_path: Path, chance: random.Random, tell: Tell, deck: Path) -> None:
    path = tmp_path / "deck.toml"
    text = deck.read_text().replace('path = "', f'path = "{deck.parent}/')
    for _ in range(6 * TIMES):
        path.write_bytes(mutated(text, chance))
        content = path.read_bytes()
        done = finish([PROGRAM, "finetune", str(path), "--dump-deck"], DONE, BAD_DATA, MISSING)
        if done.returncode == DONE:
            path.write_text(done.stdout)
            again = finish([PROGRAM, "finetune", str(path), "--dump-deck"])
            assert again.stdout == done.stdout, content
            tell("deck with a random accident", "still a valid deck")
        else:
            assert errors_in(done.stderr), (done.stderr, content)
            tell("deck with a random accident", f"error with file and line, exit {done.returncode}")


def test_a_damaged_deck_in_the_run_folder_is_refused_by_evaluate_and_replaced_by_the_run(
    tmp_path: Path, stopped: Path, undisturbed: Callable[..., Path]
) -> None:
    run = copy_run(stopped, tmp_path / "run")
    (run / "deck.toml").write_text("[run\n")
    assert_one_error(finish([PROGRAM, "evaluate", str(run)], BAD_DATA).stderr, "deck.toml")
    go_on(run)
    assert_same(run, undisturbed(GAUSSIAN, EPOCHS))


def test_a_folder_that_cannot_be_written_is_an_io_error(tmp_path: Path, tell: Tell) -> None:
    (tmp_path / "file").write_text("")
    assert_one_error(finish(GAUSSIAN.command(tmp_path / "file"), IO_ERROR).stderr, "file")
    assert_one_error(finish(GAUSSIAN.command(tmp_path / "file" / "run"), IO_ERROR).stderr, "file")
    tell("the run's folder cannot be made", "one error, exit 74", 2)
