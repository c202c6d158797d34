"""Makes tests/data/python.safetensors with the Python package safetensors (0.8.0): what the C++ writer must match byte for byte.

Usage: pip install safetensors numpy; python tests/golden/make_safetensors.py
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

TENSORS = {
    "b.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
    "a.bias": np.array([-1.5, 2.25], dtype=np.float32),
    "steps": np.array([1, -2, 3], dtype=np.int64),
    "half": np.array([0.5, -0.25, 8.0], dtype=np.float16),
    "mask": np.array([True, False, True]),
    "bytes": np.arange(5, dtype=np.uint8),
    "scalar": np.array(3.125, dtype=np.float64),
    "empty": np.zeros((0, 4), dtype=np.float32),
    "größe": np.array([7], dtype=np.int32),
}

if __name__ == "__main__":
    save_file(TENSORS, Path(__file__).parents[1] / "data" / "python.safetensors", metadata={"format": "pt"})
