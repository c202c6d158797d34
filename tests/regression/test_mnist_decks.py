"""The MNIST decks build and run one tiny step from the networks beside them."""

import os
from pathlib import Path

import pytest
from scoreact_program import run

DECKS = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs" / "mnist"


@pytest.mark.parametrize("deck", ["ctrl", "ctrl_pathwise", "ctrl_paper", "ctrl_released", "ddpo"])
def test_a_deck_passes_its_check(tmp_path: Path, deck: str) -> None:
    run("finetune", DECKS / f"{deck}.toml", "--check", "--out", tmp_path / "run")
