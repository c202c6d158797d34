"""The emoji miniature in inputs/emoji: it draws what diffusers draws with it, and its decks run."""

import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors_file import read_safetensors

PROGRAM = os.environ["SCOREACT"]
SOURCE = Path(os.environ["SCOREACT_SOURCE_DIR"])
EMOJI = SOURCE / "inputs" / "emoji"
GOLDEN = SOURCE / "tests" / "data" / "emoji"
PROMPTS = ["a fox on a blue background", "a green star"]  # those of tests/golden/make_emoji_golden.py
STEPS, GUIDANCE = 10, 3


def run(*words: object) -> None:
    line = [PROGRAM, *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{' '.join(line)}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"


def test_the_model_is_small_enough_for_a_repository() -> None:
    files = list((EMOJI / "model").rglob("*.safetensors"))
    assert len(files) == 3
    assert sum(file.stat().st_size for file in files) <= 8_000_000


@pytest.mark.parametrize("case", ["base", "lora"])
@pytest.mark.parametrize("row", range(len(PROMPTS)))
def test_it_draws_what_diffusers_draws(tmp_path: Path, row: int, case: str) -> None:
    golden = read_safetensors(GOLDEN / "pictures.safetensors")
    words = ["--prompt", PROMPTS[row], "--steps", STEPS, "--guidance", GUIDANCE, "--init-latents", GOLDEN / "pictures.safetensors"]
    if case == "lora":
        words += ["--lora", GOLDEN / "lora.safetensors"]
    run("sample", EMOJI / "model", *words, "--out", tmp_path / "out")
    latents, expected = (
        read_safetensors(file)[name][row]
        for file, name in ((tmp_path / "out" / "latents.safetensors", "latents"), (GOLDEN / "pictures.safetensors", f"{case}.latents"))
    )
    assert np.abs(latents - expected).max() <= 1e-4 * np.abs(expected).max()
    with h5py.File(tmp_path / "out" / "samples.h5") as file:
        assert np.abs(file["images"][row] - golden[f"{case}.pictures"][row]).max() <= 1e-3


def test_the_lora_changes_the_pictures() -> None:
    golden = read_safetensors(GOLDEN / "pictures.safetensors")
    assert np.abs(golden["lora.pictures"] - golden["base.pictures"]).mean() > 0.01


@pytest.mark.parametrize("deck", ["ctrl", "ctrl_paper", "ctrl_released", "ddpo"])
def test_the_decks_of_the_study_run(tmp_path: Path, deck: str) -> None:
    small = {
        "run.epochs": 1,
        "sample.num_steps": 3,
        "sample.samples_per_epoch": 4,
        "sample.micro_batch_size": 2,
        "train.minibatch_size": 4,
        "train.micro_batch_size": 2,
        "evaluate.steps": "[2]",
        "evaluate.num_samples": 4,
        "evaluate.base_samples": 4,
        "store.images_per_epoch": 0,
        **({"train.num_times": 2} if deck in ("ctrl", "ctrl_paper") else {}),
        **({"value.steps_per_epoch": 1} if deck != "ddpo" else {}),
    }
    words = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    run("finetune", EMOJI / f"{deck}.toml", *words, "--out", tmp_path / "run")
    run("evaluate", tmp_path / "run")
    with h5py.File(tmp_path / "run" / "run.h5") as file:
        prompts = (EMOJI / "prompts.txt").read_text().splitlines()
        assert [text.decode() for text in file["prompts"][:]] == prompts
        judged = file["evaluation/judge_accuracy"][:]
        assert ((0 <= judged) & (judged <= 1)).all()

