"""Makes tests/data/text_encoder_lora/: a LoRA of peft on the text encoder of tests/data/clip_text_eos and on the U-Net of
tests/data/unet2d_condition_sd1, in every spelling, and what diffusers' pipeline computes with it.

Needs torch, diffusers, transformers, peft and safetensors (not needed by the build or the tests):

    python tests/golden/make_text_lora_golden.py tests/data   # write the files
    python tests/golden/make_text_lora_golden.py --check DIR  # does diffusers read scoreact's files?

For the second form DIR is where tests/unit/models/text_lora_test.cpp left what it wrote (environment variable
SCOREACT_KEEP).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

RANK, ALPHA = 2, 3.0
UNET_MODULE = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
FORMER = {"q_proj": "to_q_lora", "k_proj": "to_k_lora", "v_proj": "to_v_lora", "out_proj": "to_out_lora"}


class Pair(StableDiffusionPipeline):
    """The two networks of a pipeline that carry LoRA."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        super(StableDiffusionPipeline, self).__init__()
        self.register_modules(unet=unet, text_encoder=text_encoder)


def pair(data: Path) -> Pair:
    unet = UNet2DConditionModel.from_pretrained(data / "unet2d_condition_sd1")
    text_encoder = CLIPTextModel.from_pretrained(data / "clip_text_eos")
    return Pair(unet.float().eval(), text_encoder.float().eval())


def states(data: Path, file: Path) -> torch.Tensor:
    """The text encoder's last hidden states with a file's LoRA, read by diffusers. Published files say text_model, which
    transformers took out of its names in 5.6; diffusers 0.42 finds them in neither form of the network but its own."""
    pipeline = pair(data)
    bare = not any("text_model" in name for name, _ in pipeline.text_encoder.named_modules())
    with tempfile.TemporaryDirectory() as folder, safe_open(file, "pt") as opened:
        renamed = {}
        for key in opened.keys():
            renamed[key.replace("text_model.", "").replace("text_model_", "") if bare else key] = opened.get_tensor(key)
        header = {key: value.replace("text_model.", "") if bare else value for key, value in opened.metadata().items()}
        save_file(renamed, Path(folder) / "lora.safetensors", metadata=header)
        pipeline.load_lora_weights(folder, weight_name="lora.safetensors")
    case = load_file(data / "clip_text_eos/case.safetensors")
    with torch.no_grad():
        return pipeline.text_encoder(case["input_ids"]).last_hidden_state


def make(data: Path) -> None:
    torch.manual_seed(3)
    folder = data / "text_encoder_lora"
    folder.mkdir(exist_ok=True)
    weights = {key: value for key, value in load_file(data / "clip_text_eos/model.safetensors").items() if value.dim() == 2}
    maps = {key.removesuffix(".weight"): value for key, value in weights.items() if "_proj" in key or "fc" in key}
    attention = {key: value for key, value in maps.items() if "self_attn" in key}

    def factors(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.randn(RANK, weight.shape[1]) * weight.shape[1] ** -0.5, 0.3 * torch.randn(weight.shape[0], RANK)

    unet_weight = load_file(data / "unet2d_condition_sd1/diffusion_pytorch_model.safetensors")[UNET_MODULE + ".weight"]
    published = {module: f"text_model.{module.removeprefix('text_model.')}" for module in maps}  # transformers up to 5.5
    text = {published[module]: factors(weight) for module, weight in maps.items()}
    unet = {UNET_MODULE: factors(unet_weight)}
    stated = {}
    for prefix, modules in (("unet", unet), ("text_encoder", text)):
        stated |= {f"{prefix}.r": RANK, f"{prefix}.lora_alpha": ALPHA, f"{prefix}.target_modules": sorted(modules)}
    metadata = {"format": "pt", "lora_adapter_metadata": json.dumps(stated)}

    diffusers, peft, kohya, former = {}, {}, {}, {}
    for prefix, modules, infix in (("unet", unet, ".lora"), ("text_encoder", text, ".lora_linear_layer")):
        for module, (down, up) in modules.items():
            stem = f"{prefix}.{module}"
            diffusers |= {f"{stem}{infix}.down.weight": down, f"{stem}{infix}.up.weight": up}
            peft |= {f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}
            stem = {"unet": "lora_unet_", "text_encoder": "lora_te_"}[prefix] + module.replace(".", "_")
            kohya |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": torch.tensor(ALPHA)}
    for module in map(published.get, attention):  # the old spelling knows attention only, and no alpha: it goes into the upper factor
        block, _, projection = module.rpartition(".")
        down, up = text[module]
        former |= {f"text_encoder.{block}.{FORMER[projection]}.down.weight": down,
                   f"text_encoder.{block}.{FORMER[projection]}.up.weight": up * ALPHA / RANK}

    case = {}
    for name, tensors, header in (("diffusers", diffusers, metadata), ("peft", peft, metadata),
                                  ("kohya", kohya, {"format": "pt"}), ("former", former, {"format": "pt"})):
        save_file({key: value.contiguous() for key, value in tensors.items()}, folder / f"{name}.safetensors", metadata=header)
        case[name] = states(data, folder / f"{name}.safetensors").contiguous()
        print(f"{name}: {len(tensors)} tensors, states' norm {case[name].norm():.5f}")
    save_file(case, folder / "case.safetensors")


def check(data: Path, kept: Path) -> None:
    expected = load_file(kept / "output.safetensors")["output"]
    for spelling in ("diffusers", "peft", "kohya"):
        found = states(data, kept / f"{spelling}.safetensors")
        error = ((found - expected).norm() / expected.norm()).item()
        print(f"diffusers load_lora_weights, {spelling}: relative error {error:.2e}")
        assert error < 1e-5


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.check:
        check(Path(__file__).parents[1] / "data", options.folder)
    else:
        make(options.folder)
