"""The advantage of stored rollouts is recomputed, for each estimator, and a wrong record of it is found."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import DIMENSIONS, SAMPLES, SHAPE, STEPS, rollout, write_trajectories
from scoreact_analysis import Trajectories, advantage
from scoreact_analysis.recompute import listing, recompute

KL_WEIGHT = 0.1


def ctrl_deck(estimator: str, baseline: str = "centred", update: str = "clipped") -> str:
    return f"""[algorithm]
name = "ctrl"
advantage = "{estimator}"
baseline = "{baseline}"
update = "{update}"
"""


def write_ctrl(path: Path, estimator: str, baseline: str = "centred", update: str = "clipped") -> Path:
    """A file whose value is V(x) = x.v + 1/2 c |x|^2, so that its gradient and differences are known."""
    found = rollout(1.0, 3)
    write_trajectories(path, found)
    a, mu, mu_pre = (
        found.arrays[name].reshape(STEPS, SAMPLES, -1).astype(np.float64) for name in ("action", "mu", "mu_pre")
    )
    x = found.arrays["x"].reshape(STEPS + 1, SAMPLES, -1).astype(np.float64)
    g2dt = found.tables["push"]  # chi = 1
    v, c = np.linspace(0.5, 1.5, DIMENSIONS), 0.3
    gradient = v + c * x[:-1]
    s_a, cost = found.tables["s_a"], KL_WEIGHT * found.tables["girsanov"]
    result = np.empty((STEPS, SAMPLES))
    term = np.empty((STEPS, SAMPLES))
    values = x @ v + 0.5 * c * (x**2).sum(axis=2)
    reward = values[-1] + 0.25
    for k in range(STEPS):  # written out row by row, as in docs/mathematics.md section 5
        for b in range(SAMPLES):
            offset = a[k, b] - (mu[k, b] if baseline == "centred" else 0)
            kl = ((a[k, b] - mu_pre[k, b]) ** 2).sum()
            if baseline == "centred":
                kl -= ((mu[k, b] - mu_pre[k, b]) ** 2).sum() + DIMENSIONS * s_a[k] ** 2
            term[k, b] = g2dt[k] * (offset @ gradient[k, b])
            if estimator == "increment":
                term[k, b] = (values[k + 1, b] if k + 1 < STEPS else reward[b]) - values[k, b]
                kl = ((mu[k, b] - mu_pre[k, b]) ** 2).sum()
            result[k, b] = term[k, b] - cost[k] * kl
    with h5py.File(path, "r+") as file:
        file.attrs["deck"] = ctrl_deck(estimator, baseline, update)
        file["drift"] = g2dt
        file["reward"][...] = reward
        file["value"] = values[:-1].astype(np.float32)
        if update != "pathwise":
            file["advantage"] = result.astype(np.float32)
        if estimator == "gradient":
            file["value_gradient"] = gradient.reshape(STEPS, SAMPLES, *SHAPE).astype(np.float32)
        else:
            file["value_difference"] = term.astype(np.float32)
    return path


@pytest.mark.parametrize("estimator", ["gradient", "finite_difference", "increment"])
@pytest.mark.parametrize("baseline", ["centred", "none"])
def test_a_right_advantage_passes_and_a_wrong_one_is_named(tmp_path: Path, estimator: str, baseline: str) -> None:
    path = write_ctrl(tmp_path / "epoch_000001.h5", estimator, baseline)
    result = recompute(path)
    assert result.passed, listing(result)
    assert result.deviations["advantage"].judged
    assert result.deviations["advantage"].values == STEPS * SAMPLES
    with h5py.File(path, "r+") as file:
        file["advantage"][4, 3] += 1e-3 * np.abs(file["advantage"][4]).mean()
    wrong = recompute(path).deviations["advantage"]
    assert not wrong.passed and wrong.place.endswith("step 4, sample 3")


def test_increments_agree_with_the_values_beside_them(tmp_path: Path) -> None:
    path = write_ctrl(tmp_path / "epoch_000001.h5", "increment")
    assert recompute(path).deviations["value_difference"].values == STEPS * SAMPLES
    with h5py.File(path, "r+") as file:
        file["reward"][5] += 0.5  # what the last step's increment ends with
    assert not recompute(path).deviations["value_difference"].passed


def test_steps_that_a_sample_was_not_trained_at_do_not_count(tmp_path: Path) -> None:
    path = write_ctrl(tmp_path / "epoch_000001.h5", "finite_difference")
    with h5py.File(path, "r+") as file:
        for step, sample in ((2, slice(None)), (3, slice(1, 4))):
            file["train_weight"][step, sample] = 0.0
            file["advantage"][step, sample] = np.nan
        advantages = file["advantage"][:]
    result = recompute(path)
    assert result.passed and result.deviations["advantage"].values == (STEPS - 1) * SAMPLES - 3
    assert result.statistics[0].advantage_std == pytest.approx(np.nanstd(advantages.astype(np.float64)))
    with h5py.File(path, "r+") as file:
        file["advantage"][3, 4] = np.nan  # this one was
    wrong = recompute(path).deviations["advantage"]
    assert wrong.largest == np.inf and wrong.place.endswith("step 3, sample 4")


def test_increments_are_held_against_values_where_both_steps_were_trained(tmp_path: Path) -> None:
    path = write_ctrl(tmp_path / "epoch_000001.h5", "increment")
    with h5py.File(path, "r+") as file:
        file["train_weight"][2, 3] = 0.0
        file["value"][2, 3] = np.nan
    result = recompute(path)
    assert result.passed and result.deviations["value_difference"].values == STEPS * SAMPLES - 2


def test_a_pathwise_run_gives_advantages_though_it_stores_none(tmp_path: Path) -> None:
    pathwise = write_ctrl(tmp_path / "epoch_000001.h5", "gradient", update="pathwise")
    stored = write_ctrl(tmp_path / "epoch_000002.h5", "gradient")
    with Trajectories(pathwise) as file, h5py.File(stored) as reference:
        rule = advantage.Rule.of(file)
        assert rule is not None
        for block in file.blocks():
            found = advantage.recomputed(file, rule, block)
            assert found is not None
            np.testing.assert_allclose(
                found[0], reference["advantage"][block.step, block.samples], rtol=1e-4, atol=1e-4
            )


def test_without_its_value_term_an_advantage_is_shown_but_not_judged(tmp_path: Path) -> None:
    path = write_ctrl(tmp_path / "epoch_000001.h5", "finite_difference")
    with h5py.File(path, "r+") as file:
        del file["value_difference"]
    result = recompute(path)
    assert result.passed and not result.deviations["advantage"].judged
    assert "not judged" in listing(result)


def write_ddpo(folder: Path, epochs: list[int], buffer_size: int, min_count: int = 4, limit: float = 2.0) -> None:
    """Epochs of a DDPO run with 3 prompts, advantages by ddpo-pytorch's rule written out plainly."""
    history: dict[str, list[float]] = {}
    for epoch in range(1, max(epochs) + 1):
        found = rollout(1.0, epoch)
        rng = np.random.default_rng(epoch)
        prompts = [f"{number}" for number in rng.integers(0, 3, SAMPLES)]
        reward = rng.standard_normal(SAMPLES).astype(np.float32).astype(np.float64)
        for prompt, value in zip(prompts, reward, strict=True):
            history[prompt] = [*history.get(prompt, []), value][-buffer_size:] if buffer_size else []
        expected = []
        for prompt, value in zip(prompts, reward, strict=True):
            known = history[prompt] if buffer_size and len(history[prompt]) >= min_count else list(reward)
            expected.append((value - np.mean(known)) / (np.std(known) + (1e-6 if buffer_size else 1e-8)))
        if epoch not in epochs:
            continue
        path = folder / f"epoch_{epoch:06d}.h5"
        write_trajectories(path, found)
        with h5py.File(path, "r+") as file:
            file.attrs["epoch"] = epoch
            file.attrs["deck"] = (
                f'[algorithm]\nname = "ddpo"\n[train]\nadv_clip_max = {limit}\n'
                f"[per_prompt_stat_tracking]\nbuffer_size = {buffer_size}\nmin_count = {min_count}\n"
            )
            file["reward"][...] = reward
            del file["prompt"]
            file["prompt"] = np.array(prompts, "S1")
            file["advantage"] = np.tile(np.clip(expected, -limit, limit).astype(np.float32), (STEPS, 1))


@pytest.mark.parametrize("buffer_size", [0, 16])
def test_ddpo_advantages_follow_from_the_rewards_of_all_epochs(tmp_path: Path, buffer_size: int) -> None:
    write_ddpo(tmp_path, [1, 2, 3], buffer_size)
    history = advantage.RewardHistory()
    for epoch in (1, 2, 3):
        with Trajectories(tmp_path / f"epoch_{epoch:06d}.h5") as file:
            found = history.advantages(file)
            assert found is not None
            np.testing.assert_allclose(found, file.at("advantage", 0), rtol=1e-6, atol=1e-6)


def test_ddpo_advantages_wait_until_the_history_of_every_prompt_is_full_again_after_a_gap(tmp_path: Path) -> None:
    write_ddpo(tmp_path, [3, 4, 5, 6], buffer_size=16)
    history = advantage.RewardHistory()
    known = {}
    for epoch in (3, 4, 5, 6):
        with Trajectories(tmp_path / f"epoch_{epoch:06d}.h5") as file:
            found = history.advantages(file)
            known[epoch] = found is not None
            if found is not None:
                np.testing.assert_allclose(found, file.at("advantage", 0), rtol=1e-6, atol=1e-6)
    assert not known[3] and known[6]
