"""scoreact forward on the networks of diffusers whose outputs and gradients are kept in tests/data: the whole way of a user who compares."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from safetensors_file import read_safetensors, write_safetensors

PROGRAM = os.environ["SCOREACT"]
DATA = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "tests" / "data"


def forward(network: Path, scratch: Path, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    write_safetensors(scratch / "in.safetensors", inputs)
    files = ["--inputs", scratch / "in.safetensors", "--out", scratch / "out.safetensors"]
    command = [PROGRAM, "forward", network, *files, "--grad"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return read_safetensors(scratch / "out.safetensors")


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


# folder, inputs, (output here, its name in the case), cotangent in the case, gradients
CASES = [
    ("unet2d_class", ["sample", "timestep", "class_labels"], ("sample", "output"), "cotangent", {"sample": "grad.sample"}),
    ("unet2d_legacy", ["sample", "timestep"], ("sample", "output"), "cotangent", {"sample": "grad.sample"}),
    (
        "unet2d_condition_sd1",
        ["sample", "timestep", "encoder_hidden_states"],
        ("sample", "output"),
        "cotangent",
        {"sample": "grad.sample", "encoder_hidden_states": "grad.encoder_hidden_states"},
    ),
    (
        "unet2d_condition_lists",
        ["sample", "timestep", "encoder_hidden_states"],
        ("sample", "output"),
        "cotangent",
        {"sample": "grad.sample", "encoder_hidden_states": "grad.encoder_hidden_states"},
    ),
    ("autoencoder_kl", ["sample"], ("mean", "mean"), "cotangent.mean", {"sample": "grad.sample"}),
    ("autoencoder_kl", ["latents"], ("sample", "decoded"), "cotangent.decoded", {"latents": "grad.latents"}),
]


@pytest.mark.parametrize(("folder", "inputs", "output", "cotangent", "gradients"), CASES)
def test_outputs_and_gradients_are_those_of_diffusers(
    tmp_path: Path, folder: str, inputs: list[str], output: tuple[str, str], cotangent: str, gradients: dict[str, str]
) -> None:
    case = read_safetensors(DATA / folder / "case.safetensors")
    found = forward(DATA / folder, tmp_path, {name: case[name] for name in inputs} | {"cotangent": case[cotangent]})
    assert relative_error(found[output[0]], case[output[1]]) < 1e-5
    for name, expected in gradients.items():
        assert relative_error(found[f"grad.{name}"], case[expected]) < 1e-4
