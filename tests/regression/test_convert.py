"""scoreact convert: the same numbers in another file. The inputs are what torch wrote (tests/golden/make_torch_files.py)."""

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

SCOREACT = os.environ["SCOREACT"]
DATA = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "tests/data/torch"


def convert(*words):
    return subprocess.run([SCOREACT, "convert", *map(str, words)], capture_output=True, text=True)


def read(path):
    """Header without metadata, metadata, bytes of each tensor."""
    content = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    data = content[8 + length :]
    return header, metadata, {name: data[slice(*entry["data_offsets"])] for name, entry in header.items()}


@pytest.mark.parametrize("name", ["zip.pth", "legacy.pth", "protocol4.pth"])
def test_what_torch_saved_becomes_safetensors(tmp_path, name):
    result = convert(DATA / name, tmp_path / "out.safetensors")
    assert result.returncode == 0, result.stderr
    assert "16 tensors" in result.stdout
    header, metadata, numbers = read(tmp_path / "out.safetensors")
    expected_header, _, expected_numbers = read(DATA / "expected.safetensors")
    assert header == expected_header and numbers == expected_numbers
    assert metadata == {"format": "pt"}


def test_precision(tmp_path):
    source = DATA / "expected.safetensors"
    assert convert(source, tmp_path / "half.safetensors", "--dtype", "fp16").returncode == 0
    assert convert(tmp_path / "half.safetensors", tmp_path / "full.safetensors", "--dtype", "fp32").returncode == 0
    header, _, half = read(tmp_path / "half.safetensors")
    _, _, full = read(tmp_path / "full.safetensors")
    _, _, original = read(source)
    assert header["float"]["dtype"] == "F16" and header["bfloat"]["dtype"] == "F16" and header["long"]["dtype"] == "I64"
    assert (np.frombuffer(half["float"], np.float16) == np.frombuffer(original["float"], np.float32)).all()
    assert full["float"] == original["float"] and full["long"] == original["long"]


def test_a_number_that_does_not_fit_is_an_error(tmp_path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "in.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + struct.pack("<f", 1e6))
    result = convert(tmp_path / "in.safetensors", tmp_path / "out.safetensors", "--dtype", "fp16")
    assert result.returncode == 65 and "does not fit" in result.stderr
    assert not (tmp_path / "out.safetensors").exists()


def test_shards_become_one_file(tmp_path):
    for number, name in enumerate(("zip.pth", "zip_wrapped.pth"), start=1):
        shutil.copy(DATA / name, tmp_path / f"pytorch_model-0000{number}-of-00002.bin")
    names = list(read(DATA / "expected.safetensors")[0])
    weight_map = {name: "pytorch_model-00001-of-00002.bin" for name in names} | {"w": "pytorch_model-00002-of-00002.bin"}
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    for source in (tmp_path, index):
        result = convert(source, tmp_path / "one.safetensors")
        assert result.returncode == 0, result.stderr
        assert set(read(tmp_path / "one.safetensors")[0]) == {*names, "w"}


def test_an_index_is_read_itself_whatever_lies_beside_it(tmp_path):
    """Two precisions side by side, as repositories have them: the index that is named decides, not the folder."""
    shutil.copy(DATA / "zip.pth", tmp_path / "diffusion_pytorch_model.bin")
    shutil.copy(DATA / "zip_wrapped.pth", tmp_path / "diffusion_pytorch_model.fp16-00001-of-00001.bin")
    index = tmp_path / "diffusion_pytorch_model.bin.index.fp16.json"
    index.write_text(json.dumps({"weight_map": {"w": "diffusion_pytorch_model.fp16-00001-of-00001.bin"}}))
    result = convert(index, tmp_path / "one.safetensors")
    assert result.returncode == 0, result.stderr
    assert set(read(tmp_path / "one.safetensors")[0]) == {"w"}


@pytest.mark.parametrize(
    "words, code, message",
    [
        ((DATA / "module.pth", "out.safetensors"), 65, "torch.nn.modules.linear.Linear is not allowed"),
        (("none.pth", "out.safetensors"), 66, "none.pth"),
        ((DATA / "zip.pth", "out.bin"), 64, "expected a name that ends in .safetensors, found out.bin"),
        ((DATA / "zip.pth", "out.safetensors", "--dtype", "fp61"), 64, "expected one of fp32, fp16, bf16"),
        ((DATA / "zip.pth", "out", "--format", "koyha"), 64, "expected one of diffusers, peft, kohya"),
        ((DATA / "zip.pth",), 64, "OUT"),
    ],
)
def test_errors(tmp_path, monkeypatch, words, code, message):
    monkeypatch.chdir(tmp_path)
    result = convert(*words)
    assert result.returncode == code, result.stderr
    assert message in result.stderr
