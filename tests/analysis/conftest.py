"""Synthetic but consistent runs, written with h5py in the layout of docs/files.md.

The rollouts are real ones: a Gaussian policy on a Gaussian base model (docs/mathematics.md section 6, G1 and G2), whose
score, KL and log-probability have closed forms, stepped with Euler-Maruyama in float64 and stored as float32.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import matplotlib.image
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "analysis"))

SHAPE = (1, 4, 4)
DIMENSIONS = 16
STEPS = 10
SAMPLES = 24
UNITS = {"wall_time": "s", "epoch_time": "s", "kl_path": "nats", "kl_chain": "nats", "learning_rate": "1"}


@dataclass(frozen=True)
class Rollout:
    """One epoch's trajectories: what the file holds, in float64."""

    tables: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]


def rollout(strength: float, seed: int, action_kind: str = "transition") -> Rollout:
    """Euler-Maruyama at chi = 1 with the policy mu = s_pre + strength * u / 4 (G4)."""
    rng = np.random.default_rng(seed)
    tau = np.linspace(0.98, 0.02, STEPS + 1)
    abar = np.exp(-0.1 * tau - 0.5 * 19.9 * tau**2)
    g2dt = np.log(abar[1:] / abar[:-1])
    keep, push, spread = 1 + g2dt / 2, g2dt.copy(), np.sqrt(g2dt)
    girsanov = 0.5 * g2dt
    transition = action_kind == "transition"
    s_a = spread / push if transition else np.full(STEPS, 0.7)
    u = np.linspace(-1, 1, DIMENSIONS)
    x = np.empty((STEPS + 1, SAMPLES, DIMENSIONS), np.float32)
    action, mu, mu_pre = (np.empty((STEPS, SAMPLES, DIMENSIONS), np.float32) for _ in range(3))
    x[0] = rng.standard_normal((SAMPLES, DIMENSIONS))
    for k in range(STEPS):
        variance = abar[k] * 0.25 + 1 - abar[k]
        mu_pre[k] = -(x[k] - np.sqrt(abar[k]) * 0.5) / variance
        mu[k] = mu_pre[k] + strength * u / 4
        action[k] = mu[k] + s_a[k] * rng.standard_normal((SAMPLES, DIMENSIONS))
        noise = 0.0 if transition else spread[k] * rng.standard_normal((SAMPLES, DIMENSIONS))
        x[k + 1] = keep[k] * x[k] + push[k] * action[k].astype(np.float64) + noise
    difference = ((mu.astype(np.float64) - mu_pre) ** 2).sum(axis=2)
    offset = ((action.astype(np.float64) - mu) ** 2).sum(axis=2)
    log_prob = (
        -offset / (2 * s_a[:, None] ** 2) - DIMENSIONS * np.log(s_a)[:, None] - DIMENSIONS / 2 * np.log(2 * np.pi)
    )
    arrays = {
        "x": x.reshape(STEPS + 1, SAMPLES, *SHAPE),
        "action": action.reshape(STEPS, SAMPLES, *SHAPE),
        "mu": mu.reshape(STEPS, SAMPLES, *SHAPE),
        "mu_pre": mu_pre.reshape(STEPS, SAMPLES, *SHAPE),
        "log_prob": log_prob,
        "kl_step": girsanov[:, None] * difference,
        "kl_chain_step": (push**2 / (2 * spread**2))[:, None] * difference,
        "train_weight": np.ones((STEPS, SAMPLES)),
        "reward": -2 + 0.8 * (x[-1].astype(np.float64) @ u),
        "prompt": np.full(SAMPLES, b"class 3", "S7"),
        "sample_index": np.arange(SAMPLES),
    }
    tables = {"tau": tau, "abar": abar, "weight": np.log(abar[1:] / abar[:-1]), "keep": keep, "push": push, "spread": spread}
    return Rollout(tables | {"girsanov": girsanov, "s_a": s_a}, arrays)


def strength_at(epoch: int) -> float:
    """How far the synthetic policy has moved after some epochs."""
    return 1.5 * (1 - float(np.exp(-epoch / 3)))


