"""Compares scoreact's U-Net and autoencoder with diffusers', on any Stable Diffusion folder, in full size.

    python tests/golden/compare_stable_diffusion.py MODEL_DIR --scoreact build/bin/scoreact [--size 64] [--grad]

MODEL_DIR is a StableDiffusionPipeline folder: downloaded weights, or `scoreact make-fixture sd15 --out MODEL_DIR`.
Needs torch, diffusers and safetensors, and memory for one network twice (Stable Diffusion 1.5: 8 GB; with --grad more,
so take a smaller --size). Prints relative errors |found - expected| / |expected| and seconds; ends with 1 if an output
differs by more than 1e-5 or a gradient by more than 1e-4.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file

OUTPUT_LIMIT, GRADIENT_LIMIT = 1e-5, 1e-4
Tensors = dict[str, torch.Tensor]


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found.double() - expected.double()).norm() / expected.double().norm()).item()


def of_scoreact(program: str, folder: Path, inputs: Tensors, grad: bool) -> tuple[Tensors, float]:
    with tempfile.TemporaryDirectory() as scratch:
        given, written = f"{scratch}/in.safetensors", f"{scratch}/out.safetensors"
        save_file({name: tensor.detach().contiguous() for name, tensor in inputs.items()}, given)
        start = time.time()
        command = [program, "forward", str(folder), "--inputs", given, "--out", written, "--quiet", "--device", "cpu"]
        subprocess.run(command + ["--grad"] * grad, check=True)
        return load_file(written), time.time() - start


def of_diffusers(run: Callable[[], Tensors], inputs: Tensors, grad: bool) -> tuple[Tensors, float]:
    """The outputs, main one first, and grad.<input> of <main output, cotangent>."""
    start = time.time()
    wanted = [name for name, tensor in inputs.items() if tensor.is_floating_point() and name != "cotangent"]
    for name in wanted:
        inputs[name].requires_grad_(grad)
    with torch.set_grad_enabled(grad):
        results = run()
        main = next(iter(results.values()))
        if grad:
            inputs["cotangent"] = torch.randn_like(main)
            gradients = torch.autograd.grad(main, [inputs[name] for name in wanted], inputs["cotangent"])
            results |= {f"grad.{name}": gradient for name, gradient in zip(wanted, gradients)}
    return {name: tensor.detach() for name, tensor in results.items()}, time.time() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--scoreact", default="build/bin/scoreact")
    parser.add_argument("--size", type=int, default=64, help="height and width of the latents")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--grad", action="store_true", help="compare gradients with respect to the inputs, too")
    parser.add_argument("--parts", default="unet,decode,encode")
    arguments = parser.parse_args()
    size, batch, good = arguments.size, arguments.batch, True

    def compare(label: str, folder: Path, inputs: Tensors, run: Callable[[], Tensors]) -> bool:
        expected, seconds = of_diffusers(run, inputs, arguments.grad)
        found, own_seconds = of_scoreact(arguments.scoreact, folder, inputs, arguments.grad)
        within = True
        for name, tensor in expected.items():
            error = relative_error(found[name], tensor)
            within &= error <= (GRADIENT_LIMIT if name.startswith("grad.") else OUTPUT_LIMIT)
            print(f"{label:8} {name:28} {'x'.join(map(str, tensor.shape)):18} {error:.2e}")
        print(f"{label:8} seconds: diffusers {seconds:.1f}, scoreact {own_seconds:.1f} with loading", flush=True)
        return within

    torch.manual_seed(0)
    for part in arguments.parts.split(","):
        if part == "unet":
            folder = arguments.model / "unet"
            unet = UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float32).eval().requires_grad_(False)
            inputs = {
                "sample": torch.randn(batch, unet.config.in_channels, size, size),
                "timestep": torch.full((batch,), 481.0),
                "encoder_hidden_states": torch.randn(batch, 77, unet.config.cross_attention_dim),
            }
            good &= compare(part, folder, inputs, lambda: {"sample": unet(**inputs_of(inputs)).sample})
            del unet
            continue
        folder = arguments.model / "vae"
        vae = AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32).eval().requires_grad_(False)
        if part == "decode":
            inputs = {"latents": torch.randn(batch, vae.config.latent_channels, size, size)}
            good &= compare(part, folder, inputs, lambda: {"sample": vae.decode(inputs["latents"]).sample})
        else:
            pixels = size * 2 ** (len(vae.config.block_out_channels) - 1)
            inputs = {"sample": torch.rand(batch, vae.config.in_channels, pixels, pixels) * 2 - 1}

            def encode() -> Tensors:
                posterior = vae.encode(inputs["sample"]).latent_dist
                return {"mean": posterior.mean, "logvar": posterior.logvar}

            good &= compare(part, folder, inputs, encode)
        del vae
    return 0 if good else 1


def inputs_of(inputs: Tensors) -> Tensors:
    return {name: tensor for name, tensor in inputs.items() if name != "cotangent"}


if __name__ == "__main__":
    sys.exit(main())
