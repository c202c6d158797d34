"""Noise of torch's and numpy's generators, for tests/unit/evaluation/known_noise_test.cpp. Run by hand where torch is:

    python tests/golden/make_noise_golden.py tests/data/known_noise.safetensors

Tensors torch.SEED.COUNT and numpy.SEED.COUNT, and torch.SEED.next: what the same generator draws after 100 numbers, 20 more. torch fills
fewer than 16 numbers in another way than 16 and more, and the rest of a division by 16 again in another; which sines it takes depends on the
processor's vector instructions, so the metadata names them.
"""

import sys

import numpy as np
import torch
from safetensors.torch import save_file


def main(out: str) -> None:
    found = {}
    for seed in (0, 7, 2**40 + 1):
        for count in (1, 5, 15, 16, 17, 31, 100):
            found[f"torch.{seed}.{count}"] = torch.randn(count, generator=torch.Generator("cpu").manual_seed(seed))
        generator = torch.Generator("cpu").manual_seed(seed)
        torch.randn(100, generator=generator)
        found[f"torch.{seed}.next"] = torch.randn(20, generator=generator)
    for seed in (0, 42, 2**32 - 1):
        values = np.random.RandomState(seed).standard_normal((3, 7))
        found[f"numpy.{seed}.21"] = torch.from_numpy(values).to(torch.float32).flatten()
    save_file(found, out, {"format": "pt", "cpu": torch.backends.cpu.get_cpu_capability(), "torch": torch.__version__})


if __name__ == "__main__":
    main(*sys.argv[1:])
