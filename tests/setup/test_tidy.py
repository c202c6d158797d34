"""src/setup/tidy.py: which sources it takes, what clang is told in the place of g++, and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "src/setup"))

import tidy


def build_of(folder: Path, *files: Path) -> Path:
    entries = [{"directory": str(folder), "file": str(file), "command": f"c++ -c {file}"} for file in files]
    (folder / "compile_commands.json").write_text(json.dumps(entries))
    return folder


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "src/setup/tidy.py"), *arguments]
    return subprocess.run(
        command, check=False, env=dict(os.environ) | environment, capture_output=True, text=True, timeout=60
    )


def test_clang_gets_its_own_precompiled_header_and_no_flag_of_gxx_alone(tmp_path: Path) -> None:
    header_of = "-include /b/CMakeFiles/rl.dir/cmake_pch.hxx"
    given = f"c++ -O2 -fpch-preprocess -std=c++20 -Winvalid-pch {header_of} -c /s/rl/ctrl.cpp"
    words, header = tidy.precompiled(given.split(), tmp_path)
    assert words == f"c++ -O2 -std=c++20 -include-pch {tmp_path}/rl.pch -c /s/rl/ctrl.cpp".split()
    assert header == Path("/b/CMakeFiles/rl.dir/cmake_pch.hxx")


def test_a_source_without_precompiled_header_keeps_its_command(tmp_path: Path) -> None:
    given = ["c++", "-O3", "-include", "config.h", "-c", "kernels/returns.cpp"]
    assert tidy.precompiled(given, tmp_path) == (given, None)


def test_sources_are_ours_not_generated_and_under_what_was_named(tmp_path: Path) -> None:
    ours = [ROOT / "src/rl/ctrl.cpp", ROOT / "src/rl/ddpo.cpp", ROOT / "kernels/returns.cpp"]
    build = build_of(tmp_path, *ours, tmp_path / "generated.cpp", Path("/usr/src/gtest.cpp"))
    assert tidy.sources_of(build, []) == sorted(ours)
    assert tidy.sources_of(build, [ROOT / "src/rl"]) == ours[:2]
    assert tidy.sources_of(build, [ROOT / "src/rl/ddpo.cpp"]) == ours[1:2]
    assert tidy.sources_of(build, [ROOT / "src/r"]) == []


def test_list_prints_paths_from_the_root(tmp_path: Path) -> None:
    build = build_of(tmp_path, ROOT / "src/rl/ctrl.cpp")
    done = run("-p", str(build), "--list")
    assert (done.returncode, done.stdout) == (0, "src/rl/ctrl.cpp\n")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    unconfigured = run("-p", str(tmp_path), "--list")
    assert unconfigured.returncode == 66 and f"{tmp_path}/compile_commands.json not found" in unconfigured.stderr
    build = build_of(tmp_path, ROOT / "src/rl/ctrl.cpp")
    nothing = run("-p", str(build), "--list", str(ROOT / "docs"))
    assert nothing.returncode == 66 and "compiles none of" in nothing.stderr
    without = run("-p", str(build), PATH="")
    assert without.returncode == 66 and "clang-tidy not found" in without.stderr


def test_an_unknown_option_is_a_usage_error() -> None:
    assert run("--fast").returncode == 64
