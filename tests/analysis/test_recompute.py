"""recompute: agrees with a right record, and finds each kind of wrong one."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import STEPS, rollout, strength_at, write_run, write_trajectories
from scoreact_analysis import AnalysisError
from scoreact_analysis.__main__ import main
from scoreact_analysis.recompute import listing, recompute

JUDGED = {"girsanov", "x", "log_prob", "kl_step", "kl_chain_step"} | {
    f"metrics/{name}" for name in ("reward_mean", "reward_std", "reward_stderr", "kl_path", "kl_chain")
}


def last_file(run_dir: Path) -> Path:
    return run_dir / "trajectories/epoch_000008.h5"


def test_a_right_record_passes_in_every_quantity(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recompute", str(run_dir)]) == 0
    result = recompute(run_dir)
    assert set(result.deviations) == JUDGED
    assert all(found.judged and found.largest < 1e-6 for found in result.deviations.values())
    assert "FAIL" not in capsys.readouterr().out


def test_recomputed_path_kl_is_the_closed_form(run_dir: Path) -> None:
    # G4, G6: mu - mu_pre = strength u / 4 everywhere, so KL = 1/2 |strength u / 4|^2 log(abar_K / abar_0).
    strength, u = strength_at(7), np.linspace(-1, 1, 16)
    abar = rollout(0.0, 0).tables["abar"]
    exact = 0.5 * (strength / 4) ** 2 * (u @ u) * np.log(abar[-1] / abar[0])
    assert np.allclose(recompute(run_dir).statistics[-1].kl_path, exact, rtol=1e-5)


def test_score_actions_pass_without_the_state_check(tmp_path: Path) -> None:
    path = tmp_path / "t/epoch_000003.h5"
    write_trajectories(path, rollout(1.0, 5, action_kind="score"))
    result = recompute(path)
    assert result.passed
    assert set(result.deviations) == JUDGED - {"x"} - {name for name in JUDGED if name.startswith("metrics")}


@pytest.mark.parametrize("name", ["kl_step", "kl_chain_step", "log_prob"])
def test_one_wrong_value_is_found_and_named(run_dir: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with h5py.File(last_file(run_dir), "r+") as file:
        file[name][4, 3] *= 1.001
    assert main(["recompute", str(run_dir)]) == 1
    failed = [line for line in capsys.readouterr().out.splitlines() if "FAIL" in line]
    assert len(failed) == 1
    assert failed[0].startswith(name)
    assert "epoch_000008.h5, step 4, sample 3" in failed[0]


def test_a_wrong_state_is_found(run_dir: Path) -> None:
    with h5py.File(last_file(run_dir), "r+") as file:
        file["x"][5, 2, 0, 1, 1] += 0.05
    failed = {name for name, found in recompute(run_dir).deviations.items() if not found.passed}
    assert failed == {"x"}


def test_wrong_girsanov_coefficients_are_found(run_dir: Path) -> None:
    with h5py.File(last_file(run_dir), "r+") as file:
        file["girsanov"][...] *= 2
        file["kl_step"][...] *= 2
    failed = {name for name, found in recompute(run_dir).deviations.items() if not found.passed}
    assert {"girsanov", "kl_step"} <= failed


def test_a_nan_where_a_number_belongs_is_found(run_dir: Path) -> None:
    with h5py.File(last_file(run_dir), "r+") as file:
        file["kl_step"][STEPS - 1, 0] = np.nan
    assert recompute(run_dir).deviations["kl_step"].largest == np.inf


@pytest.mark.parametrize("name", ["reward_mean", "reward_std", "kl_path"])
def test_a_wrong_metric_is_found(run_dir: Path, name: str) -> None:
    with h5py.File(run_dir / "run.h5", "r+") as file:
        file[f"metrics/{name}"][7] += 0.01
    failed = {name for name, found in recompute(run_dir).deviations.items() if not found.passed}
    assert failed == {f"metrics/{name}"}


def test_a_kl_metric_that_the_run_estimates_is_shown_but_not_judged(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "r", num_times=3)
    with h5py.File(run_dir / "run.h5", "r+") as file:
        file["metrics/kl_path"][7] *= 1.2
    result = recompute(run_dir)
    assert result.passed
    assert result.deviations["metrics/kl_path"].largest > 0.05
    assert "not judged" in listing(result)


def test_without_means_only_rewards_and_states_are_held_against_the_record(run_dir: Path) -> None:
    for epoch in (0, 7):
        path = run_dir / f"trajectories/epoch_{epoch + 1:06d}.h5"
        path.unlink()
        write_trajectories(path, rollout(strength_at(epoch), 1000 + epoch), means=False)
    result = recompute(run_dir)
    assert result.passed
    assert set(result.deviations) == {
        "girsanov",
        "x",
        "metrics/reward_mean",
        "metrics/reward_std",
        "metrics/reward_stderr",
    }


def test_rounding_of_a_tiny_policy_change_is_not_blamed_on_the_record(tmp_path: Path) -> None:
    # mu - mu_pre is 1e-6 of mu: its float32 rounding is as large as itself.
    path = tmp_path / "epoch_000001.h5"
    found = rollout(4e-6, 3)
    difference = (4e-6 / 4) ** 2 * (np.linspace(-1, 1, 16) ** 2).sum()
    found.arrays["kl_step"] = np.broadcast_to(found.tables["girsanov"][:, None] * difference, (STEPS, 24)).copy()
    found.arrays["kl_chain_step"] = found.arrays["kl_step"].copy()
    write_trajectories(path, found)
    assert recompute(path).passed


def test_a_run_without_trajectories_exits_66(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "r", trajectories=False)
    with pytest.raises(AnalysisError, match=r"store\.trajectories") as caught:
        recompute(run_dir)
    assert caught.value.code == 66


def test_a_two_stage_solver_is_held_to_its_path_kl_only(tmp_path: Path) -> None:
    # A Heun step is not affine in one score: its chain KL and next state do not follow from mu alone.
    path = tmp_path / "epoch_000001.h5"
    write_trajectories(path, rollout(1.0, 5, action_kind="score"))
    with h5py.File(path, "r+") as file:
        file.attrs["solver"] = "heun_sde"
        file["kl_chain_step"][...] = np.nan
    result = recompute(path)
    assert result.passed
    assert set(result.deviations) == {"girsanov", "log_prob", "kl_step"}


def test_a_stored_reward_sum_that_nearly_cancels_is_judged_by_the_size_of_rewards(run_dir: Path) -> None:
    with h5py.File(last_file(run_dir), "r+") as file:
        rewards = (file["reward"][...] - file["reward"][...].mean()).astype(np.float32)
        file["reward"][...] = rewards
    with h5py.File(run_dir / "run.h5", "r+") as file:
        file["metrics/reward_mean"][7] = 1e-9  # of rewards around 1, stored in float32
    assert recompute(run_dir).deviations["metrics/reward_mean"].passed
