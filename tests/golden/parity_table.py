"""Every network beside its Python original on the same random weights: a Markdown table of the largest errors.

For each network, `scoreact make-fixture` writes a folder, the original computes outputs and the gradients of <output, cotangent>
with respect to its floating-point inputs, and `scoreact forward --grad` does the same from the same file.

Needs torch, diffusers, transformers, pytorch-fid and safetensors (not needed by the build or the tests):

    OMP_NUM_THREADS=1 python tests/golden/parity_table.py --scoreact build/bin/scoreact --scratch DIR              # small networks
    python tests/golden/parity_table.py --scoreact build/bin/scoreact --scratch DIR --full       # sizes of Stable Diffusion 1.5
    ... --only unet,vae                                                                          # some rows

ImageReward's original needs other versions of its libraries: make_image_reward_golden.py compares it.

`output` and `gradient` are max |ours - original| / max |original|, the largest over the tensors. Exit 1 if one is above 1e-5
or 1e-4.
"""

from __future__ import annotations

import argparse
import gc
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from inception_originals import pytorch_fid_network
from safetensors.torch import load_file, save_file

OUTPUT_LIMIT, GRADIENT_LIMIT = 1e-5, 1e-4
LORA_FILE = "lora.safetensors"

Tensors = dict[str, torch.Tensor]
Original = Callable[[Path], tuple[torch.nn.Module, Callable[[Tensors], Tensors]]]


@dataclass
class Row:
    key: str  # for --only
    network: str
    fixture: str  # of scoreact make-fixture
    part: str  # folder inside it
    inputs: Callable[[torch.nn.Module], Tensors]
    original: Original
    gradients: bool = True
    lora: bool = False  # a LoRA of peft on the attention projections; its gradients are compared too


def unet_condition(folder: Path) -> tuple[torch.nn.Module, Callable[[Tensors], Tensors]]:
    from diffusers import UNet2DConditionModel

    model = UNet2DConditionModel.from_pretrained(folder)
    return model, lambda x: {"sample": model(x["sample"], x["timestep"], x["encoder_hidden_states"]).sample}


def unet_inputs(size: int | None) -> Callable[[torch.nn.Module], Tensors]:
    def inputs(model: torch.nn.Module) -> Tensors:
        side = size or model.config.sample_size
        return {
            "sample": torch.randn(2, model.config.in_channels, side, side),
            "timestep": torch.tensor([981.0, 17.0]),
            "encoder_hidden_states": torch.randn(2, 77, model.config.cross_attention_dim),
        }

    return inputs


def unet_pixels(folder: Path) -> tuple[torch.nn.Module, Callable[[Tensors], Tensors]]:
    from diffusers import UNet2DModel

    model = UNet2DModel.from_pretrained(folder)
    return model, lambda x: {"sample": model(x["sample"], x["timestep"]).sample}


def unet_pixels_inputs(model: torch.nn.Module) -> Tensors:
    side = model.config.sample_size
    return {"sample": torch.randn(2, model.config.in_channels, side, side), "timestep": torch.tensor([981.0, 17.0])}


def vae_decoder(folder: Path) -> tuple[torch.nn.Module, Callable[[Tensors], Tensors]]:
    from diffusers import AutoencoderKL

    model = AutoencoderKL.from_pretrained(folder)
    return model, lambda x: {"sample": model.decode(x["latents"]).sample}


def vae_encoder(folder: Path) -> tuple[torch.nn.Module, Callable[[Tensors], Tensors]]:
    from diffusers import AutoencoderKL

    model = AutoencoderKL.from_pretrained(folder)

    def run(x: Tensors) -> Tensors:
        distribution = model.encode(x["sample"]).latent_dist
        return {"mean": distribution.mean, "logvar": distribution.logvar}

    return model, run


def clip_text(folder: Path) -> tuple[torch.nn.Module, Callable[[Tensors], Tensors]]:
    from transformers import CLIPTextModel

    model = CLIPTextModel.from_pretrained(folder)

    def run(x: Tensors) -> Tensors:
        output = model(x["input_ids"])
        return {"last_hidden_state": output.last_hidden_state, "pooler_output": output.pooler_output}

    return model, run


