"""scoreact make-fixture and forward for the networks of rewards: CLIP and ImageReward, without Python's versions of them."""

import os
import pickletools
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors_file import read_safetensors, write_safetensors

PROGRAM = os.environ["SCOREACT"]
BAD_DATA = 65


def scoreact(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)


def make(name: str, folder: Path) -> Path:
    done = scoreact("make-fixture", name, "--out", folder / name)
    assert done.returncode == 0, done.stderr
    return folder / name


def forward(folder: Path, inputs: dict, *options: str) -> dict:
    write_safetensors(folder / "in.safetensors", inputs)
    done = scoreact("forward", folder, "--inputs", folder / "in.safetensors", "--out", folder / "out.safetensors", *options)
    assert done.returncode == 0, done.stderr
    outputs = read_safetensors(folder / "out.safetensors")
    (folder / "in.safetensors").unlink()
    (folder / "out.safetensors").unlink()
    return outputs


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def expect_directional_derivative(folder: Path, inputs: dict, output: str) -> None:
    """grad.pixel_values against a central difference along one direction."""
    pixels = inputs["pixel_values"]
    cotangent = noise(*forward(folder, inputs)[output].shape)
    gradient = forward(folder, {**inputs, "cotangent": cotangent}, "--grad")["grad.pixel_values"]
    direction = np.sign(gradient) * np.float32(1e-2)

    def value(offset: np.ndarray) -> float:
        moved = forward(folder, {**inputs, "pixel_values": pixels + offset})[output]
        return float((moved.astype(np.float64) * cotangent).sum())

    expected = (value(direction) - value(-direction)) / 2
    assert abs((gradient * direction).sum() - expected) < 0.02 * abs(expected)


def test_image_reward(tmp_path: Path) -> None:
    folder = make("tiny-image-reward", tmp_path)
    assert sorted(entry.name for entry in folder.iterdir()) == ["ImageReward.pt", "med_config.json"]
    ids = np.array([[101, 1037, 4937, 102, 0, 0], [101, 2048, 8462, 2015, 1037, 102]], np.int64)
    inputs = {"pixel_values": noise(2, 3, 64, 64), "input_ids": ids, "attention_mask": (ids != 0).astype(np.int64)}
    reward = forward(folder, inputs)["reward"]
    assert reward.shape == (2, 1) and np.isfinite(reward).all()
    changed = {**inputs, "input_ids": np.where(ids == 0, 7, ids)}  # what is masked does not matter
    np.testing.assert_array_equal(forward(folder, changed)["reward"], reward)
    expect_directional_derivative(folder, inputs, "reward")


def test_the_file_is_what_torch_save_writes(tmp_path: Path) -> None:
    """Names of the archive and of its pickle, without PyTorch: opcodes of protocol 2 and no name that is not expected."""
    with zipfile.ZipFile(make("tiny-image-reward", tmp_path) / "ImageReward.pt") as archive:
        assert archive.testzip() is None
        root = archive.namelist()[0].split("/")[0]
        pickle = archive.read(f"{root}/data.pkl")
        names = [argument for opcode, argument, _ in pickletools.genops(pickle) if opcode.name == "BINUNICODE"]
        called = {argument for opcode, argument, _ in pickletools.genops(pickle) if opcode.name == "GLOBAL"}
        tensors = [name for name in names if name.startswith(("blip.", "mlp."))]
        assert called == {"torch._utils _rebuild_tensor_v2", "torch FloatStorage", "torch LongStorage", "collections OrderedDict"}
        assert "blip.text_encoder.embeddings.position_ids" in tensors
        sizes = [archive.getinfo(f"{root}/data/{i}").file_size for i in range(len(tensors))]
    assert len(set(tensors)) == len(tensors) and min(sizes) > 0


def test_clip(tmp_path: Path) -> None:
    folder = make("tiny-clip", tmp_path)
    pixels, ids = noise(2, 3, 64, 64), np.array([[998, 64, 300, 999], [998, 70, 999, 999]], np.int64)
    image = forward(folder, {"pixel_values": pixels})["image_embeds"]
    text = forward(folder, {"input_ids": ids})
    assert image.shape == (2, 24) and text["last_hidden_state"].shape == (2, 4, 32) and text["pooler_output"].shape == (2, 32)
    np.testing.assert_array_equal(text["pooler_output"], text["last_hidden_state"][[0, 1], [3, 2]])  # first 999
    both = forward(folder, {"pixel_values": pixels, "input_ids": ids})
    for name, plain in (("image_embeds", image), ("text_embeds", text["text_embeds"])):
        np.testing.assert_allclose(both[name], plain / np.linalg.norm(plain, axis=1, keepdims=True), rtol=1e-4, atol=1e-6)
    cosines = both["image_embeds"] @ both["text_embeds"].T
    ratio = both["logits_per_image"] / cosines
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-3)
    np.testing.assert_array_equal(both["logits_per_image"].T, both["logits_per_text"])
    expect_directional_derivative(folder, {"pixel_values": pixels}, "image_embeds")


@pytest.mark.parametrize("name", ["tiny-clip", "tiny-image-reward"])
def test_ids_beyond_the_vocabulary_are_refused(name: str, tmp_path: Path) -> None:
    folder = make(name, tmp_path)
    ids = np.array([[1, 40000]], np.int64)
    inputs = {"pixel_values": noise(1, 3, 64, 64), "input_ids": ids, "attention_mask": np.ones_like(ids)}
    write_safetensors(tmp_path / "in.safetensors", inputs)
    done = scoreact("forward", folder, "--inputs", tmp_path / "in.safetensors", "--out", tmp_path / "out.safetensors")
    assert done.returncode == BAD_DATA and "input_ids: expected numbers from 0 to" in done.stderr
