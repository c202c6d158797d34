"""Networks of scoreact beside their Python originals: the same random weights, inputs and threads, one process at a time, turn about.

Run by hand in an environment that has torch, diffusers, transformers, peft, pytorch-fid and safetensors (scoreact itself needs none):

    ninja -C build bench_networks
    python tests/perf/networks_beside_python.py --build build --scratch DIR                       # all, one and two threads
    python tests/perf/networks_beside_python.py --build build --scratch DIR --only unet,vae --threads 1

ImageReward's original needs other versions of its libraries, and its package unpacked (see tests/golden/make_image_reward_golden.py):

    python tests/perf/networks_beside_python.py --build build --scratch DIR --only image_reward --image-reward WHEEL_FOLDER

Fixtures of the full sizes are made in DIR (some GB) and stay. Times are medians of the passes of both turns; loading doesn't count.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]
ROOT = Path(__file__).resolve().parents[2]

# network: fixture ("" for this repository), folder in it, passes
NETWORKS = {
    "pixel_unet": ("", "inputs/digits/model", 40),
    "pixel_unet_backward": ("", "inputs/digits/model", 20),
    "unet": ("sd15", "unet", 3),
    "unet_lora": ("sd15", "unet", 3),
    "vae": ("sd15", "vae", 3),
    "clip_text": ("sd15", "text_encoder", 10),
    "clip_vision": ("clip", "", 5),
    "inception": ("inception", "", 5),
    "image_reward": ("image-reward", "", 3),
}


def inputs_of(network: str) -> Tensors:
    torch.manual_seed(0)
    if network.startswith("pixel_unet"):
        x = {"sample": torch.randn(64, 1, 8, 8), "timestep": torch.randint(1000, (64,)).float(), "class_labels": torch.arange(64) % 10}
        return x | {"cotangent": torch.randn(64, 1, 8, 8)}
    if network.startswith("unet"):
        side = 64 if network == "unet" else 32
        x = {
            "sample": torch.randn(2, 4, side, side),
            "timestep": torch.tensor([981.0, 17.0]),
            "encoder_hidden_states": torch.randn(2, 77, 768),
        }
        return x | {"cotangent": torch.randn(2, 4, side, side)}
    if network == "vae":
        return {"latents": torch.randn(1, 4, 64, 64)}
    if network == "clip_text":
        return {"input_ids": torch.randint(0, 49000, (8, 77))}
    if network == "clip_vision":
        return {"pixel_values": torch.randn(8, 3, 224, 224)}
    if network == "image_reward":
        ids = torch.randint(1000, 30000, (4, 35))
        return {"pixel_values": torch.randn(4, 3, 224, 224), "input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return {"inp": torch.rand(8, 3, 299, 299)}


def original_image_reward(folder: Path) -> Callable[[Tensors], object]:
    sys.path.insert(0, str(ROOT / "tests" / "golden"))
    from make_image_reward_golden import original as package

    model = package(Path(os.environ["IMAGE_REWARD_WHEEL"])).reward.ImageReward(str(folder / "med_config.json"))
    model.load_state_dict(torch.load(folder / "ImageReward.pt"), strict=True)
    model.eval()
    return lambda x: model.score_gard(x["input_ids"], x["attention_mask"], x["pixel_values"])


def original_pixel_unet(folder: Path, backward: bool) -> Callable[[Tensors], object]:
    from diffusers import UNet2DModel

    unet = UNet2DModel.from_pretrained(folder).requires_grad_(backward)
    weights = list(unet.parameters())

    def run(x: Tensors) -> object:
        with torch.set_grad_enabled(backward):
            output = unet(x["sample"], x["timestep"], class_labels=x["class_labels"]).sample
            return torch.autograd.grad(output, weights, x["cotangent"]) if backward else output

    return run


def original(network: str, folder: Path) -> Callable[[Tensors], object]:
    if network == "image_reward":
        return original_image_reward(folder)
    if network.startswith("pixel_unet"):
        return original_pixel_unet(folder, network.endswith("backward"))
    if network.startswith("unet"):
        from diffusers import UNet2DConditionModel

        unet = UNet2DConditionModel.from_pretrained(folder).requires_grad_(False)
        if network == "unet":
            return lambda x: unet(x["sample"], x["timestep"], x["encoder_hidden_states"])
        from peft import LoraConfig

        unet.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
        wanted = [p for p in unet.parameters() if p.requires_grad]

        def backward(x: Tensors) -> object:
            with torch.enable_grad():
                output = unet(x["sample"], x["timestep"], x["encoder_hidden_states"]).sample
                return torch.autograd.grad(output, wanted, x["cotangent"])

        return backward
    if network == "vae":
        from diffusers import AutoencoderKL

        vae = AutoencoderKL.from_pretrained(folder)
        return lambda x: vae.decode(x["latents"])
    if network == "clip_text":
        from transformers import CLIPTextModel

        text = CLIPTextModel.from_pretrained(folder).eval()
        return lambda x: text(x["input_ids"])
    if network == "clip_vision":
        from transformers import CLIPVisionModelWithProjection

        vision = CLIPVisionModelWithProjection.from_pretrained(folder).eval()
        return lambda x: vision(x["pixel_values"])
    sys.path.insert(0, str(ROOT / "tests" / "golden"))
    from inception_originals import pytorch_fid_network

    inception = pytorch_fid_network(folder)
    return lambda x: inception(x["inp"])


def time_python(network: str, folder: Path, file: Path, passes: int) -> None:
    """In a process of its own: prints one number a line, as bench_networks does."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    x = load_file(file)
    with torch.no_grad():
        run = original(network, folder)
        run(x)
        for _ in range(passes):
            start = time.perf_counter()
            run(x)
            print(f"{time.perf_counter() - start:.6f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    usual = [name for name in NETWORKS if name != "image_reward"]
    parser.add_argument("--only", default=",".join(usual), help="separated by commas")
    parser.add_argument("--image-reward", metavar="WHEEL_FOLDER", default="", help="the unpacked package")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--python-worker", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.python_worker:
        network, folder, file, passes = arguments.python_worker
        time_python(network, Path(folder), Path(file), int(passes))
        return
    scratch: Path = arguments.scratch
    scratch.mkdir(parents=True, exist_ok=True)
    program = arguments.build.resolve() / "bin"
    print("| network | threads | Python (s) | scoreact (s) | scoreact / Python |\n|---|---|---|---|---|", flush=True)
    for network in arguments.only.split(","):
        fixture, part, passes = NETWORKS[network]
        if fixture and not (scratch / fixture).exists():
            subprocess.run([program / "scoreact", "make-fixture", fixture, "--out", scratch / fixture, "--quiet"], check=True)
        folder, file = (scratch / fixture if fixture else ROOT) / part, scratch / "in.safetensors"
        save_file(inputs_of(network), file)
        ours = [program / "bench_networks", network, folder, file, str(passes)]
        python = [sys.executable, __file__, "--build", ".", "--scratch", ".", "--python-worker", network, folder, file, str(passes)]
        for threads in arguments.threads.split(","):
            environment = {**os.environ, "OMP_NUM_THREADS": threads, "IMAGE_REWARD_WHEEL": arguments.image_reward}
            times: dict[str, list[float]] = {"python": [], "ours": []}
            for turn in range(arguments.turns):
                order = [("python", python), ("ours", ours)]
                for who, command in order if turn % 2 == 0 else reversed(order):
                    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
                    times[who] += [float(line) for line in done.stdout.split()]
            theirs_median, ours_median = statistics.median(times["python"]), statistics.median(times["ours"])
            print(
                f"| {network} | {threads} | {theirs_median:.4f} | {ours_median:.4f} | {ours_median / theirs_median:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
