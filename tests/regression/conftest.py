from pathlib import Path

import pytest
from scoreact_program import run


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture tiny-sd: a Stable Diffusion folder of some megabytes with random weights."""
    folder = tmp_path_factory.mktemp("tiny") / "tiny-sd"
    run("make-fixture", "tiny-sd", "--out", folder)
    return folder
