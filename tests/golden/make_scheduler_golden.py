"""Loops of diffusers' schedulers without a network, for tests/unit/run/scheduler_steps_test.cpp. Run by hand where diffusers is:

    python tests/golden/make_scheduler_golden.py tests/data/scheduler_goldens.json

The network is m(x, t) = sin(x) + t / 2000 on eight numbers, the noise of each step zero. Every case has the scheduler's file, the number of steps, the
times of the network calls and the final state. Cases: all spacings, with numbers of steps that do not divide 1000, and every setting that
src/models/scheduler_config.cpp says it computes. Beside them the noise of DDPM's variances, and the times of all numbers of steps.
"""

import json
import sys

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler, PNDMScheduler

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "steps_offset": 1}
X = torch.linspace(-1.5, 2.0, 8)


def network(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return torch.sin(x) + float(t) / 2000


def loop(scheduler, steps: int, **words) -> tuple[list[int], list[float]]:
    scheduler.set_timesteps(steps)
    x = X.clone()
    for t in scheduler.timesteps:
        x = scheduler.step(network(x, t), t, x, **words).prev_sample
    return [int(t) for t in scheduler.timesteps], x.double().tolist()


def cases():
    spacings = ("leading", "trailing", "linspace")
    for spacing in spacings:
        for steps in (3, 7, 12, 20, 48):
            settings = SD | {"timestep_spacing": spacing}
            for alpha in (False, True):
                ddim = settings | {"set_alpha_to_one": alpha, "clip_sample": False}
                yield DDIMScheduler, ddim, steps, {"eta": 0.0}
                yield DDIMScheduler, ddim, steps, {"eta": 1.0, "variance_noise": torch.zeros_like(X)}
            yield PNDMScheduler, settings | {"skip_prk_steps": True}, steps, {}
            for end in ("zero", "sigma_min"):
                yield DPMSolverMultistepScheduler, settings | {"final_sigmas_type": end}, steps, {}
            yield DPMSolverMultistepScheduler, settings | {"final_sigmas_type": "sigma_min", "lower_order_final": False}, steps, {}
            yield DPMSolverMultistepScheduler, settings | {"final_sigmas_type": "sigma_min", "euler_at_final": True}, steps, {}
    # keys that a file leaves out have the class's own default
    yield DDIMScheduler, SD | {"clip_sample": False}, 7, {"eta": 0.0}
    yield PNDMScheduler, SD | {"skip_prk_steps": True}, 7, {}
    yield PNDMScheduler, SD, 7, {}
    yield DPMSolverMultistepScheduler, SD, 7, {}
    yield DPMSolverMultistepScheduler, SD | {"solver_type": "bh2", "algorithm_type": "deis", "final_sigmas_type": "sigma_min"}, 7, {}


def main(out: str) -> None:
    found = []
    for scheduler, settings, steps, words in cases():
        times, x = loop(scheduler(**settings), steps, **words)
        found.append(
            {
                "scheduler": {"_class_name": scheduler.__name__} | settings,
                "steps": steps,
                "eta": words.get("eta", 0.0),
                "times": times,
                "final": [float(f"{value:.9g}") for value in x],
            }
        )
    deviations = []  # of the noise in a step of DDPM: the difference of two draws over that of their noise
    for variance in ("fixed_small", "fixed_small_log", "fixed_large"):
        for offset, step in ((1, 4), (1, 9), (0, 9)):
            settings = SD | {"variance_type": variance, "steps_offset": offset, "clip_sample": False}
            scheduler = DDPMScheduler(**settings)
            scheduler.set_timesteps(10)
            t = scheduler.timesteps[step]
            x, generators = X.view(1, 8), [torch.Generator().manual_seed(seed) for seed in (0, 1)]
            draws = [scheduler.step(network(x, t), t, x, generator=generator).prev_sample for generator in generators]
            noise = [torch.randn(1, 8, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)]
            value = ((draws[0] - draws[1]) / (noise[0] - noise[1])).double().mean().item()
            deviations.append({"scheduler": {"_class_name": "DDPMScheduler"} | settings, "step": step, "deviation": value})
    # sums of the times for 1 to 1000 steps; numpy's arange sometimes makes one "trailing" time too many, which is -1
    sums = {}
    for spacing in ("leading", "trailing", "linspace"):
        scheduler = DDIMScheduler(timestep_spacing=spacing)
        sums[spacing] = []
        for steps in range(1, 1001):
            scheduler.set_timesteps(steps)
            times = [t for t in scheduler.timesteps.tolist() if t >= 0]
            assert len(times) == steps
            sums[spacing].append(sum(times))
    lines = ",\n".join("  " + json.dumps(case) for case in found)
    noises = ",\n".join("  " + json.dumps(case) for case in deviations)
    with open(out, "w") as file:
        file.write(f'{{"cases": [\n{lines}\n],\n"ddpm": [\n{noises}\n],\n"sums_of_times": {json.dumps(sums)}}}\n')


if __name__ == "__main__":
    main(*sys.argv[1:])
