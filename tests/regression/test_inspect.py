"""scoreact inspect: what it says of each kind of file, as text and as JSON, and of files that are none of these."""

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

PROGRAM = os.environ["SCOREACT"]
DECK = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs" / "digits" / "ctrl.toml"
DAMAGED = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "tests" / "data" / "hdf5"
BAD_DATA, MISSING = 65, 66
EPOCHS, STEPS, SAMPLES = 2, 4, 8
SETTINGS = {
    "run.name": "look",
    "run.epochs": EPOCHS,
    "run.save_freq": 1,
    "sample.num_steps": STEPS,
    "sample.samples_per_epoch": SAMPLES,
    "sample.micro_batch_size": 4,
    "train.minibatch_size": 8,
    "train.micro_batch_size": 4,
    "train.num_times": 2,
    "value.steps_per_epoch": 1,
    "value.batch_size": 8,
    "store.images_per_epoch": 4,
    "store.trajectories": '"all"',
}


def inspect(*arguments: object, ranks: int = 1) -> subprocess.CompletedProcess[str]:
    launcher = ["mpirun", "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
    line = [*launcher, PROGRAM, "inspect", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=240)


def facts(path: Path) -> dict:
    """What --json prints: one object on one line and nothing else."""
    done = inspect(path, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == "" and done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def text(path: Path) -> str:
    done = inspect(path)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(path: Path, code: int) -> str:
    for options in ([], ["--json"]):
        done = inspect(path, *options)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert done.stderr.startswith("scoreact: rank 0: ") and str(path) in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("inspect") / "run"
    overrides = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    line = [PROGRAM, "finetune", str(DECK), "--out", str(out), "--quiet", *overrides]
    subprocess.run(line, check=True, timeout=300, capture_output=True)
    return out


def test_a_run_is_told_by_its_folder_or_its_file(run: Path) -> None:
    found = facts(run)
    assert found == facts(run / "run.h5")
    assert (found["kind"], found["name"], found["epochs"]) == ("run", "look", EPOCHS)
    with h5py.File(run / "run.h5") as file:
        assert found["last"] == {name: item[-1] for name, item in file["metrics"].items()}
        assert found["units"] == {name: item.attrs["units"] for name, item in file["metrics"].items()}
        assert found["attributes"]["git"] == file.attrs["git"]
    assert found["evaluation"] == {"epoch": [], "steps": [], "solver": []}
    lines = text(run).splitlines()
    assert any(line.split()[:2] == ["name", "look"] for line in lines)
    assert any(line.split()[0] == "epoch_time" and line.split()[-1] == "s" for line in lines), "numbers carry units"


def test_a_trajectory_file_lists_its_datasets(run: Path) -> None:
    path = run / "trajectories" / "epoch_000002.h5"
    found = facts(path)
    assert (found["kind"], found["steps"], found["samples"]) == ("trajectories", STEPS, SAMPLES)
    assert found["sample_shape"] == [1, 8, 8]
    assert found["attributes"]["epoch"] == 2 and found["attributes"]["solver"] == "ddim"
    with h5py.File(path) as file:
        expected = [{"name": n, "shape": list(d.shape), "units": d.attrs["units"]} for n, d in file.items()]
    assert found["datasets"] == expected
    assert f"[{STEPS + 1},{SAMPLES},1,8,8]" in text(path)


def test_checkpoints_are_listed_and_a_damaged_one_is_called_so(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    shutil.copytree(run / "checkpoints", folder, symlinks=True)
    weights = folder / "epoch_000001" / "policy.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    listed = facts(folder)
    assert listed["kind"] == "checkpoints"
    assert [(entry["epoch"], entry["valid"]) for entry in listed["checkpoints"]] == [(1, False), (2, True)]
    assert "policy.safetensors" in listed["checkpoints"][0]["damage"]
    damaged, sound = facts(folder / "epoch_000001"), facts(folder / "epoch_000002")
    assert (damaged["kind"], damaged["valid"]) == ("checkpoint", False) and "policy" not in damaged
    assert (sound["valid"], sound["damage"], sound["epoch"]) == (True, "", 2)
    assert sound["policy"]["numbers"] > 0 and sound["value"]["numbers"] > 0
    assert "policy.safetensors" in text(folder / "epoch_000001")


def test_a_safetensors_file_lists_its_tensors(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    header = {
        "__metadata__": {"made_by": "a test"},
        "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "I64", "shape": [], "data_offsets": [24, 32]},
    }
    packed = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(packed)) + packed + bytes(32))
    found = facts(path)
    assert (found["kind"], found["metadata"], found["numbers"]) == ("safetensors", {"made_by": "a test"}, 7)
    shapes = [(tensor["name"], tensor["shape"]) for tensor in found["tensors"]]
    assert shapes == [("a.weight", [2, 3]), ("b", [])]
    assert "a.weight" in text(path)
    path.write_bytes(path.read_bytes()[:-1])
    assert "cut off" in refused(path, BAD_DATA)


def test_other_hdf5_files_are_listed_too(run: Path, tmp_path: Path) -> None:
    optimizer = facts(run / "checkpoints" / "epoch_000002" / "optimizer.h5")
    assert optimizer["kind"] == "scoreact-optimizer" and optimizer["datasets"]
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["deep/inside/numbers"] = np.zeros((3, 4))
        file["deep/inside/numbers"].attrs["units"] = "m"
    assert facts(path)["datasets"] == [{"name": "deep/inside/numbers", "shape": [3, 4], "units": "m"}]


def test_what_is_none_of_these_is_refused(run: Path, tmp_path: Path) -> None:
    assert "no such file or folder" in refused(tmp_path / "absent.h5", MISSING)
    (tmp_path / "empty").mkdir()
    assert "expected a run, a checkpoint or a folder of checkpoints" in refused(tmp_path / "empty", BAD_DATA)
    for name, content in (("deck.toml", (run / "deck.toml").read_bytes()), ("nothing", b""), ("short", b"abc")):
        (tmp_path / name).write_bytes(content)
        assert "found neither" in refused(tmp_path / name, BAD_DATA)
    for path in (run / "run.h5", run / "trajectories" / "epoch_000001.h5"):
        whole = path.read_bytes()
        (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
        assert "not a readable HDF5 file" in refused(tmp_path / "cut.h5", BAD_DATA)


@pytest.mark.parametrize("name", ["crashes", "loops"])
def test_a_file_that_kills_libhdf5_is_called_damaged(name: str) -> None:
    path = DAMAGED / f"{name}.h5"  # one byte of a global heap is wrong; libhdf5 1.10.8 crashes or never ends
    done = inspect(path)
    assert (done.returncode, done.stdout) == (BAD_DATA, ""), done.stderr
    assert done.stderr.startswith(f"scoreact: rank 0: {path}: ") and done.stderr.count("\n") == 1


def test_a_newer_format_is_refused_by_its_number(run: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    shutil.copy(run / "run.h5", path)
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 99
    assert "format_version" in refused(path, BAD_DATA)


def test_under_mpirun_one_rank_answers(run: Path) -> None:
    done = inspect(run, "--json", ranks=2)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kind"] == "run"