def write_trajectories(path: Path, found: Rollout, means: bool = True) -> None:
    """One trajectory file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in (found.tables | found.arrays).items():
            if means or name not in ("mu", "mu_pre"):
                single = name in ("kl_step", "kl_chain_step", "reward")
                file[name] = values.astype(np.float32) if single else values
        file.attrs["format"] = "scoreact-trajectories"
        file.attrs["s_a"] = found.tables["s_a"]
        file.attrs["solver"] = "euler_maruyama"
        file.attrs["eta"] = 1.0
        file.attrs["lambda"] = 0.1


def deck(name: str, seed: int, epochs: int, num_times: int = 0) -> str:
    """An effective deck, shortened."""
    return f"""[run]
name = "{name}"
seed = {seed}
epochs = {epochs}

[algorithm]
name = "ctrl"
update = "pathwise"
kl_weight = 0.1

[sample]
solver = "euler_maruyama"
num_steps = {STEPS}
samples_per_epoch = {SAMPLES}

[train]
num_times = {num_times}
"""


def write_run(
    directory: Path,
    name: str = "digits-ctrl",
    seed: int = 1,
    epochs: int = 8,
    planned: int | None = None,
    level: float = -0.3,
    evaluated: bool = True,
    trajectories: bool = True,
    images: bool = True,
    num_times: int = 0,
) -> Path:
    """A whole run folder: rewards rise from -2 to `level`; metrics of epochs with trajectories are exact."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(100 + seed)
    epoch = np.arange(1.0, epochs + 1)  # counted from 1; 0 is the base model
    progress = 1 - np.exp(-(epoch - 1) / 3)
    reward = -2 + (level + 2) * progress + 0.03 * rng.standard_normal(epochs)
    metrics: dict[str, np.ndarray] = {
        "epoch": epoch,
        "samples_total": SAMPLES * epoch,
        "network_evaluations": SAMPLES * STEPS * epoch,
        "wall_time": np.cumsum(1.2 + 0.1 * rng.random(epochs)),
        "epoch_time": 1.2 + 0.1 * rng.random(epochs),
        "rollout_time": np.full(epochs, 0.5),
        "value_time": np.full(epochs, 0.2),
        "update_time": np.full(epochs, 0.4),
        "reward_mean": reward,
        "reward_std": np.full(epochs, 0.6),
        "reward_stderr": np.full(epochs, 0.6 / np.sqrt(SAMPLES)),
        "kl_path": 4 * progress,
        "kl_chain": 7 * progress,
        "value_mse": 3 * np.exp(-epoch / 2) + 0.05,
        "advantage_std": 1 + 0.2 * rng.random(epochs),
        "ratio_first_max_deviation": np.zeros(epochs),
        "clip_fraction": 0.1 * rng.random(epochs),
        "policy_kl": 0.02 * rng.random(epochs) + 1e-3,
        "grad_norm": 1 + rng.random(epochs),
        "learning_rate": np.full(epochs, 1e-3),
    }
    if trajectories:
        for e in (0, epochs - 1):
            found = rollout(strength_at(e), seed=seed * 1000 + e)
            write_trajectories(directory / f"trajectories/epoch_{e + 1:06d}.h5", found)
            rewards = found.arrays["reward"]
            metrics["reward_mean"][e] = rewards.mean()
            metrics["reward_std"][e] = rewards.std(ddof=1)
            metrics["reward_stderr"][e] = rewards.std(ddof=1) / np.sqrt(SAMPLES)
            metrics["kl_path"][e] = found.arrays["kl_step"].sum(axis=0).mean()
            metrics["kl_chain"][e] = found.arrays["kl_chain_step"].sum(axis=0).mean()
    with h5py.File(directory / "run.h5", "w") as file:
        file.attrs["format"] = "scoreact-run"
        file.attrs["format_version"] = 1
        file.attrs["software"] = "scoreact"
        file.attrs["version"] = "0.1.0"
        file.attrs["git"] = "0123abc"
        file.attrs["created"] = "2026-11-22T12:00:00Z"
        file.attrs["ranks"] = 2
        file.attrs["libtorch"] = "2.11.0"
        file.attrs["deck"] = deck(name, seed, planned or epochs, num_times)
        for metric, values in metrics.items():
            dataset = file.create_dataset(f"metrics/{metric}", data=values, maxshape=(None,), chunks=(16,))
            dataset.attrs["units"] = UNITS.get(metric, "1")
            dataset.attrs["long_name"] = metric.replace("_", " ")
        file.create_dataset("resources/threads", data=np.full(epochs, 2.0))
        if evaluated:
            write_evaluation(file.create_group("evaluation"), epochs, level, seed)
    if images:
        for e in sorted({0, epochs // 3, 2 * epochs // 3, epochs}):
            write_image(directory / f"images/epoch_{e:06d}.png", e / max(1, epochs))
    return directory


def write_evaluation(group: Any, epochs: int, level: float, seed: int) -> None:
    """Three checkpoints at four step counts."""
    epoch = np.array([0, epochs // 2, epochs])
    steps = np.array([25, 10, 50, 100])
    rng = np.random.default_rng(seed)
    gain = np.array([0.0, 0.6, 1.0])[:, None]
    shape = (3, 4)
    reward = -2 + (level + 2) * gain - 0.4 / steps[None, :] + 0.02 * rng.standard_normal(shape)
    group["epoch"] = epoch
    group["steps"] = steps
    group.create_dataset("solver", data=["euler_maruyama"] * 4, dtype=h5py.string_dtype())
    group["reward_mean"] = reward
    group["reward_stderr"] = np.full(shape, 0.03)
    group["kl_path"] = np.broadcast_to(4 * gain, shape)
    group["kl_chain"] = np.broadcast_to(7 * gain, shape)
    group["judge_accuracy"] = np.broadcast_to(0.6 + 0.35 * gain, shape)
    group["frechet_distance"] = np.broadcast_to(0.36 + 0.5 * gain, shape)
    group.attrs["optimum_j"] = -0.12
    group.attrs["base_reward"] = -2.0
    group.attrs["kl_weight"] = 0.1
    group.attrs["base_judge_accuracy"] = 0.604
    group.attrs["base_frechet"] = 0.36


def write_image(path: Path, sharpness: float) -> None:
    """A grid of 8 x 8 blobs of 8 x 8 pixels that sharpen over training."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:8, 0:8]
    grid = np.zeros((72, 72))
    for row in range(8):
        for column in range(8):
            centre = 2 + 3 * rng.random(2)
            blob = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 4)
            noisy = sharpness * blob + (1 - sharpness) * rng.random((8, 8))
            grid[9 * row : 9 * row + 8, 9 * column : 9 * column + 8] = noisy
    matplotlib.image.imsave(path, grid, cmap="gray", vmin=0, vmax=1)


def write_value_study(directory: Path) -> Path:
    """Four designs of Table 1."""
    directory.mkdir(parents=True, exist_ok=True)
    designs = {
        "x_x_1-cos": ("x", "x", "one_minus_cos", 3.93),
        "x_x0hat_1-cos": ("x", "x0hat", "one_minus_cos", 3.57),
        "x0hat_x_sin": ("x0hat", "x", "sin", 3.27),
        "x0hat_x0hat_sin": ("x0hat", "x0hat", "sin", 3.09),
    }
    tau = np.linspace(0.05, 1, 12)
    fit = np.exp(-np.arange(20) / 4)
    with h5py.File(directory / "value_study.h5", "w") as file:
        file.attrs["format"] = "scoreact-value-study"
        file["tau"] = tau
        for name, (predictor, corrector, c_out, level) in designs.items():
            group = file.create_group(f"designs/{name}")
            group.attrs["predictor"], group.attrs["corrector"], group.attrs["c_out"] = predictor, corrector, c_out
            group["test_mse"] = level + 3 * fit
            group["train_mse"] = 0.8 * level + 3 * fit
            group["per_time"] = level * 2 * tau
    return directory


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A finished run with everything."""
    return write_run(tmp_path / "runs" / "digits")
