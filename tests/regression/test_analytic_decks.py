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
    )
    size = std**2 * np.dot(vector, vector)
    gain = metrics["reward_mean"][-LAST:].mean() - np.dot(vector, mean)
    noise = metrics["reward_stderr"][-1] / np.sqrt(LAST)
    assert gain == pytest.approx(size / kl_weight, abs=0.05 * size / kl_weight + 4 * noise)
    assert metrics["kl_path"][-LAST:].mean() == pytest.approx(size / (2 * kl_weight**2), rel=0.06)
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
