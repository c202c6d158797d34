"""What diffusers draws from the fixture tiny-sd, for tests/regression/test_stable_diffusion.py. Run by hand where diffusers and transformers are:

    build/bin/scoreact make-fixture tiny-sd --out DIR
    python tests/golden/make_sampling_golden.py DIR tests/data/stable_diffusion/sampling.safetensors

Any StableDiffusionPipeline folder will do: with a third word, a folder, the same pictures are also written there as PNG. The file holds `latents` (initial
noise of torch's CPU generator, seed 0) and, for each case, the final latents and the corner of the picture in [0, 1].
"""

import json
import sys
from pathlib import Path

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, PNDMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file

PROMPT, NEGATIVE, STEPS, GUIDANCE, SEED = "a photo of a cat", "blurry", 3, 7.5, 0
SCHEDULERS = {
    "pndm": (PNDMScheduler, {"skip_prk_steps": True}, STEPS),  # as Stable Diffusion's own file says
    "pndm_runge_kutta": (PNDMScheduler, {"skip_prk_steps": False, "timestep_spacing": "trailing"}, 5),
    "ddim": (DDIMScheduler, {}, STEPS),
    "dpmpp_2m": (DPMSolverMultistepScheduler, {}, STEPS),
}


def main(folder: str, out: str, pictures: str | None = None) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    config = json.loads((Path(folder) / "unet" / "config.json").read_text())  # the pipeline enlarges sample_size of old files
    shape = (2, config["in_channels"], config["sample_size"], config["sample_size"])
    latents = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(SEED))
    found = {"latents": latents}
    of_the_folder = pipeline.scheduler.config
    for name, (scheduler, options, steps) in SCHEDULERS.items():
        pipeline.scheduler = scheduler.from_config(of_the_folder, **options)
        for case, negative in (("plain", None), ("negative", NEGATIVE)):
            kept = {}

            def keep(pipe: StableDiffusionPipeline, step: int, t: int, values: dict, kept: dict = kept) -> dict:
                kept["latents"] = values["latents"].clone()
                return values

            images = pipeline(
                [PROMPT, PROMPT],
                negative_prompt=None if negative is None else [negative, negative],
                num_inference_steps=steps,
                guidance_scale=GUIDANCE,
                latents=latents.clone(),
                output_type="np" if pictures is None else "pil",
                callback_on_step_end=keep,
            ).images
            found[f"{name}.{case}.latents"] = kept["latents"]
            if pictures is None:
                found[f"{name}.{case}.corner"] = torch.from_numpy(images[:, -8:, -8:, :]).contiguous()
            else:
                for i, image in enumerate(images):
                    image.save(f"{pictures}/{name}_{case}_{i}.png")
    save_file(found, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
