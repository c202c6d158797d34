"""What stands behind SCOREACT_WITH_CUDA compiles in a build without it too: syntax and types, no linking."""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("SCOREACT_BUILD_DIR", ROOT / "build"))
SOURCES = [
    path
    for folder in ("drivers", "kernels", "src")
    for path in sorted((ROOT / folder).rglob("*.cpp"))
    if "SCOREACT_WITH_CUDA" in path.read_text()
]


def command_of_the_library() -> list[str]:
    """Compiler, definitions, include folders and warnings of the target scoreact, from any of its sources."""
    commands = BUILD / "compile_commands.json"
    if not commands.exists():
        pytest.skip(f"{commands} not found: configure with a preset")
    entries = (shlex.split(entry["command"]) for entry in json.loads(commands.read_text()))
    words = next(words for words in entries if words[words.index("-o") + 1].startswith("CMakeFiles/scoreact.dir/"))
    first = next(i for i, word in enumerate(words) if word.startswith(("-D", "-I")))  # before: a launcher, the compiler
    # no precompiled header, which would hide a missing include
    kept = [word for word in words[first:] if word.startswith(("-D", "-I", "-W", "-std=")) and word != "-Winvalid-pch"]
    folders = [words[i + 1] for i, word in enumerate(words) if word == "-isystem"]
    return [*words[:first], *kept, *(f"-isystem{folder}" for folder in folders)]


def cuda_folders(command: list[str]) -> list[str]:
    """Include folders of the CUDA toolkit and of NCCL: the machine's, or those beside LibTorch."""
    torch = next(Path(word.removeprefix("-isystem")) for word in command if word.endswith("/torch/include"))
    beside = sorted((torch.parents[1] / "nvidia").glob("*/include"))
    machine = [Path("/usr/local/cuda/include"), *sorted(Path("/usr/local").glob("cuda-*/include"), reverse=True)]
    found = []
    for header, folders in {
        "cusolverDn.h": machine + beside,  # of the whole toolkit, which LibTorch's headers ask for
        "cuda_runtime_api.h": machine + beside,
        "nccl.h": beside + machine,
    }.items():
        folder = next((folder for folder in folders if (folder / header).exists()), None)
        if folder is None:
            pytest.skip(f"{header} not found, neither of a CUDA toolkit in /usr/local nor beside LibTorch")
        if str(folder) not in found:
            found.append(str(folder))
    return found


def test_the_sources_with_a_cuda_part_are_found() -> None:
    assert ROOT / "src/optim/nccl_reduction.cpp" in SOURCES


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_cuda_part_of_a_source_compiles(source: Path) -> None:
    command = command_of_the_library()
    folders = [f"-isystem{folder}" for folder in cuda_folders(command)]
    words = [*command, *folders, "-DSCOREACT_WITH_CUDA", "-fsyntax-only", "-Wall", "-Wextra", str(source)]
    done = subprocess.run(words, check=False, cwd=BUILD, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
