"""The analytic decks reach the optimum that docs/mathematics.md section 6 states, for several problems."""

import os
import pathlib
import subprocess

import h5py
import numpy as np
import pytest

PROGRAM = os.environ["SCOREACT"]
DECKS = pathlib.Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs" / "analytic"
LAST = 5  # epochs that are averaged: the learning rate has come down to 0


def finetune(deck: str, out: pathlib.Path, **settings: object) -> dict[str, np.ndarray]:
    command = [PROGRAM, "finetune", str(DECKS / deck), "--quiet", "--out", str(out)]
    for key, value in settings.items():
        command += ["--set", f"{key.replace('__', '.')}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stderr
    with h5py.File(out / "run.h5") as file:
        return {name: file["metrics"][name][:] for name in ("reward_mean", "reward_stderr", "kl_path")}


def optimum_of_the_chain(file: h5py.File, std: float, vector: list[float], kl_weight: float) -> tuple[float, float]:
    """Largest E RM - lambda kl_path of the steps themselves, for a linear reward: gain and kl_path there.

    x' = keep x + push a with a = mu(x) + delta and mu the score of N(alpha m, alpha^2 std^2 + sigma^2), so that RM has a slope in
    x that shrinks from step to step; delta costs lambda girsanov |delta|^2.
    """
    keep, push, girsanov = (file[name][:] for name in ("keep", "push", "girsanov"))
    abar = file["abar"][:-1]
    gain = kl = 0.0
    slope = np.array(vector)
    for k in reversed(range(len(keep))):
        delta = slope * push[k] / (2 * kl_weight * girsanov[k])
        gain += push[k] * slope @ delta
        kl += girsanov[k] * delta @ delta
        slope = slope * (keep[k] - push[k] / (abar[k] * std**2 + 1 - abar[k]))
    return float(gain), float(kl)


def assert_near(found: float, limit: float, chain: float, noise: float = 0.0) -> None:
    """Within 5 % of the limit of many steps or of the chain's own optimum, and 12 % of the limit at most."""
    assert abs(found - limit) <= 0.12 * limit + noise
    assert min(abs(found - limit), abs(found - chain)) <= 0.05 * limit + noise


@pytest.mark.parametrize(
    ("mean", "std", "vector", "kl_weight"),
    [
        ([0.5, -0.3], 0.8, [1.0, -0.5], 0.5),
        ([-2.0, 1.0], 2.0, [0.3, 0.4], 0.4),
        ([1.5, 1.5], 0.5, [2.0, 2.0], 1.0),
    ],
)
def test_linear_reward_on_a_gaussian_gains_what_g2_says(
    tmp_path: pathlib.Path, mean: list[float], std: float, vector: list[float], kl_weight: float
) -> None:
    metrics = finetune(
        "gaussian.toml",
        tmp_path / "run",
        model__analytic__means=[mean],
        model__analytic__stds=[std],
        reward__vector=vector,
        algorithm__kl_weight=kl_weight,
        store__trajectories='"every:50"',
    )
    with h5py.File(tmp_path / "run" / "trajectories" / "epoch_000050.h5") as file:
        chain_gain, chain_kl = optimum_of_the_chain(file, std, vector, kl_weight)
    size = std**2 * np.dot(vector, vector)
    gain = metrics["reward_mean"][-LAST:].mean() - np.dot(vector, mean)
    noise = metrics["reward_stderr"][-1] / np.sqrt(LAST)
    assert_near(gain, size / kl_weight, chain_gain, 4 * noise)
    assert_near(metrics["kl_path"][-LAST:].mean(), size / (2 * kl_weight**2), chain_kl)
    assert metrics["kl_path"][0] == 0  # the policy starts as the pretrained model, bit for bit


def test_linear_reward_on_a_mixture_reaches_the_tilted_law(tmp_path: pathlib.Path) -> None:
    weights, stds = np.array([0.4, 0.6]), np.array([0.5, 0.6])
    means, vector, kl_weight = np.array([[-1.2, 0.3], [0.8, -0.5]]), np.array([-0.5, 0.4]), 0.5
    tilt = means @ vector / kl_weight + 0.5 * (stds * np.linalg.norm(vector) / kl_weight) ** 2
    normaliser = np.log(np.sum(weights * np.exp(tilt)))
    tilted_weights = weights * np.exp(tilt - normaliser)
    tilted_means = means + stds[:, None] ** 2 * vector / kl_weight
    reward = tilted_weights @ tilted_means @ vector
    gain, objective = reward - weights @ means @ vector, kl_weight * normaliser
    metrics = finetune("mixture.toml", tmp_path / "run")
    reached, kl = metrics["reward_mean"][-LAST:].mean(), metrics["kl_path"][-LAST:].mean()
    assert reached == pytest.approx(reward, abs=0.08 * gain)
    assert kl == pytest.approx((reward - objective) / kl_weight, rel=0.12)
    assert reached - kl_weight * kl == pytest.approx(objective, abs=0.08 * gain)
