"""Compares `scoreact fid` at 2048 dimensions with pytorch-fid and torch-fidelity on the same statistics.

    python tests/golden/compare_fid_statistics.py build/bin/scoreact

Two sets of 6000 rows of random features, positive and correlated as Inception's are, with other means and scales. Needs
pytorch-fid and torch-fidelity (not needed by the build or the tests). Prints the distances and exits 1 if they differ by more than
1e-9 of their size.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pytorch_fid.fid_score import calculate_frechet_distance
from torch_fidelity.metric_fid import fid_statistics_to_metric

ROWS, DIMENSIONS = 6000, 2048


def statistics(seed: int, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of |mixed normal numbers|."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(DIMENSIONS, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    rows = np.abs(random.normal(size=(ROWS, DIMENSIONS)) @ mixing) * scale
    return rows.mean(axis=0), np.cov(rows, rowvar=False)


def main() -> int:
    program = Path(sys.argv[1]).resolve()
    one, other = statistics(1, 1.0), statistics(2, 2.0)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("a.npz", "b.npz")]
        for file, (mu, sigma) in zip(files, (one, other), strict=True):
            np.savez(file, mu=mu, sigma=sigma)
        done = subprocess.run([program, "fid", *files, "--json"], capture_output=True, text=True, check=True)
    ours = json.loads(done.stdout)["fid"]
    pytorch_fid = float(calculate_frechet_distance(*one, *other))
    fidelity = fid_statistics_to_metric(
        {"mu": one[0], "sigma": one[1]}, {"mu": other[0], "sigma": other[1]}, verbose=False
    )["frechet_inception_distance"]
    print(f"scoreact       {ours!r}\npytorch-fid    {pytorch_fid!r}\ntorch-fidelity {fidelity!r}")
    worst = max(abs(ours - pytorch_fid), abs(ours - fidelity)) / abs(pytorch_fid)
    print(f"largest relative difference {worst:.1e}")
    return 0 if worst < 1e-9 else 1


if __name__ == "__main__":
    sys.exit(main())
