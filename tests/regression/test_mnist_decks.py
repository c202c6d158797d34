"""The MNIST decks build and run one tiny step: their networks are made by one iteration of `pretrain` first, as the decks say."""

import os
import subprocess
from pathlib import Path

import pytest

SCOREACT = os.environ["SCOREACT"]
DECKS = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs" / "mnist"


def run(*arguments: str) -> None:
    done = subprocess.run([SCOREACT, *arguments], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mnist")
    for deck, network in (("pretrain", "model"), ("classifier", "classifier")):
        run("pretrain", str(DECKS / f"{deck}.toml"), "--set", "pretrain.iterations=1", "--set", "pretrain.batch_size=4", "--set", f"pretrain.out={folder / network}", "--out", str(folder / deck))
    return folder


@pytest.mark.parametrize("deck", ["ctrl", "ctrl_pathwise", "ctrl_paper", "ctrl_released", "ddpo"])
def test_a_deck_passes_its_check(networks: Path, deck: str) -> None:
    run("finetune", str(DECKS / f"{deck}.toml"), "--check", "--out", str(networks / f"run_{deck}"),
        "--set", f"model.path={networks / 'model'}", "--set", f"reward.path={networks / 'classifier'}")
