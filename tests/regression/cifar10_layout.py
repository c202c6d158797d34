"""A randomly initialised model in the layout of google/ddpm-cifar10-32: the published tensors, with fewer channels."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np

COLOURS = 3


def make_model(folder: Path, root: Path, divisor: int = 4) -> Path:
    """config.json, scheduler_config.json and diffusion_pytorch_model.safetensors; 35.7 M weights with divisor 1."""
    published = root / "inputs" / "cifar10" / "ddpm-cifar10-32"
    folder.mkdir(parents=True)
    shutil.copy(published / "scheduler_config.json", folder)
    config = json.loads((published / "config.json").read_text())
    config["block_out_channels"] = [channels // divisor for channels in config["block_out_channels"]]
    (folder / "config.json").write_text(json.dumps(config))
    random = np.random.default_rng(1)
    header: dict[str, dict[str, object]] = {}
    content: list[bytes] = []
    end = 0
    for line in (root / "tests" / "data" / "ddpm_cifar10_32.tsv").read_text().splitlines():
        name, extents = line.split("\t")[:2]
        shape = [size if size <= COLOURS else size // divisor for size in map(int, extents.split("x"))]
        inputs = int(np.prod(shape[1:]))
        norm = "norm" in name.split(".")[-2]
        values = (
            np.full(shape, float(name.endswith("weight")))
            if norm
            else random.normal(0, inputs**-0.5 if inputs > 1 else 0, shape)
        )
        content.append(values.astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end := end + len(content[-1])]}
    text = json.dumps(header).encode()
    (folder / "diffusion_pytorch_model.safetensors").write_bytes(
        struct.pack("<Q", len(text)) + text + b"".join(content)
    )
    return folder
