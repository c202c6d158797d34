"""The Slurm that these tests share."""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from one_node_slurm import OneNodeSlurm


@pytest.fixture(scope="session")
def slurm() -> Iterator[OneNodeSlurm]:
    os.environ["PATH"] += ":/usr/sbin:/sbin"  # where the daemons are, also for users
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch", "srun") if not shutil.which(name)]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: slurm-wlm and munge are not installed")
    cluster = OneNodeSlurm()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