def text_inputs(model: torch.nn.Module) -> Tensors:
    length, vocabulary = model.config.max_position_embeddings, model.config.vocab_size
    ids = torch.randint(0, vocabulary - 3, (3, length))
    end = model.config.eos_token_id
    for row, words in enumerate((3, length // 2, length - 1)):
        ids[row, words:] = end
    return {"input_ids": ids}


def clip_vision(folder: Path) -> tuple[torch.nn.Module, Callable[[Tensors], Tensors]]:
    from transformers import CLIPVisionModelWithProjection

    model = CLIPVisionModelWithProjection.from_pretrained(folder)
    return model, lambda x: {"image_embeds": model(x["pixel_values"]).image_embeds}


def vision_inputs(model: torch.nn.Module) -> Tensors:
    side = model.config.image_size
    return {"pixel_values": torch.randn(2, 3, side, side)}


def inception(folder: Path) -> tuple[torch.nn.Module, Callable[[Tensors], Tensors]]:
    model = pytorch_fid_network(folder)
    return model, lambda x: {"features": model(x["inp"])[0].flatten(1)}


def rows(full: bool) -> list[Row]:
    sd = "sd15" if full else "tiny-sd"
    latent = 32 if full else None
    return [
        Row("unet", "UNet2DConditionModel", sd, "unet", unet_inputs(latent), unet_condition),
        Row("lora", "the same with a LoRA of rank 4", sd, "unet", unet_inputs(latent), unet_condition, lora=True),
        Row("vae", "AutoencoderKL decoder", sd, "vae",
            lambda m: {"latents": torch.randn(1, m.config.latent_channels, 32, 32)}, vae_decoder),
        Row("vae", "AutoencoderKL encoder", sd, "vae",
            lambda m: {"sample": torch.rand(1, 3, 256, 256) * 2 - 1}, vae_encoder),
        Row("clip_text", "CLIPTextModel", sd, "text_encoder", text_inputs, clip_text, gradients=False),
        Row("clip_vision", "CLIPVisionModelWithProjection", "clip" if full else "tiny-clip", "", vision_inputs, clip_vision),
        *([Row("ddpm", "UNet2DModel", "ddpm-cifar10", "", unet_pixels_inputs, unet_pixels)] if full else []),
        *([Row("inception", "InceptionV3 (pytorch-fid)", "inception", "",
               lambda _: {"inp": torch.rand(2, 3, 96, 64)}, inception)] if full else []),
    ]  # fmt: skip


def add_lora(model: torch.nn.Module, scratch: Path) -> Tensors:
    """Adds a LoRA whose product is not 0, writes it as diffusers does and gives its tensors under the names that scoreact gives them."""
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig, get_peft_model_state_dict

    model.add_adapter(LoraConfig(r=4, lora_alpha=8, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    adapted = {}
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if "lora_" not in key:
                continue
            if "lora_B" in key:
                parameter.copy_(0.1 * torch.randn_like(parameter))
            module, part = key.replace(".default.weight", "").rsplit(".", 1)
            adapted[f"unet.{module}.lora.{'down' if part == 'lora_A' else 'up'}.weight"] = parameter.requires_grad_(True)
    state = {key: value.contiguous() for key, value in get_peft_model_state_dict(model).items()}
    config = model.peft_config["default"].to_dict()
    StableDiffusionPipeline.save_lora_weights(scratch, unet_lora_layers=state, unet_lora_adapter_metadata=config, weight_name=LORA_FILE)
    return adapted


def error(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert found.shape == expected.shape, f"{tuple(found.shape)} instead of {tuple(expected.shape)}"
    return ((found.double() - expected.double()).abs().max() / expected.double().abs().max()).item()


def compare(row: Row, scoreact: Path, scratch: Path) -> tuple[str, float, float | None]:
    folder = scratch / row.fixture
    if not folder.exists():
        subprocess.run([scoreact, "make-fixture", row.fixture, "--out", folder, "--quiet"], check=True)
    network = folder / row.part
    torch.manual_seed(0)
    model, run = row.original(network)
    model = model.eval().requires_grad_(False)
    lora = add_lora(model, scratch) if row.lora else {}
    count = sum(p.numel() for p in (lora.values() if row.lora else model.parameters()))
    size = f"{count / 1e6:.1f} M" if count >= 1e5 else f"{count / 1e3:.0f} k"
    inputs = row.inputs(model)
    floating = [name for name, tensor in inputs.items() if tensor.is_floating_point()] if row.gradients else []
    for name in floating:
        inputs[name].requires_grad_(True)
    with torch.set_grad_enabled(bool(floating)):
        outputs = run(inputs)
    main = next(iter(outputs.values()))
    expected = {name: tensor.detach() for name, tensor in outputs.items()}
    if floating:
        inputs["cotangent"] = torch.randn_like(main)
        wanted = {name: inputs[name] for name in floating} | lora
        gradients = torch.autograd.grad(main, list(wanted.values()), inputs["cotangent"])
        expected |= {f"grad.{name}": gradient for name, gradient in zip(wanted, gradients)}
    del model, run, outputs, main, lora
    gc.collect()
    save_file({k: v.detach().contiguous() for k, v in inputs.items()}, scratch / "in.safetensors")
    command = [scoreact, "forward", network, "--inputs", scratch / "in.safetensors", "--out", scratch / "out.safetensors"]
    words = ["--quiet", *(["--grad"] if floating else []), *(["--lora", scratch / LORA_FILE] if row.lora else [])]
    subprocess.run([*command, *words], check=True)
    found = load_file(scratch / "out.safetensors")
    errors = {name: error(found[name], tensor) for name, tensor in expected.items()}
    outputs_error = max(e for n, e in errors.items() if not n.startswith("grad."))
    gradient_errors = [e for n, e in errors.items() if n.startswith("grad.")]
    return size, outputs_error, max(gradient_errors) if gradient_errors else None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scoreact", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True, help="fixtures are made here, and stay")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--only", default="", help="keys of rows, separated by commas")
    parser.add_argument("--remove", action="store_true", help="remove each fixture when its last row is done")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)  # of weights that half a CLIPModel leaves over
    scratch: Path = arguments.scratch
    scratch.mkdir(parents=True, exist_ok=True)
    chosen = [r for r in rows(arguments.full) if not arguments.only or r.key in arguments.only.split(",")]
    print("| network | weights | parameters | output | gradient |\n|---|---|---|---|---|", flush=True)
    good = True
    for index, row in enumerate(chosen):
        size, output, gradient = compare(row, arguments.scoreact, scratch)
        good = good and output <= OUTPUT_LIMIT and (gradient is None or gradient <= GRADIENT_LIMIT)
        shown = "-" if gradient is None else f"{gradient:.1e}"
        print(f"| {row.network} | {row.fixture} | {size} | {output:.1e} | {shown} |", flush=True)
        if arguments.remove and row.fixture not in [later.fixture for later in chosen[index + 1 :]]:
            shutil.rmtree(scratch / row.fixture)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
