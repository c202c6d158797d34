"""What a run stores is enough: files describe themselves, open at any moment, and give KLs and advantages again."""

import os
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from scoreact_analysis.recompute import Recomputation, listing, recompute

PROGRAM = os.environ["SCOREACT"]
DIGITS = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs" / "digits"
STEPS, SAMPLES, EPOCHS, TIMES = 6, 16, 3, 4
SETTINGS = {
    "run.epochs": EPOCHS,
    "run.save_freq": 0,
    "sample.num_steps": STEPS,
    "sample.samples_per_epoch": SAMPLES,
    "sample.micro_batch_size": 4,
    "train.minibatch_size": 8,
    "train.micro_batch_size": 4,
    "train.num_times": TIMES,
    "value.steps_per_epoch": 1,
    "value.batch_size": 12,
    "store.images_per_epoch": 0,
    "store.trajectories": '"all"',
    "store.means": "true",
}
SCALES = {"time": "/tau", "sample": "/sample_index"}  # the others have the name of their dimension


def command(deck: str, out: Path, **settings: object) -> list[str]:
    changed = SETTINGS | {key.replace("__", "."): value for key, value in settings.items()}
    overrides = [word for key, value in changed.items() for word in ("--set", f"{key}={value}")]
    return [PROGRAM, "finetune", str(DIGITS / deck), "--out", str(out), "--quiet", *overrides]


def finetune(deck: str, out: Path, **settings: object) -> Path:
    done = subprocess.run(command(deck, out, **settings), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def judged(result: Recomputation, name: str) -> int:
    """How many values of a quantity were compared; fails where one is off or was not judged."""
    assert result.passed, listing(result)
    found = result.deviations[name]
    assert found.judged, found.note
    return found.values


@pytest.mark.parametrize("baseline", ["centred", "none", "antithetic"])
def test_finite_difference_advantages_come_again(tmp_path: Path, baseline: str) -> None:
    run = finetune("ctrl_paper.toml", tmp_path / "run", algorithm__baseline=baseline, run__epochs=2)
    result = recompute(run)
    assert judged(result, "advantage") == 2 * TIMES * SAMPLES
    assert judged(result, "metrics/advantage_std") == 2
    assert judged(result, "kl_step") == 2 * STEPS * SAMPLES


def test_gradient_advantages_come_again(tmp_path: Path) -> None:
    run = finetune("ctrl_paper.toml", tmp_path / "run", algorithm__advantage="gradient")
    assert judged(recompute(run), "advantage") == EPOCHS * TIMES * SAMPLES
    with h5py.File(run / "trajectories" / "epoch_000001.h5") as file:
        trained = file["train_weight"][:] > 0
        gradient = file["value_gradient"][:]
    assert (np.isfinite(gradient).all(axis=(2, 3, 4)) == trained).all()
    assert "value_difference" not in h5py.File(run / "trajectories" / "epoch_000001.h5")


@pytest.mark.parametrize("kl_weight", [0.0, 0.1])
def test_increments_come_again_from_values_and_rewards(tmp_path: Path, kl_weight: float) -> None:
    run = finetune("ctrl_released.toml", tmp_path / "run", train__num_times=STEPS, algorithm__kl_weight=kl_weight)
    result = recompute(run)
    assert judged(result, "advantage") == EPOCHS * STEPS * SAMPLES
    assert judged(result, "value_difference") == EPOCHS * STEPS * SAMPLES


@pytest.mark.parametrize("buffer_size", [0, 8])
def test_ddpo_advantages_come_again_from_the_rewards_of_all_epochs(tmp_path: Path, buffer_size: int) -> None:
    statistics = {"per_prompt_stat_tracking__buffer_size": buffer_size, "per_prompt_stat_tracking__min_count": 2}
    run = finetune("ddpo.toml", tmp_path / "run", **statistics)
    assert judged(recompute(run), "advantage") == EPOCHS * TIMES * SAMPLES


@pytest.fixture(scope="module")
def pathwise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finetune("ctrl.toml", tmp_path_factory.mktemp("pathwise") / "run")


def test_a_pathwise_run_stores_the_value_gradient_that_it_took(pathwise: Path) -> None:
    result = recompute(pathwise)
    assert judged(result, "kl_step") == EPOCHS * STEPS * SAMPLES and "advantage" not in result.deviations
    with h5py.File(pathwise / "trajectories" / "epoch_000002.h5") as file:
        assert file["value_gradient"].shape == file["action"].shape
        assert np.abs(np.nan_to_num(file["value_gradient"][:])).max() > 0


def test_trajectory_files_describe_themselves(pathwise: Path) -> None:
    with h5py.File(pathwise / "trajectories" / "epoch_000001.h5") as file, h5py.File(pathwise / "run.h5") as run:
        for name, dataset in file.items():
            assert dataset.attrs["units"] and dataset.attrs["long_name"], name
            labels = [dimension.label for dimension in dataset.dims]
            assert ", ".join(labels) == dataset.attrs["dimensions"] and all(labels), name
            for dimension, extent in zip(dataset.dims, dataset.shape, strict=True):
                scale = SCALES.get(dimension.label, f"/{dimension.label}")
                if scale != dataset.name:
                    assert [found.name for found in dimension.values()] == [scale], name
                    assert dimension[0].shape == (extent,) and dimension[0].is_scale
        for name in ("software", "version", "git", "deck", *(n for n in run.attrs if n.startswith("version."))):
            assert file.attrs[name] == run.attrs[name], name
        assert file["step"][:].tolist() == list(range(STEPS))
        assert file["width"][:].tolist() == list(range(8))


def test_run_files_carry_the_epoch_along_every_column(pathwise: Path) -> None:
    with h5py.File(pathwise / "run.h5") as file:
        for group in ("metrics", "resources"):
            for name, dataset in file[group].items():
                if name != "epoch":
                    assert dataset.dims[0][0].name == "/metrics/epoch", name
        assert file["resources/trajectory_time"][0] == 0 and (file["resources/trajectory_time"][1:] > 0).all()
        assert (file["resources/communication_time"][:] >= 0).all()


def test_run_h5_opens_at_any_moment_of_the_run(tmp_path: Path) -> None:
    path, seen = tmp_path / "run" / "run.h5", set()
    with subprocess.Popen(command("ctrl.toml", tmp_path / "run", run__epochs=8)) as process:
        give_up = time.monotonic() + 300
        while process.poll() is None:
            assert time.monotonic() < give_up
            if path.exists():
                with h5py.File(path, locking=False) as file:
                    rows = {dataset.shape[0] for group in ("metrics", "resources") for dataset in file[group].values()}
                assert len(rows) <= 1, "every column of a file has the same rows"
                seen |= rows
            time.sleep(0.001)
        assert process.returncode == 0
    assert len(seen) >= 4, "the run was watched while it went"
