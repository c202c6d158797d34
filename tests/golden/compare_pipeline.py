"""A StableDiffusionPipeline folder as diffusers loads it beside scoreact. Run by hand where diffusers and transformers are:

    python tests/golden/compare_pipeline.py build/bin/scoreact MODEL_DIR "a red heart" [MORE_PROMPTS ...]

Both draw one picture a prompt from the same initial latents with the scheduler of the folder. Prints the largest relative difference of
the final latents and of the pictures; exit code 1 above 1e-3.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

STEPS, GUIDANCE, LIMIT = 20, 3.0, 1e-3


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


def of_scoreact(program: str, folder: str, prompt: str, latents: torch.Tensor, scratch: Path) -> tuple[torch.Tensor, torch.Tensor]:
    save_file({"latents": latents}, scratch / "noise.safetensors")
    words = ["--prompt", prompt, "--steps", str(STEPS), "--guidance", str(GUIDANCE), "--quiet"]
    command = [program, "sample", folder, *words, "--init-latents", str(scratch / "noise.safetensors"), "--out", str(scratch)]
    subprocess.run(command, check=True)
    with h5py.File(scratch / "samples.h5") as file:
        return load_file(scratch / "latents.safetensors")["latents"], torch.from_numpy(file["images"][:])


def main(program: str, folder: str, *prompts: str) -> int:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    unet = pipeline.unet.config
    worst = 0.0
    for n, prompt in enumerate(prompts):
        noise = torch.randn(1, unet.in_channels, unet.sample_size, unet.sample_size, generator=torch.Generator("cpu").manual_seed(n))
        expected = pipeline(prompt, num_inference_steps=STEPS, guidance_scale=GUIDANCE, latents=noise.clone(), output_type="latent").images
        with torch.no_grad():
            picture = pipeline.vae.decode(expected / pipeline.vae.config.scaling_factor).sample
        with tempfile.TemporaryDirectory() as scratch:
            latents, drawn = of_scoreact(program, folder, prompt, noise, Path(scratch))
        differences = relative(latents, expected), relative(drawn, picture)
        print(f"{prompt}: latents {differences[0]:.1e}, picture {differences[1]:.1e}")
        worst = max(worst, *differences)
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
