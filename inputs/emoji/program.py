"""The program `scoreact`, which computes every network: passes of one network, and drawing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}  # names of the safetensors format


def write_tensors(path: Path, tensors: dict[str, Array]) -> None:
    """Tensors of float32 or int64 as a safetensors file: length of the header, header, data."""
    header: dict[str, object] = {}
    offset = 0
    for name, tensor in tensors.items():
        dtype = next(key for key, value in DTYPES.items() if value == tensor.dtype)
        header[name] = {"dtype": dtype, "shape": tensor.shape, "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(tensor.tobytes() for tensor in tensors.values())
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def read_tensors(path: Path) -> dict[str, Array]:
    """Tensors of float32 or int64 of a safetensors file."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(
            content[start + one["data_offsets"][0] : start + one["data_offsets"][1]], DTYPES[one["dtype"]]
        ).reshape(one["shape"])
        for name, one in header.items()
    }


def as_bytes(pictures: Array) -> NDArray[np.uint8]:
    """Pictures [n, 3, height, width] in [-1, 1] as [n, height, width, 3] bytes."""
    scaled = np.clip((pictures + 1) * 127.5, 0, 255).round().astype(np.uint8)
    return np.ascontiguousarray(scaled.transpose(0, 2, 3, 1))


def as_signed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The way back."""
    return np.ascontiguousarray((pixels / 127.5 - 1).transpose(0, 3, 1, 2), dtype=np.float32)


@dataclass(frozen=True)
class Drawing:
    """How samples are drawn: DDIM without noise."""

    steps: int
    guidance: float
    seed: int


@dataclass(frozen=True)
class Program:
    """A built scoreact, and a folder for what passes between it and this script."""

    path: Path
    scratch: Path

    def run(self, *words: str | Path) -> str:
        """What it prints; its message ends the script if it fails."""
        command = [str(self.path), *map(str, words)]
        threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | threads)
        if done.returncode != 0:
            sys.exit(f"examine.py: {' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def forward(self, folder: Path, inputs: dict[str, Array]) -> dict[str, Array]:
        """One pass of the network in a folder."""
        given, found = self.scratch / "given.safetensors", self.scratch / "found.safetensors"
        write_tensors(given, inputs)
        self.run("forward", folder, "--inputs", given, "--out", found, "--quiet")
        return read_tensors(found)

    def draw(self, model: Path, prompts: list[str], each: int, how: Drawing) -> NDArray[np.uint8]:
        """`each` pictures a prompt as bytes [each * prompts, height, width, 3], prompts in turn; their noise depends on
        seed and row alone, so that other prompts and guidance start from the same."""
        deck, out = self.scratch / "draw.toml", self.scratch / "drawn"
        settings: dict[str, dict[str, object]] = {
            "model": {"kind": "stable_diffusion", "path": str(model.resolve())},
            "sample": {"solver": "ddim", "eta": 0.0, "num_steps": how.steps, "guidance_scale": how.guidance},
            "prompts": {"list": prompts},
        }
        lines = [
            line
            for section, keys in settings.items()
            for line in (f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items()))
        ]
        deck.write_text("\n".join(lines) + "\n", encoding="utf-8")
        count = str(each * len(prompts))
        self.run("sample", deck, "--count", count, "--seed", str(how.seed), "--out", out, "--quiet")
        with h5py.File(out / "samples.h5") as file:
            if file["prompt_text"].asstr()[:].tolist() != prompts * each:
                sys.exit(f"examine.py: {out}/samples.h5: expected the prompts in turn")
            return as_bytes(file["images"][:])
