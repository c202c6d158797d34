"""Makes tests/data/{unet2d_condition_*,autoencoder_kl}/: small random networks of diffusers with inputs, outputs and
gradients, and for one of them a LoRA of peft in every spelling.

Needs torch, diffusers, peft and safetensors (not needed by the build or the tests):

    python tests/golden/make_stable_diffusion_golden.py tests/data   # write the files
    python tests/golden/make_stable_diffusion_golden.py --check DIR  # do diffusers and peft read scoreact's LoRA files?

For the second form DIR is where tests/unit/models/lora_test.cpp left what it exported (environment variable
SCOREACT_KEEP).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_kohya
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file, save_file

LEGACY = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}

UNETS = {
    # the blocks of Stable Diffusion 1.5; a size that its levels cannot halve
    "sd1": dict(
        sample_size=(7, 10),
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=6,
        attention_head_dim=2,
        norm_num_groups=4,
    ),
    # everything that may be a list, linear projections, text in the first attention too, odd kernels
    "lists": dict(
        sample_size=8,
        in_channels=2,
        out_channels=3,
        center_input_sample=True,
        block_out_channels=(8, 12),
        layers_per_block=(1, 2),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=(5, 5),
        attention_head_dim=(2, 3),
        transformer_layers_per_block=(1, 2),
        only_cross_attention=(False, True),
        norm_num_groups=4,
        norm_eps=1e-4,
        use_linear_projection=True,
        resnet_time_scale_shift="scale_shift",
        mid_block_scale_factor=1.5,
        downsample_padding=1,
        flip_sin_to_cos=False,
        freq_shift=1,
        time_embedding_dim=20,
        conv_in_kernel=5,
    ),
}

VAE = dict(
    block_out_channels=(4, 8),
    down_block_types=("DownEncoderBlock2D",) * 2,
    up_block_types=("UpDecoderBlock2D",) * 2,
    layers_per_block=1,
    latent_channels=3,
    norm_num_groups=2,
    sample_size=16,
    scaling_factor=0.5,
)


def shaken(model: torch.nn.Module) -> torch.nn.Module:
    """Norms away from 1 and 0, so that a mixed-up norm shows; values that float16 holds, so that files are small."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
            parameter.copy_(parameter.half().float())
    return model.eval()


def write_model(model: torch.nn.Module, folder: Path, rename=lambda name: name) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = {key: value for key, value in model.config.items() if not key.startswith("_")}
    config["_class_name"] = type(model).__name__
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    state = {rename(name): value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(state, folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})


def contiguous(tensors: dict) -> dict:
    return {name: tensor.detach().contiguous() for name, tensor in tensors.items()}


def make_unet(name: str, config: dict, out: Path) -> None:
    torch.manual_seed(0)
    model = shaken(UNet2DConditionModel(**config))
    folder = out / f"unet2d_condition_{name}"
    write_model(model, folder)
    size = config["sample_size"]
    height, width = (size, size) if isinstance(size, int) else size
    context_width = model.config.cross_attention_dim
    context_width = context_width if isinstance(context_width, int) else context_width[0]
    sample = torch.randn(3, model.config.in_channels, height, width, requires_grad=True)
    context = torch.randn(3, 5, context_width, requires_grad=True)
    timestep = torch.tensor([0.55, 17.0, 981.0])

    def run() -> torch.Tensor:
        return model(sample, timestep, encoder_hidden_states=context).sample

    output = run()
    cotangent = torch.randn_like(output)
    gradients = torch.autograd.grad(output, (sample, context), cotangent)
    case = {
        "sample": sample,
        "timestep": timestep,
        "encoder_hidden_states": context,
        "cotangent": cotangent,
        "output": output,
        "grad.sample": gradients[0],
        "grad.encoder_hidden_states": gradients[1],
    }
    if name == "sd1":
        add_lora(model, folder)
        adapted = run()
        case["lora.output"] = adapted
        lora = {key: value for key, value in model.named_parameters() if "lora_" in key}
        for key, gradient in zip(lora, torch.autograd.grad(adapted, list(lora.values()), cotangent)):
            module, part = key.replace(".default.weight", "").rsplit(".", 1)
            case[f"grad.unet.{module}.lora.{'down' if part == 'lora_A' else 'up'}.weight"] = gradient
    save_file(contiguous(case), folder / "case.safetensors")
    print(f"{folder}: {sum(p.numel() for p in model.parameters())} parameters, output norm {output.norm():.4f}")


