"""scoreact goldens: published pictures and rewards, compared. Random weights cannot meet them; a table with diffusers' numbers for these weights is met."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
from PIL import Image
from scoreact_program import run
from safetensors_file import read_safetensors, write_safetensors

SOURCE = Path(os.environ["SCOREACT_SOURCE_DIR"])
DRAWN_BY_DIFFUSERS = SOURCE / "tests" / "data" / "stable_diffusion" / "sampling.safetensors"
FAILED, USAGE, BAD_DATA, MISSING = 1, 64, 65, 66
SCHEDULERS = {"pndm": "PNDMScheduler", "ddim": "DDIMScheduler", "dpmpp_2m": "DPMSolverMultistepScheduler"}


def table(path: Path, kind: str, *goldens: dict) -> Path:
    common = {"weights": "tiny", "source": "this test", "kind": kind, "tolerance": 1e-4}
    path.write_text(json.dumps({"weights": {"tiny": "scoreact make-fixture"}, "goldens": [common | golden for golden in goldens]}))
    return path


def of_diffusers(solver: str) -> dict:
    """A golden that diffusers drew from the same fixture, in the form of the published ones."""
    corner = read_safetensors(DRAWN_BY_DIFFUSERS)[f"{solver}.plain.corner"][0]
    return {
        "name": solver,
        "prompt": "a photo of a cat",
        "noise": "torch",
        "seed": 0,
        "steps": 3,
        "guidance": 7.5,
        "scheduler": {"_class_name": SCHEDULERS[solver]},
        "expected": corner[-3:, -3:, -1].flatten().astype(float).tolist(),
    }


def test_what_diffusers_drew_is_met(tiny: Path, tmp_path: Path) -> None:
    file = table(tmp_path / "table.json", "stable_diffusion", *map(of_diffusers, SCHEDULERS))
    done = run("goldens", tiny, "--weights", "tiny", "--table", file)
    assert "3 of 3 goldens met, 0 left out" in done.stdout and "FAILED" not in done.stdout
    report = json.loads(run("goldens", tiny, "--weights", "tiny", "--table", file, "--json").stdout)
    assert [row["pass"] for row in report["rows"]] == [True] * 3 and all(row["difference"] < 1e-5 for row in report["rows"])


def test_one_wrong_number_fails(tiny: Path, tmp_path: Path) -> None:
    wrong = of_diffusers("ddim")
    wrong["expected"][4] += 2e-4
    file = table(tmp_path / "table.json", "stable_diffusion", of_diffusers("pndm"), wrong)
    done = run("goldens", tiny, "--weights", "tiny", "--table", file, code=FAILED)
    assert "1 of 2 goldens met" in done.stdout
    rows = done.stdout.splitlines()
    failed = next(i for i, line in enumerate(rows) if "FAILED" in line)
    assert rows[failed].startswith("tiny, ddim: largest difference 2.0e-04, allowed 1e-04  FAILED")
    assert rows[failed + 1].split() == ["source", "this", "test"]
    assert [rows[failed + k].split()[0] for k in (2, 3)] == ["expected", "found"]
    quiet = run("goldens", tiny, "--weights", "tiny", "--table", file, "--quiet", code=FAILED)
    assert "ddim" in quiet.stdout and "pndm" not in quiet.stdout


def test_the_published_ones_fail_on_random_weights(tiny: Path) -> None:
    report = json.loads(run("goldens", tiny, "--weights", "sd-v1-4", "--json", code=FAILED).stdout)
    assert [row["name"] for row in report["rows"]] == ["PNDM, 3 steps", "DDIM, 3 steps", "DPM-Solver++ to sigma_min, 3 steps"]
    assert not any(row["pass"] for row in report["rows"])
    assert all("test_stable_diffusion.py" in row["source"] for row in report["rows"])
    assert [line.split(": ")[1] for line in report["left_out"]] == [
        f"needs stable_diffusion_1_4_{name}.npy in --files" for name in ("pndm", "ddim")
    ]


def test_a_whole_picture_from_numpys_noise(tiny: Path, tmp_path: Path) -> None:
    """numpy's noise by numpy, drawn by `sample`: the golden command makes the same noise itself."""
    noise = np.random.RandomState(3).standard_normal((1, 4, 32, 32)).astype(np.float32)
    write_safetensors(tmp_path / "noise.safetensors", {"latents": noise})
    words = ["--prompt", "a dog", "--steps", 2, "--solver", "ddim", "--guidance", 3, "--init-latents", tmp_path / "noise.safetensors"]
    run("sample", tiny, *words, "--out", tmp_path / "drawn")
    with h5py.File(tmp_path / "drawn" / "samples.h5") as file:
        picture = np.clip(file["images"][0] / 2 + 0.5, 0, 1).transpose(1, 2, 0)
    golden = {"name": "dog", "prompt": "a dog", "noise": "numpy", "seed": 3, "steps": 2, "guidance": 3.0, "expected": "dog.npy"}
    golden |= {"scheduler": {"_class_name": "DDIMScheduler"}, "tolerance": 1e-6}
    file = table(tmp_path / "table.json", "stable_diffusion", golden)
    words = ["goldens", tiny, "--weights", "tiny", "--table", file]
    done = run(*words, code=MISSING)
    assert "nothing was compared: dog: needs dog.npy in --files" in done.stderr
    np.save(tmp_path / "dog.npy", picture)
    run(*words, "--files", tmp_path)
    picture[17, 5, 1] += 1e-3
    np.save(tmp_path / "dog.npy", picture)
    assert "largest difference 1.0e-03" in run(*words, "--files", tmp_path, code=FAILED).stdout
    np.save(tmp_path / "dog.npy", picture[:-1])
    assert "dog.npy: expected a picture of shape" in run(*words, "--files", tmp_path, code=BAD_DATA).stderr


