"""Prints in a few words what fine-tuning changed, from a run file: the mean reward before and after."""

import sys

import h5py
import numpy as np


def outcome(path: str) -> str:
    with h5py.File(path, "r") as file:
        if "evaluation/reward_mean" in file and len(file["evaluation/reward_mean"]) > 1:
            rewards = file["evaluation/reward_mean"][()]  # [epochs, steps], NaN: not evaluated
            both = np.flatnonzero(np.isfinite(rewards[0] + rewards[-1]))
            if both.size:
                steps = file["evaluation/steps"][both[-1]]
                return f"mean reward {rewards[0, both[-1]]:.3f} -> {rewards[-1, both[-1]]:.3f} ({steps} steps)"
        rewards = file["metrics/reward_mean"]
        return f"mean reward in training {rewards[0]:.3f} -> {rewards[-1]:.3f}"


if __name__ == "__main__":
    print(outcome(sys.argv[1]))
