"""Trajectories: lazy slices that agree with the file, in blocks of any size."""

import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import DIMENSIONS, SAMPLES, SHAPE, STEPS
from scoreact_analysis import AnalysisError, Trajectories
from scoreact_analysis.recompute import recompute


@pytest.fixture
def file(run_dir: Path) -> Path:
    return run_dir / "trajectories/epoch_000008.h5"


def test_shapes_and_attributes(file: Path) -> None:
    with Trajectories(file) as trajectories:
        assert (trajectories.num_steps, trajectories.num_samples, trajectories.shape) == (STEPS, SAMPLES, SHAPE)
        assert (trajectories.solver, trajectories.eta, trajectories.kl_weight) == ("euler_maruyama", 1.0, 0.1)
        assert trajectories.per_step("s_a").shape == (STEPS,)
        assert trajectories.per_step("tau").shape == (STEPS + 1,)
        assert trajectories.per_sample("reward").shape == (SAMPLES,)
        assert trajectories.state(STEPS).shape == (SAMPLES, *SHAPE)


def test_blocks_cover_every_sample_of_every_step_once(file: Path) -> None:
    with h5py.File(file) as raw:
        actions = raw["action"][...].reshape(STEPS, SAMPLES, DIMENSIONS)
    seen = np.zeros((STEPS, SAMPLES), int)
    with Trajectories(file) as trajectories:
        for block in trajectories.blocks(block_bytes=5 * 8 * DIMENSIONS):  # five samples: 24 is no multiple
            assert block.action.shape[0] <= 5
            assert (block.action == actions[block.step, block.samples]).all()
            seen[block.step, block.samples] += 1
    assert (seen == 1).all()


def test_a_table_of_the_wrong_length_exits_65(file: Path) -> None:
    with h5py.File(file, "r+") as raw:
        del raw["abar"]
        raw["abar"] = np.ones(STEPS)
    with (
        Trajectories(file) as trajectories,
        pytest.raises(AnalysisError, match=r"'abar' has shape \(10,\), expected \(11,\)") as caught,
    ):
        trajectories.per_step("abar")
    assert caught.value.code == 65


def test_states_and_actions_that_do_not_match_exit_65(file: Path) -> None:
    with h5py.File(file, "r+") as raw:
        states = raw["x"][:-1]
        del raw["x"]
        raw["x"] = states
    with pytest.raises(AnalysisError, match=r"should be \[K\+1, B, \.\.\.\]") as caught:
        Trajectories(file)
    assert caught.value.code == 65


def test_a_recomputation_holds_a_few_time_slices_in_memory_not_the_file(tmp_path: Path) -> None:
    steps, samples, shape = 60, 16, (4, 16, 16)
    path = tmp_path / "epoch_000001.h5"
    with h5py.File(path, "w") as raw:
        for name, rows in (("x", steps + 1), ("action", steps), ("mu", steps), ("mu_pre", steps)):
            data = raw.create_dataset(name, (rows, samples, *shape), np.float32)
            for row in range(rows):
                data[row] = 1.0
        raw["abar"] = np.linspace(0.01, 0.99, steps + 1)
        raw["kl_step"] = np.zeros((steps, samples))
        raw.attrs["format"] = "scoreact-trajectories"
        raw.attrs["solver"], raw.attrs["eta"] = "ddim", 1.0
    slice_bytes = 8 * samples * 4 * 16 * 16  # one array of one time as float64
    tracemalloc.start()
    result = recompute(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.passed
    assert result.deviations["kl_step"].values == steps * samples
    assert peak < 20 * slice_bytes < path.stat().st_size / 4
