"""Trajectories: lazy slices that agree with the file, in blocks of any size."""

import os
import subprocess
import sys
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


def write_large(path: Path, steps: int, samples: int) -> None:
    """A file of chunked datasets as the writer leaves them, all ones; HDF5 stores no bytes for what was not written."""
    shape = (4, 16, 16)
    with h5py.File(path, "w") as raw:
        for name, rows in (("x", steps + 1), ("action", steps), ("mu", steps), ("mu_pre", steps)):
            raw.create_dataset(name, (rows, samples, *shape), np.float32, chunks=(1, samples, *shape), fillvalue=1.0)
        raw["abar"] = np.linspace(0.01, 0.99, steps + 1)
        raw["kl_step"] = np.zeros((steps, samples))
        raw.attrs["format"] = "scoreact-trajectories"
        raw.attrs["solver"], raw.attrs["eta"] = "ddim", 1.0


def bytes_read() -> int:
    """What this process has read from files so far."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="counts of bytes read are Linux's")
def test_a_slice_reads_its_own_bytes_and_not_the_file(tmp_path: Path) -> None:
    path, steps, samples = tmp_path / "epoch_000001.h5", 40, 64
    with h5py.File(path, "w") as raw:
        for name, rows in (("x", steps + 1), ("action", steps)):
            data = np.ones((rows, samples, 4, 16, 16), np.float32)
            raw.create_dataset(name, data=data, chunks=(1, 16, 4, 16, 16))
        raw.attrs["format"] = "scoreact-trajectories"
    slice_bytes = samples * 4 * 4 * 16 * 16
    before = bytes_read()
    with Trajectories(path) as trajectories:
        assert trajectories.state(7).shape == (samples, 4, 16, 16)
    whole_slice = bytes_read() - before
    assert slice_bytes <= whole_slice < 1.5 * slice_bytes
    before = bytes_read()
    with Trajectories(path) as trajectories:
        assert trajectories.state(7, slice(16, 32)).shape == (16, 4, 16, 16)
    assert bytes_read() - before < 0.5 * slice_bytes < path.stat().st_size / 100


LIMITED = """
import resource, sys
from pathlib import Path
from scoreact_analysis.recompute import recompute
used = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + int(sys.argv[2]), used + int(sys.argv[2])))
values = 0
for path in sorted(Path(sys.argv[1]).glob("*.h5")):
    result = recompute(path)
    values += result.deviations["kl_step"].values
print(values)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the limit is Linux's")
def test_a_set_of_files_larger_than_the_memory_is_gone_through(tmp_path: Path) -> None:
    files, steps, samples, memory = 4, 30, 64, 24 * 2**20
    for number in range(1, files + 1):
        write_large(tmp_path / f"epoch_{number:06d}.h5", steps, samples)
    one_file = 4 * (4 * steps + 1) * samples * 4 * 16 * 16
    assert one_file > memory and files * one_file > 4 * memory
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path), str(memory)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == files * steps * samples
