"""Checks scoreact's file formats against the programs that own them, and prints the rows of the table in docs/formats.md.

    python tests/golden/check_formats.py build/bin/scoreact

Needs torch, safetensors, diffusers, transformers and peft (not needed by the build or the tests).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
FAILED = []


def report(what: str, good: bool) -> None:
    print(f"{'ok  ' if good else 'FAIL'} {what}", flush=True)
    if not good:
        FAILED.append(what)


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and torch.equal(a[k], b[k]) for k in a)


def main(scoreact: str) -> None:
    def convert(*words) -> int:
        return subprocess.run([scoreact, "convert", *map(str, words)], stdout=subprocess.DEVNULL).returncode

    torch.manual_seed(0)
    tensors = {
        "w": torch.randn(7, 5),
        "h": torch.randn(6).half(),
        "b": torch.randn(6).bfloat16(),
        "d": torch.randn(3).double(),
        "n": torch.arange(4),
        "m": torch.tensor([True, False]),
        "s": torch.tensor(2.5),
        "t": torch.randn(4, 6).t(),
        "e": torch.zeros(0, 3),
    }
    dense = {name: value.contiguous() for name, value in tensors.items()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        out = folder / "out.safetensors"
        for form, new in (("zip", True), ("legacy", False)):
            for protocol in (2, 3, 4):
                torch.save(tensors, folder / "in.bin", _use_new_zipfile_serialization=new, pickle_protocol=protocol)
                code = convert(folder / "in.bin", out)
                report(f"torch.save {form}, pickle protocol {protocol} -> convert -> safetensors.load_file", code == 0 and same(load_file(out), dense))
        save_file(dense, folder / "in.safetensors")
        for dtype, kind in DTYPES.items():
            code = convert(folder / "in.safetensors", out, "--dtype", dtype)
            expected = {k: v.to(kind) if v.is_floating_point() else v for k, v in dense.items()}
            report(f"convert --dtype {dtype} = Tensor.to({kind})", code == 0 and same(load_file(out), expected))

        vae = AutoencoderKL(block_out_channels=(32, 64), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
        for safe in (True, False):
            target = folder / f"shards_{safe}"
            vae.save_pretrained(target, max_shard_size="400KB", safe_serialization=safe)
            shards = len(list(target.glob("*-of-*")))
            code = convert(target, out)
            report(f"save_pretrained, {shards} shards, safe_serialization={safe} -> convert", code == 0 and same(load_file(out), vae.state_dict()))
        vae.half().save_pretrained(folder / "variant", variant="fp16")
        code = convert(folder / "variant", out)
        report("save_pretrained(variant='fp16') -> convert", code == 0 and same(load_file(out), vae.state_dict()))
        (folder / "variant" / "diffusion_pytorch_model.fp16.safetensors").unlink()
        out.rename(folder / "variant" / "diffusion_pytorch_model.safetensors")
        again = AutoencoderKL.from_pretrained(folder / "variant", torch_dtype=torch.float16)
        report("convert -> diffusers from_pretrained", same(again.state_dict(), vae.state_dict()))

        torch.save(torch.nn.Linear(2, 2), folder / "module.pth")
        report("a pickled module is refused", convert(folder / "module.pth", out) == 65)


if __name__ == "__main__":
    main(sys.argv[1])
    sys.exit(1 if FAILED else 0)
