"""Prints in a few words what fine-tuning changed, from a run file: mean reward of the first and the last epoch."""

import sys

import h5py


def outcome(path: str) -> str:
    with h5py.File(path, "r") as file:
        rewards = file["evaluation/reward_mean"] if "evaluation/reward_mean" in file else None
        if rewards is not None and rewards.shape[0] > 1:
            steps = file["evaluation/steps"][-1]
            return f"mean reward {rewards[0, -1]:.3f} -> {rewards[-1, -1]:.3f} ({steps} steps)"
        rewards = file["metrics/reward_mean"]
        return f"mean reward in training {rewards[0]:.3f} -> {rewards[-1]:.3f}"


if __name__ == "__main__":
    print(outcome(sys.argv[1]))