def add_lora(model: UNet2DConditionModel, folder: Path) -> None:
    """Adds a LoRA of peft whose alpha is not its rank, and writes it in every spelling."""
    model.add_adapter(LoraConfig(r=3, lora_alpha=6, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                parameter.copy_(0.3 * torch.randn_like(parameter))
    state = contiguous(get_peft_model_state_dict(model))
    prefixed = {f"unet.{key}": value for key, value in state.items()}
    config = model.peft_config["default"]
    StableDiffusionPipeline.save_lora_weights(
        folder,
        unet_lora_layers=state,
        unet_lora_adapter_metadata=config.to_dict(),
        weight_name="lora_diffusers_peft.safetensors",
    )
    metadata = {"format": "pt", "lora_adapter_metadata": json.dumps({"unet.r": 3, "unet.lora_alpha": 6})}
    save_file(convert_state_dict_to_diffusers(prefixed), folder / "lora_diffusers.safetensors", metadata=metadata)
    alphas = {key.rsplit(".lora_A", 1)[0] + ".alpha": 6.0 for key in prefixed if "lora_A" in key}
    kohya = convert_state_dict_to_kohya(dict(prefixed))
    kohya = {key.replace("unet.", "lora_unet_", 1) if key.startswith("unet.") else key: v for key, v in kohya.items()}
    for key in alphas:  # alpha by hand: what the converter writes is the rank
        stem, name = key.rsplit(".", 1)
        kohya[stem.replace("unet.", "lora_unet_", 1).replace(".", "_") + "." + name] = torch.tensor(6.0)
    save_file(contiguous(kohya), folder / "lora_kohya.safetensors", metadata={"format": "pt"})
    processor = {}  # the spelling of old attention processors knows no alpha: it goes into the upper factor
    for key, value in convert_state_dict_to_diffusers(dict(prefixed)).items():
        block, projection, _, direction, _ = key.replace("to_out.0", "to_out").rsplit(".", 4)
        factor = 2.0 if direction == "up" else 1.0
        processor[f"{block}.processor.{projection}_lora.{direction}.weight"] = factor * value
    save_file(contiguous(processor), folder / "lora_processor.safetensors", metadata={"format": "pt"})
    adapter = folder / "lora_peft"
    adapter.mkdir(exist_ok=True)
    save_file({f"base_model.model.{key}": value for key, value in state.items()}, adapter / "adapter_model.safetensors",
              metadata={"format": "pt"})
    kept = {key: value for key, value in config.to_dict().items() if value not in (None, {}, [])}
    kept["target_modules"] = sorted(kept["target_modules"])
    (adapter / "adapter_config.json").write_text(json.dumps(kept, indent=2, sort_keys=True, default=str) + "\n")


def legacy_name(name: str) -> str:
    if "attentions." in name:
        for modern, old in LEGACY.items():
            name = name.replace(modern, old)
    return name


def make_vae(out: Path) -> None:
    torch.manual_seed(1)
    model = shaken(AutoencoderKL(**VAE))
    folder = out / "autoencoder_kl"
    write_model(model, folder, legacy_name)
    pixels = torch.randn(2, 3, 16, 12, requires_grad=True)
    latents = torch.randn(2, 3, 5, 7, requires_grad=True)
    posterior = model.encode(pixels).latent_dist
    decoded = model.decode(latents).sample
    to_mean, to_pixels = torch.randn_like(posterior.mean), torch.randn_like(decoded)
    case = {
        "sample": pixels,
        "mean": posterior.mean,
        "logvar": posterior.logvar,
        "cotangent.mean": to_mean,
        "grad.sample": torch.autograd.grad(posterior.mean, pixels, to_mean)[0],
        "latents": latents,
        "decoded": decoded,
        "cotangent.decoded": to_pixels,
        "grad.latents": torch.autograd.grad(decoded, latents, to_pixels)[0],
    }
    save_file(contiguous(case), folder / "case.safetensors")
    print(f"{folder}: {sum(p.numel() for p in model.parameters())} parameters, output norm {decoded.norm():.4f}")


def check(kept: Path, data: Path) -> None:
    """scoreact's exports, loaded by diffusers (all three) and by peft (its folder), against scoreact's own output."""
    from peft import PeftModel

    folder = data / "unet2d_condition_sd1"
    case = load_file(folder / "case.safetensors")
    expected = load_file(kept / "output.safetensors")["output"]

    class Holder(StableDiffusionPipeline):
        """A pipeline of a U-Net alone."""

        text_encoder = None

        def __init__(self, unet: UNet2DConditionModel) -> None:
            super(StableDiffusionPipeline, self).__init__()
            self.register_modules(unet=unet)

    def error_of(model: torch.nn.Module) -> float:
        with torch.no_grad():
            found = model(case["sample"], case["timestep"], encoder_hidden_states=case["encoder_hidden_states"]).sample
        return ((found - expected).norm() / expected.norm()).item()

    def base() -> UNet2DConditionModel:
        return UNet2DConditionModel.from_pretrained(folder).float().eval()

    for spelling in ("diffusers", "peft", "kohya"):
        pipeline = Holder(base())
        pipeline.load_lora_weights(kept, weight_name=f"{spelling}.safetensors")
        error = error_of(pipeline.unet)
        print(f"diffusers load_lora_weights, {spelling}: relative error {error:.2e}")
        assert error < 1e-5
    error = error_of(PeftModel.from_pretrained(base(), kept / "peft_folder"))
    print(f"peft PeftModel.from_pretrained: relative error {error:.2e}")
    assert error < 1e-5


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("path", type=Path)
    arguments = parser.parse_args()
    if arguments.check:
        check(arguments.path, Path(__file__).resolve().parents[1] / "data")
    else:
        for unet_name, unet_config in UNETS.items():
            make_unet(unet_name, unet_config, arguments.path)
        make_vae(arguments.path)
