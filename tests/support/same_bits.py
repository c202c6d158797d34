"""What of a run must not depend on ranks, faults and interruptions; and that it does not."""

import json
from pathlib import Path

import h5py
import numpy as np


def datasets(path: Path) -> dict[str, bytes]:
    """Every dataset of an HDF5 file, by name."""
    content: dict[str, bytes] = {}

    def add(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            values = item.asstr()[:] if h5py.check_string_dtype(item.dtype) else item[()]
            content[name] = repr(list(values)).encode() if values.dtype == object else np.asarray(values).tobytes()

    with h5py.File(path) as file:
        file.visititems(add)
    return content


def bits(run: Path) -> dict[str, bytes]:
    """Metrics except times, weights, optimisers, algorithm's state, trajectories and pictures, by name."""
    with h5py.File(run / "run.h5") as file:
        content = {f"metrics/{name}": item[:].tobytes() for name, item in file["metrics"].items() if "time" not in name}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        # epoch 0: left by a stop before the first epoch
        if "latest" in path.relative_to(run).parts or ".damaged" in name or "checkpoints/epoch_000000" in name:
            continue
        if path.suffix in (".safetensors", ".png"):
            content[name] = path.read_bytes()
        elif path.name == "optimizer.h5" or (path.parent.name == "trajectories" and path.suffix == ".h5"):
            content |= {f"{name}/{key}": value for key, value in datasets(path).items()}
        elif path.name == "state.json":
            content[name] = json.dumps(json.loads(path.read_text())["algorithm"]).encode()
    return content


def assert_same(run: Path, reference: Path, hint: object = "") -> None:
    """Both runs have ended, and hold the same things with the same bits."""
    found, expected = bits(run), bits(reference)
    assert any(name.startswith("policy/") for name in expected), f"{reference} did not end"
    assert found.keys() == expected.keys(), hint
    different = [name for name in expected if found[name] != expected[name]]
    assert not different, f"{hint}: {', '.join(different)} differ"
