"""The program as a user runs it."""

import os
import subprocess

PROGRAM = os.environ["SCOREACT"]


def run(*words: object, ranks: int = 1, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs `scoreact words`; fails with its output unless it exits with `code`."""
    launcher = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
    line = [*launcher, PROGRAM, *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == code, f"{' '.join(line)}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done
