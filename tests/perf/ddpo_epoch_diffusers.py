"""One DDPO epoch on a model directory, written with diffusers and PyTorch as Python tools write it: the yardstick for `scoreact finetune`.

Run by hand in an environment that has diffusers and torch (scoreact itself needs neither):
    OMP_NUM_THREADS=1 python tests/perf/ddpo_epoch_diffusers.py inputs/digits/model
Samples, steps, minibatches and clip range are those of inputs/digits/ddpo.toml; the reward is a constant-cost stand-in (mean pixel), which
favours Python. Prints seconds an epoch of rollout and update. One backward pass a
time step and minibatch, as ddpo-pytorch and TRL do.
"""

from __future__ import annotations

import argparse
import math
import time

import torch
from diffusers import DDIMScheduler, UNet2DModel

STEPS, SAMPLES, MINIBATCH, CLIP = 50, 256, 64, 0.25


def step_terms(scheduler: DDIMScheduler, t: int) -> tuple[float, float, float]:
    """abar_t, abar_prev and the standard deviation of a DDIM step with eta = 1."""
    abar = scheduler.alphas_cumprod
    prev = max(t - scheduler.config.num_train_timesteps // STEPS, 0)
    a, p = float(abar[t]), float(abar[prev])
    return a, p, math.sqrt((1 - p) / (1 - a) * (1 - a / p))


def mean_of(model: UNet2DModel, x: torch.Tensor, t: int, label: torch.Tensor, a: float, p: float, s: float) -> torch.Tensor:
    eps = model(x, t, class_labels=label).sample
    x0 = (x - math.sqrt(1 - a) * eps) / math.sqrt(a)
    return math.sqrt(p) * x0 + math.sqrt(1 - p - s * s) * eps


def log_prob(x: torch.Tensor, mean: torch.Tensor, s: float) -> torch.Tensor:
    return (-((x - mean) ** 2) / (2 * s * s) - math.log(s) - 0.5 * math.log(2 * math.pi)).mean(dim=(1, 2, 3))


def epoch(model: UNet2DModel, scheduler: DDIMScheduler, optimizer: torch.optim.Optimizer, timesteps: list[int]) -> tuple[float, float]:
    start = time.perf_counter()
    label = torch.arange(SAMPLES) % 10
    states, old = [], []
    with torch.no_grad():
        finals = []
        for chunk in label.split(MINIBATCH):
            x = torch.randn(len(chunk), model.config.in_channels, model.config.sample_size, model.config.sample_size)
            xs, logs = [x], []
            for t in timesteps:
                a, p, s = step_terms(scheduler, t)
                mean = mean_of(model, x, t, chunk, a, p, s)
                x = mean + s * torch.randn_like(x)
                xs.append(x)
                logs.append(log_prob(x, mean, s))
            states.append(torch.stack(xs))
            old.append(torch.stack(logs))
            finals.append(x)
    reward = torch.cat(finals).mean(dim=(1, 2, 3))
    advantage = ((reward - reward.mean()) / (reward.std() + 1e-8)).clamp(-5, 5)
    rolled = time.perf_counter()

    bound = math.log1p(CLIP) / states[0][0][0].numel(), math.log1p(-CLIP) / states[0][0][0].numel()
    for i, chunk in enumerate(label.split(MINIBATCH)):
        adv = advantage[i * MINIBATCH : (i + 1) * MINIBATCH]
        for k, t in enumerate(timesteps):
            a, p, s = step_terms(scheduler, t)
            mean = mean_of(model, states[i][k], t, chunk, a, p, s)
            ratio = torch.exp(log_prob(states[i][k + 1], mean, s) - old[i][k])
            loss = torch.max(-adv * ratio, -adv * ratio.clamp(math.exp(bound[1]), math.exp(bound[0]))).mean()
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return rolled - start, time.perf_counter() - rolled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = UNet2DModel.from_pretrained(options.model)
    scheduler = DDIMScheduler.from_pretrained(options.model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-4)
    timesteps = [int(t) for t in range(1 + 1000 // STEPS * (STEPS - 1), 0, -(1000 // STEPS))]
    for number in range(options.epochs):
        rollout, update = epoch(model, scheduler, optimizer, timesteps)
        print(f"epoch {number + 1}: rollout {rollout:.2f} s, update {update:.2f} s, total {rollout + update:.2f} s")


if __name__ == "__main__":
    main()
