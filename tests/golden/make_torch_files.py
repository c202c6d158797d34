"""Makes tests/data/torch/*: small files of torch.save in both of its formats, and the same numbers as safetensors.

Usage: python tests/golden/make_torch_files.py tests/data/torch (needs torch and safetensors, which the build and the tests do not)
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file


def tensors() -> OrderedDict[str, torch.Tensor]:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 8
    state = OrderedDict()
    state["float"] = base
    state["transposed"] = base.t()  # shares the storage
    state["part"] = base[1:3, 2:5]
    state["expanded"] = torch.tensor([1.5]).expand(3, 2)
    state["half"] = torch.tensor([0.5, -0.25, 8.0], dtype=torch.float16)
    state["bfloat"] = torch.tensor([1.0, -3.0], dtype=torch.bfloat16)
    state["double"] = torch.tensor(3.125, dtype=torch.float64)
    state["long"] = torch.tensor([[1, -2], [3, 1 << 40]])
    state["int"] = torch.tensor([7, -7], dtype=torch.int32)
    state["short"] = torch.tensor([300], dtype=torch.int16)
    state["char"] = torch.tensor([-5, 5], dtype=torch.int8)
    state["byte"] = torch.arange(5, dtype=torch.uint8)
    state["bool"] = torch.tensor([True, False, True])
    state["empty"] = torch.zeros(0, 4)
    state["parameter"] = torch.nn.Parameter(torch.tensor([2.0, 4.0]))
    state["größe"] = torch.tensor([9.0])
    return state


def main(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    state = tensors()
    state._metadata = OrderedDict({"": {"version": 1}})  # as Module.state_dict() has it
    for name, new_form in (("zip", True), ("legacy", False)):
        torch.save(state, out / f"{name}.pth", _use_new_zipfile_serialization=new_form)
        wrapped = {"epoch": 3, "lr": 1e-4, "note": "a", "state_dict": {"w": torch.ones(2)}, "optimizer": {"m": torch.zeros(5)}}
        torch.save(wrapped, out / f"{name}_wrapped.pth", _use_new_zipfile_serialization=new_form)
    torch.save(torch.nn.Linear(2, 2), out / "module.pth")
    torch.save(dict(state), out / "protocol4.pth", pickle_protocol=4)
    save_file({name: value.detach().contiguous().clone() for name, value in state.items()}, out / "expected.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
