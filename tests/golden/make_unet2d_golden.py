"""Makes tests/data/unet2d_*/: small random UNet2DModels of diffusers with one input, output and input gradient each.

Needs torch, diffusers and safetensors (not needed by the build or the tests):

    python tests/golden/make_unet2d_golden.py tests/data              # write the files
    python tests/golden/make_unet2d_golden.py --check MODEL_DIR FILE  # does diffusers agree with scoreact?

For the second form MODEL_DIR is a folder that scoreact wrote, and FILE holds `sample`, `timestep`, `class_labels` and
scoreact's `output` for them (tests/unit/models/unet2d_test.cpp writes both where SCOREACT_KEEP points).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from diffusers import DDIMPipeline, UNet2DModel
from safetensors.torch import load_file, save_file

LEGACY = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}

CONFIGS = {
    # attention at a level, class embedding, several heads, rectangular image, time embedding as factor and shift
    "class": dict(
        sample_size=(8, 12),
        in_channels=2,
        out_channels=2,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
        norm_num_groups=4,
        num_class_embeds=5,
        resnet_time_scale_shift="scale_shift",
        mid_block_scale_factor=1.5,
    ),
    # as google/ddpm-cifar10-32, smaller: one head, padding on one side, [sin, cos], and the names of old weight files
    "legacy": dict(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=2,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=None,
        norm_num_groups=4,
        downsample_padding=0,
        flip_sin_to_cos=False,
        freq_shift=1,
        norm_eps=1e-6,
    ),
}


def legacy_name(name: str) -> str:
    if "attentions." in name:
        for modern, old in LEGACY.items():
            name = name.replace(modern, old)
    return name


def make(name: str, config: dict, out: Path) -> None:
    torch.manual_seed(0)
    model = UNet2DModel(**config).eval()
    initial_sum = sum(p.double().sum().item() for p in model.parameters())
    initial_squares = sum(p.double().square().sum().item() for p in model.parameters())
    with torch.no_grad():  # norms away from 1 and 0, so that a mixed-up norm shows
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    height, width = (config["sample_size"],) * 2 if isinstance(config["sample_size"], int) else config["sample_size"]
    sample = torch.randn(3, model.config.in_channels, height, width, requires_grad=True)
    timestep = torch.tensor([0.55, 17.0, 981.0])
    labels = torch.tensor([0, 4, 2]) if "num_class_embeds" in config else None
    output = model(sample, timestep, class_labels=labels).sample
    cotangent = torch.randn_like(output)
    (gradient,) = torch.autograd.grad(output, sample, cotangent)
    folder = out / f"unet2d_{name}"
    folder.mkdir(parents=True, exist_ok=True)
    kept = {key: value for key, value in model.config.items() if not key.startswith("_") or key == "_class_name"}
    kept["_class_name"] = "UNet2DModel"
    (folder / "config.json").write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
    (folder / "scheduler_config.json").write_text(
        json.dumps(
            {
                "_class_name": "DDPMScheduler",
                "num_train_timesteps": 1000,
                "beta_schedule": "linear",
                "beta_start": 0.0001,
                "beta_end": 0.02,
                "variance_type": "fixed_large",
                "clip_sample": True,
                "prediction_type": "epsilon",
            },
            indent=2,
        )
        + "\n"
    )
    state = {legacy_name(k) if name == "legacy" else k: v.contiguous() for k, v in model.state_dict().items()}
    save_file(state, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    case = {
        "sample": sample.detach(),
        "timestep": timestep,
        "cotangent": cotangent,
        "output": output.detach().contiguous(),
        "grad.sample": gradient.contiguous(),
        "initial": torch.tensor([initial_sum, initial_squares], dtype=torch.float64),
    }
    if labels is not None:
        case["class_labels"] = labels
    save_file(case, folder / "case.safetensors")
    print(f"{folder}: {sum(p.numel() for p in model.parameters())} parameters, output norm {output.norm():.4f}")


def check(folder: Path, file: Path) -> None:
    case = load_file(file)
    pipeline = DDIMPipeline.from_pretrained(folder)
    for label, model in (("UNet2DModel", UNet2DModel.from_pretrained(folder)), ("DDIMPipeline", pipeline.unet)):
        with torch.no_grad():
            output = model(case["sample"], case["timestep"], class_labels=case.get("class_labels")).sample
        error = ((output - case["output"]).norm() / output.norm()).item()
        print(f"{label}.from_pretrained({folder}): relative error {error:.2e}")
        assert error < 1e-5
    print(f"scheduler: {type(pipeline.scheduler).__name__} {pipeline.scheduler.config.beta_schedule}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("paths", nargs="+", type=Path)
    arguments = parser.parse_args()
    if arguments.check:
        check(*arguments.paths)
    else:
        for config_name, unet_config in CONFIGS.items():
            make(config_name, unet_config, arguments.paths[0])
