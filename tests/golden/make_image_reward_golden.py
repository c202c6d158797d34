"""Makes tests/data/image_reward/: a small random ImageReward with one input, its reward and the gradient.

The reference is the original code: PyPI's image-reward 1.5, unpacked (the wheel is a zip file), which needs transformers
4.30, timm 0.6 and torch. None of this is needed by the build or the tests:

    python tests/golden/make_image_reward_golden.py WHEEL_FOLDER tests/data
    python tests/golden/make_image_reward_golden.py WHEEL_FOLDER --full scoreact DIR

The second form writes a random ImageReward of full size (1.8 GB) with `scoreact make-fixture image-reward` into DIR and
compares `scoreact forward` with the original on it: a row of parity_table.py's table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

MED = dict(architectures=["BertModel"], model_type="bert", hidden_act="gelu", hidden_size=32, num_hidden_layers=2,
           num_attention_heads=4, intermediate_size=48, vocab_size=50, max_position_embeddings=40, layer_norm_eps=1e-12,
           attention_probs_dropout_prob=0.1, hidden_dropout_prob=0.1, initializer_range=0.02, pad_token_id=0,
           type_vocab_size=2, encoder_width=768, add_cross_attention=True)


def original(wheel: Path) -> types.SimpleNamespace:
    """The package's modules without its __init__ files, which import diffusers, OpenAI's clip and more."""
    for name, folder in (("ImageReward", "ImageReward"), ("ImageReward.models", "ImageReward/models"),
                         ("ImageReward.models.BLIP", "ImageReward/models/BLIP")):
        module = types.ModuleType(name)
        module.__path__ = [str(wheel / folder)]
        sys.modules[name] = module
    wrapper = types.ModuleType("fairscale.nn.checkpoint.checkpoint_activations")
    wrapper.checkpoint_wrapper = lambda module: module  # only used when gradients are checkpointed
    for name in ("fairscale", "fairscale.nn", "fairscale.nn.checkpoint"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules[wrapper.__name__] = wrapper
    from ImageReward import ImageReward as reward
    from ImageReward.models.BLIP import blip_pretrain, vit

    blip_pretrain.init_tokenizer = lambda: None  # would download a vocabulary
    return types.SimpleNamespace(reward=reward, blip=blip_pretrain, vit=vit)


def small_head(width: int) -> nn.Module:
    head = nn.Module()
    head.layers = nn.Sequential(nn.Linear(width, 24), nn.Dropout(0.2), nn.Linear(24, 16), nn.Dropout(0.2), nn.Linear(16, 12),
                                nn.Dropout(0.1), nn.Linear(12, 8), nn.Linear(8, 1))
    head.forward = head.layers.forward
    return head


def run(model: nn.Module, ids: torch.Tensor, mask: torch.Tensor, pixels: torch.Tensor, cotangent: torch.Tensor) -> dict:
    pixels = pixels.clone().requires_grad_(True)
    normalised = model.score_gard(ids, mask, pixels).squeeze(1)
    raw = normalised * model.std + model.mean
    (gradient,) = torch.autograd.grad(raw, pixels, cotangent)
    return {"reward": raw.detach(), "normalised": normalised.detach(), "grad.pixel_values": gradient}


def make(wheel: Path, out: Path) -> None:
    modules = original(wheel)
    folder = out / "image_reward"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "med_config.json").write_text(json.dumps(MED, indent=2, sort_keys=True) + "\n")
    # two heads of 64, as files that do not tell the number of heads are read
    tower = dict(img_size=16, patch_size=4, embed_dim=128, depth=2, num_heads=2, mlp_ratio=1 / 16, drop_path_rate=0.1)
    modules.blip.create_vit = lambda *_: (modules.vit.VisionTransformer(**tower), 128)
    torch.manual_seed(5)
    model = modules.reward.ImageReward.__new__(modules.reward.ImageReward)
    nn.Module.__init__(model)
    model.device, model.mean, model.std = "cpu", 0.16717362830052426, 1.0333394966054072
    model.blip = modules.blip.BLIP_Pretrain(image_size=16, vit="large", med_config=str(folder / "med_config.json"), embed_dim=8)
    model.mlp = small_head(32)
    with torch.no_grad():  # norms away from 1, and numbers that half precision holds: the file is half as large
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
            parameter.copy_(parameter.half().float())
    model.eval()
    ids = torch.tensor([[5, 11, 7, 8, 6, 0, 0], [5, 21, 9, 48, 30, 12, 6], [5, 6, 0, 0, 0, 0, 0]])
    mask = (ids != 0).long()
    pixels, cotangent = torch.randn(3, 3, 16, 16), torch.randn(3)
    case = {"input_ids": ids, "attention_mask": mask, "pixel_values": pixels, "cotangent": cotangent}
    case |= run(model, ids, mask, pixels, cotangent)
    state = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "ImageReward.safetensors", metadata={"format": "pt"})
    save_file({k: v.contiguous() for k, v in case.items()}, folder / "case.safetensors")
    print(f"{folder}: {len(state)} tensors, {sum(v.numel() for v in state.values())} numbers, reward {case['reward'].tolist()}")


def compare_full(wheel: Path, scoreact: str, scratch: Path) -> None:
    modules = original(wheel)
    folder = scratch / "image-reward"
    if not folder.exists():
        subprocess.run([scoreact, "make-fixture", "image-reward", "--out", folder], check=True)
    model = modules.reward.ImageReward(str(folder / "med_config.json"))
    model.load_state_dict(torch.load(folder / "ImageReward.pt"), strict=True)
    model.eval()
    torch.manual_seed(6)
    ids = torch.randint(1000, 30000, (2, 35))
    ids[:, 0], ids[0, 11], ids[0, 12:] = 101, 102, 0
    mask = (ids != 0).long()
    pixels, cotangent = torch.randn(2, 3, 224, 224), torch.randn(2)
    expected = run(model, ids, mask, pixels, cotangent)
    save_file({"input_ids": ids, "attention_mask": mask, "pixel_values": pixels, "cotangent": cotangent.unsqueeze(1)},
              scratch / "in.safetensors")
    subprocess.run([scoreact, "forward", folder, "--inputs", scratch / "in.safetensors", "--out", scratch / "out.safetensors",
                    "--grad"], check=True)
    found = load_file(scratch / "out.safetensors")
    expected["reward"] = expected["normalised"].unsqueeze(1)
    expected["grad.pixel_values"] /= model.std
    errors = {}
    for name, limit in (("reward", 1e-5), ("grad.pixel_values", 1e-4)):
        errors[name] = ((found[name] - expected[name]).abs().max() / expected[name].abs().max()).item()
        assert errors[name] < limit, f"ImageReward {name}: {errors[name]:.2e} of the largest magnitude"
    count = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    print(f"| ImageReward | image-reward | {count:.1f} M | {errors['reward']:.1e} | {errors['grad.pixel_values']:.1e} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--full", metavar="SCOREACT")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.full:
        compare_full(arguments.wheel, arguments.full, arguments.folder)
    else:
        make(arguments.wheel, arguments.folder)
