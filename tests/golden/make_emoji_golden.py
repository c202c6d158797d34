"""What diffusers draws with the emoji miniature and with a LoRA file of ours, for tests/regression/test_emoji_miniature.py. Run by hand where diffusers, peft
and transformers are:

    python tests/golden/make_emoji_golden.py inputs/emoji/model tests/data/emoji/lora.safetensors tests/data/emoji/pictures.safetensors

The file holds `latents` (initial noise) and, with and without the LoRA weights, the final latents and the pictures in [-1, 1], one a prompt.
"""

import sys
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

PROMPTS, STEPS, GUIDANCE, SEED = ["a fox on a blue background", "a green star"], 10, 3.0, 0


def drawn(pipeline: StableDiffusionPipeline, latents: torch.Tensor) -> dict[str, torch.Tensor]:
    """Final latents and pictures of all prompts."""
    final = pipeline(PROMPTS, num_inference_steps=STEPS, guidance_scale=GUIDANCE, latents=latents.clone(), output_type="latent").images
    with torch.no_grad():
        pictures = pipeline.vae.decode(final / pipeline.vae.config.scaling_factor).sample
    return {"latents": final, "pictures": pictures}


def main(folder: str, lora: str, out: str) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    unet = pipeline.unet.config
    shape = (len(PROMPTS), unet.in_channels, unet.sample_size, unet.sample_size)
    latents = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(SEED))
    found = {"latents": latents, **{f"base.{name}": value for name, value in drawn(pipeline, latents).items()}}
    pipeline.load_lora_weights(str(Path(lora).parent), weight_name=Path(lora).name)
    found |= {f"lora.{name}": value for name, value in drawn(pipeline, latents).items()}
    save_file({name: value.contiguous() for name, value in found.items()}, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
