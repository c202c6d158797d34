"""Rewards that are not finite and policies that diverge: one clear error, and what was finished stays good."""

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty_run import (
    DIGITS,
    GAUSSIAN,
    INTERNAL,
    Tell,
    assert_one_error,
    finish,
    rows_of_run_file,
    sound_checkpoints,
)
from same_bits import assert_same


def spoil(path: Path, value: float) -> None:
    """Puts `value` into the first number of every fp32 tensor of a safetensors file."""
    content = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start = 8 + length + entry["data_offsets"][0]
            content[start : start + 4] = struct.pack("<f", value)
    path.write_bytes(content)


def finite(path: Path) -> bool:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return bool(np.isfinite(np.frombuffer(content[8 + length :], "<f4")).all())


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=["NaN", "infinity"])
@pytest.mark.parametrize("what", ["classifier", "model"])
@pytest.mark.parametrize("ranks", [1, 2])
def test_weights_that_are_not_finite_stop_the_run_in_its_first_epoch(
    tmp_path: Path, tell: Tell, value: float, what: str, ranks: int
) -> None:
    digits = Path(shutil.copytree(DIGITS.deck.parent, tmp_path / "digits"))
    for path in (digits / what).glob("*.safetensors"):
        spoil(path, value)
    line = DIGITS.command(tmp_path / "run", ranks=ranks)
    line[line.index(str(DIGITS.deck))] = str(digits / "ctrl.toml")
    assert_one_error(finish(line, INTERNAL).stderr, "not finite")
    assert rows_of_run_file(tmp_path / "run") == 0
    tell(f"{what} weights are NaN or infinite", "one error, exit 70, no epoch recorded")


def test_a_reward_that_becomes_nan_loses_nothing_that_was_finished(
    tmp_path: Path, undisturbed: Callable[..., Path], tell: Tell
) -> None:
    digits = Path(shutil.copytree(DIGITS.deck.parent, tmp_path / "digits"))
    (weights,) = (digits / "classifier").glob("*.safetensors")
    good = weights.read_bytes()
    run = tmp_path / "run"

    def line(epochs: int) -> list[str]:
        words = DIGITS.command(run, run__epochs=epochs)
        return [str(digits / "ctrl.toml") if word == str(DIGITS.deck) else word for word in words]

    finish(line(2))
    spoil(weights, float("nan"))
    assert_one_error(finish(line(4), INTERNAL).stderr, "epoch 3", "not finite")
    assert rows_of_run_file(run) == 2 and sound_checkpoints(run) == [1, 2]
    weights.write_bytes(good)
    finish(line(4))
    assert_same(run, undisturbed(DIGITS, 4))
    tell("reward becomes NaN in the middle of a run", "one error, exit 70; went on once it was repaired, same bits")


@pytest.mark.parametrize(
    ("deck", "settings"),
    [
        ("gaussian", {"train__learning_rate": 1e30}),
        ("gaussian", {"train__learning_rate": 1e38}),
        ("gaussian", {"train__learning_rate": 1e20, "value__steps_per_epoch": 4, "value__learning_rate": 1e20}),
        ("ctrl", {"train__learning_rate": 1e6}),
        ("ctrl", {"train__learning_rate": 1e30}),
        ("ctrl", {"value__learning_rate": 1e30}),
    ],
)
def test_a_policy_that_diverges_stops_with_sound_checkpoints(
    tmp_path: Path, tell: Tell, deck: str, settings: dict[str, Any]
) -> None:
    case = GAUSSIAN if deck == "gaussian" else DIGITS
    run = tmp_path / "run"
    done = finish(case.command(run, run__epochs=12, run__num_checkpoint_limit=20, **settings), INTERNAL)
    assert_one_error(done.stderr, "epoch ")
    assert "diverged" in done.stderr or "not finite" in done.stderr
    sound = sound_checkpoints(run)
    assert sound == list(range(1, len(sound) + 1))
    for path in (run / "checkpoints").rglob("*.safetensors"):
        assert finite(path), path
    assert len(list((run / "trajectories").glob("*.h5"))) == len(sound)
    tell(f"{deck}: learning rates that diverge", "one error, exit 70; run.h5 and all checkpoints finite and sound")
