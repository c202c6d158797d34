"""RunFile: what is read, and what is said about files that are missing, foreign or half written."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import write_run
from scoreact_analysis import AnalysisError, RunFile


def test_metrics_are_float64_one_value_an_epoch(run_dir: Path) -> None:
    run = RunFile(run_dir)
    assert run.epochs == 8
    assert run.metric("reward_mean").shape == (8,)
    assert run.metric("reward_mean").dtype == np.float64
    assert run.labels["kl_path"] == "kl path (nats)"
    assert run.finished


def test_the_file_itself_may_be_named_instead_of_its_folder(run_dir: Path) -> None:
    assert RunFile(run_dir / "run.h5").name == "digits-ctrl"


def test_a_metric_that_is_not_recorded_is_nan_everywhere(run_dir: Path) -> None:
    run = RunFile(run_dir)
    assert np.isnan(run.metric("no_such_metric")).all()
    assert not run.has("no_such_metric")


def test_group_is_the_name_without_its_seed(tmp_path: Path) -> None:
    names = {"ctrl_seed3": "ctrl", "ctrl-seed12": "ctrl", "ctrl": "ctrl", "seed_study": "seed_study"}
    for index, (name, group) in enumerate(names.items()):
        run = RunFile(write_run(tmp_path / str(index), name=name, trajectories=False, images=False))
        assert run.group == group


def test_metrics_of_a_run_still_going_are_brought_to_one_length(run_dir: Path) -> None:
    with h5py.File(run_dir / "run.h5", "r+") as file:
        file["metrics/reward_mean"].resize((9,))  # one epoch ahead of the others
        file["metrics/grad_norm"].resize((7,))  # one behind
    run = RunFile(run_dir)
    assert run.metric("reward_mean").size == run.metric("grad_norm").size == 8
    assert np.isnan(run.metric("grad_norm")[-1])


def test_refresh_sees_epochs_written_since(run_dir: Path) -> None:
    run = RunFile(run_dir)
    assert run.metric("epoch")[-1] == 8
    with h5py.File(run_dir / "run.h5", "r+") as file:
        for dataset in file["metrics"].values():
            dataset.resize((9,))
        file["metrics/epoch"][8] = 9
    assert run.epochs == 8
    run.refresh()
    assert run.epochs == 9
    assert run.metric("epoch")[-1] == 9


def test_a_run_without_any_epoch_yet_is_no_error(tmp_path: Path) -> None:
    run = RunFile(write_run(tmp_path / "r", epochs=0, planned=5, evaluated=False, trajectories=False, images=False))
    assert run.epochs == 0
    assert not run.finished
    assert run.evaluation is None


def test_gain_share_follows_from_the_recorded_optimum(run_dir: Path) -> None:
    evaluation = RunFile(run_dir).evaluation
    assert evaluation is not None
    reward = evaluation.table("reward_mean")
    assert np.allclose(evaluation.gain_share("chain"), (reward - 0.1 * evaluation.table("kl_chain") + 2) / (2 - 0.12))


def test_a_recorded_gain_share_is_preferred(run_dir: Path) -> None:
    with h5py.File(run_dir / "run.h5", "r+") as file:
        file["evaluation/gain_share_path"] = np.full((3, 4), 0.5)
    evaluation = RunFile(run_dir).evaluation
    assert evaluation is not None
    assert (evaluation.gain_share("path") == 0.5).all()


def test_evaluations_are_sorted_by_epoch(run_dir: Path) -> None:
    with h5py.File(run_dir / "run.h5", "r+") as file:
        rewards = file["evaluation/reward_mean"][...]
        file["evaluation/epoch"][...] = [8, 0, 4]
    evaluation = RunFile(run_dir).evaluation
    assert evaluation is not None
    assert evaluation.epoch.tolist() == [0, 4, 8]
    assert (evaluation.table("reward_mean")[2] == rewards[0]).all()


def test_a_missing_folder_exits_66(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="no such run folder") as caught:
        RunFile(tmp_path / "absent")
    assert caught.value.code == 66


def test_a_folder_without_run_h5_exits_66(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"run\.h5: no such file") as caught:
        RunFile(tmp_path)
    assert caught.value.code == 66


def test_a_file_that_is_not_hdf5_exits_65(tmp_path: Path) -> None:
    (tmp_path / "run.h5").write_text("not HDF5")
    with pytest.raises(AnalysisError, match="not a readable HDF5 file") as caught:
        RunFile(tmp_path)
    assert caught.value.code == 65


def test_another_format_exits_65_and_says_which(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "run.h5", "w") as file:
        file.attrs["format"] = "something-else"
    with pytest.raises(AnalysisError, match="expected format 'scoreact-run', found 'something-else'") as caught:
        RunFile(tmp_path)
    assert caught.value.code == 65


def test_a_deck_that_is_not_toml_exits_65(run_dir: Path) -> None:
    with h5py.File(run_dir / "run.h5", "r+") as file:
        file.attrs["deck"] = "[run\nname="
    with pytest.raises(AnalysisError, match="'deck' is not TOML") as caught:
        _ = RunFile(run_dir).name
    assert caught.value.code == 65
