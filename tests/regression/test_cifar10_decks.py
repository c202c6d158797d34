"""The CIFAR-10 decks build and run one tiny step on a randomly initialised model of the published layout."""

import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from cifar10_layout import make_model

SCOREACT = os.environ["SCOREACT"]
ROOT = Path(os.environ["SCOREACT_SOURCE_DIR"])
DECKS = ROOT / "inputs" / "cifar10"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("cifar10") / "model", ROOT)


def finetune(deck: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCOREACT, "finetune", str(DECKS / f"{deck}.toml"), *words],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("reward", ["jpeg_compressibility", "jpeg_incompressibility"])
@pytest.mark.parametrize("deck", sorted(path.stem for path in DECKS.glob("*.toml")))
def test_a_deck_passes_its_check(tmp_path: Path, model: Path, deck: str, reward: str) -> None:
    done = finetune(
        deck, "--check", "--out", str(tmp_path), "--set", f"model.path={model}", "--set", f"reward.kind={reward}"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with h5py.File(tmp_path / "check" / "run.h5") as file:
        kilobytes = abs(file["metrics/reward_mean"][0])
        assert np.sign(file["metrics/reward_mean"][0]) == (1 if reward == "jpeg_incompressibility" else -1)
        assert 0.6 < kilobytes < 10  # a JPEG's header alone is 0.6 kB; 32 x 32 pixels are 3 kB raw
        assert file["metrics/grad_norm"][0] > 0


def test_without_weights_the_message_says_which_file_is_missing(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("config.json", "scheduler_config.json"):
        (bare / name).write_text((DECKS / "ddpm-cifar10-32" / name).read_text())
    done = finetune("ctrl", "--check", "--out", str(tmp_path / "run"), "--set", f"model.path={bare}")
    assert done.returncode == 66
    assert "diffusion_pytorch_model.safetensors" in done.stderr
