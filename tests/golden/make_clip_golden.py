"""Makes tests/data/clip_*/: small random CLIP models of transformers with one input, the outputs and gradients each.

Needs torch, transformers and safetensors (not needed by the build or the tests):

    python tests/golden/make_clip_golden.py tests/data              # write the files
    python tests/golden/make_clip_golden.py --full scoreact DIR     # the same comparison at full size, with DIR as scratch

The second form writes a random ViT-L/14 (1.7 GB) with `scoreact make-fixture clip` and compares `scoreact forward` with
transformers on it: both towers, and the gradient with respect to the pixels.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPVisionModelWithProjection

TEXT = dict(hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, vocab_size=40,
            max_position_embeddings=9, bos_token_id=38, eos_token_id=39, pad_token_id=39, projection_dim=12)
VISION = dict(hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, image_size=12,
              patch_size=4, projection_dim=12)

# rows of ids that end in 39, padded with it; and with 0 behind, as OpenAI's tokenizer pads
IDS = torch.tensor([[38, 4, 17, 3, 39, 39, 39, 39, 39], [38, 9, 30, 1, 2, 5, 21, 11, 39], [38, 39, 0, 0, 0, 0, 0, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 0, 0, 0, 0], [1] * 9, [1, 1] + [0] * 7])


def shake(model: torch.nn.Module) -> None:
    """Norms away from 1, biases away from 0, weights large enough that a slip shows in the outputs."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))