def test_a_lora_and_the_cosine_distance(tiny: Path, tmp_path: Path) -> None:
    """A LoRA whose upper factors are 0 changes nothing; one that is not fails."""
    module = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    rank, width = 2, 64
    golden = of_diffusers("pndm") | {"lora": "lora.safetensors", "measure": "cosine distance", "tolerance": 1e-7}
    file = table(tmp_path / "table.json", "stable_diffusion", golden)
    words = ["goldens", tiny, "--weights", "tiny", "--table", file, "--files", tmp_path]
    for scale, code in ((0, 0), (3, FAILED)):
        down = np.random.default_rng(0).standard_normal((rank, width)).astype(np.float32)
        factors = {f"{module}.lora.down.weight": down, f"{module}.lora.up.weight": scale * np.ones((width, rank), np.float32)}
        write_safetensors(tmp_path / "lora.safetensors", factors)
        assert "cosine distance" in run(*words, code=code).stdout


def test_pixel_models(tmp_path: Path) -> None:
    folder = tmp_path / "ddpm"
    run("make-fixture", "ddpm-cifar10", "--out", folder)
    golden = {"name": "two steps", "noise": "torch", "seed": 0, "steps": 2, "scheduler": {}, "expected": [0.5] * 9, "tolerance": 1e-2}
    other = golden | {"name": "of its own", "scheduler": {"_class_name": "DDIMScheduler"}, "own_file": False}
    file = table(tmp_path / "table.json", "pixel_unet", golden, other)
    report = json.loads(run("goldens", folder, "--weights", "tiny", "--table", file, "--json", code=FAILED).stdout)
    found = np.array([row["found"] for row in report["rows"]])
    assert ((found >= 0) & (found <= 1)).all() and np.abs(found[0] - found[1]).max() > 1e-2


def test_image_reward(tmp_path: Path) -> None:
    """The rewards of pictures that need no resizing, from `forward` on pixel values that numpy made."""
    folder = tmp_path / "reward"
    run("make-fixture", "tiny-image-reward", "--out", folder)
    side, mean, deviation = 64, [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    pictures = np.random.default_rng(0).integers(0, 256, (4, side, side, 3), dtype=np.uint8)
    for number, picture in enumerate(pictures, 1):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    pixels = ((pictures / 255 - mean) / deviation).transpose(0, 3, 1, 2).astype(np.float32)
    words = [101, 1037, 6302, 1997, 2019, 19748, 5559, 1037, 3586, 2006, 7733, 102]  # of bert-base-uncased
    ids = np.zeros((4, 35), np.int64)
    ids[:, : len(words)] = words
    inputs = {"pixel_values": np.ascontiguousarray(pixels), "input_ids": ids, "attention_mask": (ids != 0).astype(np.int64)}
    write_safetensors(tmp_path / "in.safetensors", inputs)
    run("forward", folder, "--inputs", tmp_path / "in.safetensors", "--out", tmp_path / "out.safetensors")
    rewards = read_safetensors(tmp_path / "out.safetensors")["reward"].flatten().astype(float).tolist()
    golden = {"name": "four", "prompt": "a photo of an astronaut riding a horse on mars", "pictures": [f"{n}.png" for n in range(1, 5)]}
    file = table(tmp_path / "table.json", "image_reward", golden | {"expected": rewards})
    run("goldens", folder, "--weights", "tiny", "--table", file, "--files", tmp_path)
    done = run("goldens", folder, "--weights", "ImageReward", "--files", tmp_path, code=FAILED)
    assert "0.58116" in done.stdout and "0 of 1 goldens met" in done.stdout


def test_what_it_refuses(tiny: Path, tmp_path: Path) -> None:
    done = run("goldens", tiny, code=USAGE)
    assert "--weights: expected what MODEL_DIR is, one of" in done.stderr and "sd-v1-5 (stable-diffusion-v1-5/" in done.stderr
    assert 'found "sd-v9"' in run("goldens", tiny, "--weights", "sd-v9", code=USAGE).stderr
    assert "nowhere" in run("goldens", tmp_path / "nowhere", "--weights", "sd-v1-4", code=MISSING).stderr
    good = of_diffusers("ddim")
    for change, message in (
        ({"steps": 0}, "golden 1: steps: expected a positive number"),
        ({"noise": "jax"}, 'noise: expected one of numpy, torch, found "jax"'),
        ({"expected": [0.5]}, "expected: 9 numbers are wanted, found 1"),
        ({"colour": 1}, "key: expected one of"),
        ({"weights": "other"}, "does not stand in the table's list of weights"),
        ({"scheduler": {"_class_name": "EulerDiscreteScheduler"}}, '_class_name: expected one of PNDMScheduler'),
        ({"scheduler": {"_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": True}}, "does not compute use_karras_sigmas = true"),
    ):
        file = table(tmp_path / "bad.json", "stable_diffusion", good | change)
        assert message in run("goldens", tiny, "--weights", "tiny", "--table", file, code=BAD_DATA).stderr