def write(folder: Path, config: dict, state: dict, case: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    save_file({k: v.contiguous() for k, v in state.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    save_file({k: v.detach().contiguous() for k, v in case.items()}, folder / "case.safetensors")
    print(f"{folder}: {sum(v.numel() for v in state.values())} numbers")


def make_text(name: str, out: Path, *, bare: bool, **changes: object) -> None:
    torch.manual_seed(1)
    config = CLIPTextConfig(**{**TEXT, **changes})
    model = CLIPTextModel(config).eval()
    shake(model)
    case = {"input_ids": IDS, "attention_mask": MASK}
    with torch.no_grad():
        plain = model(IDS, output_hidden_states=True)
        masked = model(IDS, attention_mask=MASK)
        case["last_hidden_state"], case["pooler_output"] = plain.last_hidden_state, plain.pooler_output
        case["masked.last_hidden_state"], case["masked.pooler_output"] = masked.last_hidden_state, masked.pooler_output
        case["clip_skip_1"] = model.final_layer_norm(plain.hidden_states[-2])
    state = {k.removeprefix("text_model."): v for k, v in model.state_dict().items()}
    if not bare:  # as the files on the hub: a prefix, and a buffer that nobody needs
        state = {f"text_model.{k}": v for k, v in state.items()}
        state["text_model.embeddings.position_ids"] = torch.arange(9).unsqueeze(0)
    kept = config.to_dict()
    kept["architectures"] = ["CLIPTextModel"]
    write(out / f"clip_text_{name}", kept, state, case)


def openai_names(state: dict) -> dict:
    """The same tensors as OpenAI's code names and lays them out."""
    plain = {
        "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "text_model.final_layer_norm": "ln_final",
        "vision_model.embeddings.class_embedding": "visual.class_embedding",
        "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
        "vision_model.embeddings.patch_embedding": "visual.conv1",
        "vision_model.pre_layrnorm": "visual.ln_pre",
        "vision_model.post_layernorm": "visual.ln_post",
    }
    layer = {"self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc",
             "mlp.fc2": "mlp.c_proj"}
    out: dict = {}
    for name, tensor in state.items():
        if name in ("visual_projection.weight", "text_projection.weight"):
            out["visual.proj" if name.startswith("visual") else "text_projection"] = tensor.T
            continue
        if name.endswith("self_attn.q_proj.weight") or name.endswith("self_attn.q_proj.bias"):
            tensor = torch.cat([state[name.replace("q_proj", f"{k}_proj")] for k in "qkv"])
            name = name.replace("self_attn.q_proj.", "attn.in_proj_")
        elif ".k_proj." in name or ".v_proj." in name:
            continue
        for ours, theirs in {**plain, **layer}.items():
            name = name.replace(ours, theirs)
        name = name.replace("vision_model.encoder.layers", "visual.transformer.resblocks")
        out[name.replace("text_model.encoder.layers", "transformer.resblocks")] = tensor
    return out


def make_clip(out: Path) -> None:
    torch.manual_seed(2)
    # heads of 64 for the OpenAI spelling, whose files do not tell the number of heads: one head below 128
    text, vision = {**TEXT, "num_attention_heads": 1, "eos_token_id": 2}, {**VISION, "num_attention_heads": 1}
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)
    model = CLIPModel(config).eval()
    shake(model)
    pixels = torch.randn(3, 3, 12, 12, requires_grad=True)
    image = model.get_image_features(pixels).pooler_output
    cotangent = torch.randn_like(image)
    (gradient,) = torch.autograd.grad(image, pixels, cotangent)
    with torch.no_grad():
        both = model(input_ids=IDS, pixel_values=pixels)
        case = {
            "input_ids": IDS,
            "pixel_values": pixels,
            "cotangent": cotangent,
            "image_features": image,
            "grad.pixel_values": gradient,
            "text_features": model.get_text_features(IDS).pooler_output,
            "image_embeds": both.image_embeds,
            "text_embeds": both.text_embeds,
            "logits_per_image": both.logits_per_image,
            "logits_per_text": both.logits_per_text,
        }
    kept = config.to_dict()
    kept["architectures"] = ["CLIPModel"]
    state = {k: v for k, v in model.state_dict().items() if not k.endswith("position_ids")}
    write(out / "clip_model", kept, state, case)
    openai = {k: v.contiguous() for k, v in openai_names(state).items()}
    openai |= {"input_resolution": torch.tensor(12), "context_length": torch.tensor(9), "vocab_size": torch.tensor(40)}
    (out / "clip_openai").mkdir(exist_ok=True)
    save_file(openai, out / "clip_openai" / "openai.safetensors")


def forward(scoreact: str, folder: Path, scratch: Path, inputs: dict, *options: str) -> dict:
    save_file(inputs, scratch / "in.safetensors")
    subprocess.run([scoreact, "forward", folder, "--inputs", scratch / "in.safetensors", "--out",
                    scratch / "out.safetensors", *options], check=True)
    return load_file(scratch / "out.safetensors")


def report(what: str, found: torch.Tensor, expected: torch.Tensor, limit: float) -> None:
    error = ((found - expected).norm() / expected.norm()).item()
    print(f"{what}: relative error {error:.2e}")
    assert error < limit


def compare_full(scoreact: str, scratch: Path) -> None:
    folder = scratch / "clip"
    if not folder.exists():
        subprocess.run([scoreact, "make-fixture", "clip", "--out", folder], check=True)
    torch.manual_seed(3)
    vision = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
    pixels = torch.randn(2, 3, 224, 224, requires_grad=True)
    image = vision(pixels).image_embeds
    cotangent = torch.randn_like(image)
    (gradient,) = torch.autograd.grad(image, pixels, cotangent)
    found = forward(scoreact, folder, scratch, {"pixel_values": pixels.detach(), "cotangent": cotangent}, "--grad")
    report("ViT-L/14 image_embeds", found["image_embeds"], image.detach(), 1e-5)
    report("ViT-L/14 grad.pixel_values", found["grad.pixel_values"], gradient, 1e-4)
    del vision
    text = CLIPTextModel.from_pretrained(folder).eval()
    ids = torch.randint(0, 49000, (2, 77))
    ids[:, 0], ids[0, 10:], ids[1, 76] = 49406, 49407, 49407
    with torch.no_grad():
        expected = text(ids)
    found = forward(scoreact, folder, scratch, {"input_ids": ids})
    report("text last_hidden_state", found["last_hidden_state"], expected.last_hidden_state, 1e-5)
    report("text pooler_output", found["pooler_output"], expected.pooler_output, 1e-5)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", metavar="SCOREACT")
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.full:
        compare_full(arguments.full, arguments.folder)
    else:
        make_text("eos", arguments.folder, bare=True)
        make_text("legacy", arguments.folder, bare=False, hidden_act="gelu", eos_token_id=2, bos_token_id=0, pad_token_id=1)
        make_clip(arguments.folder)
