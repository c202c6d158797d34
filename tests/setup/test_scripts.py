"""quickstart and runtests on a machine of stubs: which commands they give, in which order, and how they end."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "analysis"))

from scoreact_analysis.headline import Headline

EVERYTHING_INSTALLED = 'for name in "${@:3}"; do echo "$name installed"; done'


class Machine:
    """A copy of the scripts and a PATH whose installers, compilers and launchers only write down how they were called."""

    def __init__(self, folder: Path):
        self.tree = folder / "tree"
        self.calls = folder / "calls"
        self.programs = folder / "programs"
        (self.tree / "src").mkdir(parents=True)
        self.programs.mkdir()
        for name in ("quickstart", "runtests"):
            shutil.copy(ROOT / name, self.tree / name)
        shutil.copytree(ROOT / ".ci", self.tree / ".ci")
        shutil.copytree(ROOT / "src/setup", self.tree / "src/setup")
        self.environment = {"PATH": f"{self.programs}:/usr/bin:/bin", "HOME": str(folder)}
        for name in ("apt-get", "cmake", "ctest", "mpirun"):
            self.program(self.programs / name)
        self.program(self.programs / "dpkg-query", EVERYTHING_INSTALLED, noted=False)
        self.program(self.programs / "nvidia-smi", "exit 9", noted=False)
        self.program(self.programs / "sudo", 'exec "$@"', noted=False)
        self.program(self.tree / "build/bin/scoreact")
        # The interpreter of .venv: finds every wheel, makes no report, tallies and reads outcomes for real.
        self.program(
            self.tree / ".venv/bin/python",
            f'case "${{1:-}} ${{2:-}}" in "- "*|"-c "*) ;; "-m "*) echo "python $*" >>{self.calls} ;; *) exec {sys.executable} "$@" ;; esac',
            noted=False,
        )

    def program(self, path: Path, body: str = "", noted: bool = True):
        path.parent.mkdir(parents=True, exist_ok=True)
        note = f'echo "{path.name} $*" >>{self.calls}\n' if noted else ""
        path.write_text(f"#!/bin/bash\n{note}{body}\n")
        path.chmod(0o755)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            command, check=False, cwd=self.tree, env=self.environment | environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
        )  # fmt: skip

    def shell(self, text: str, **environment: str) -> subprocess.CompletedProcess:
        """Runs a line of bash with the functions of setup.sh."""
        script = f"set -euo pipefail; mkdir -p build; source src/setup/setup.sh; {text}"
        return self.run("bash", "-c", script, **environment)

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize("script, words", [("quickstart", ["--build-only", "--fresh", "--ranks"]), ("runtests", ["unit", "slurm", "--long"])])
def test_help_names_every_option_and_does_nothing(machine, script, words):
    done = machine.run(f"./{script}", "--help")
    assert done.returncode == 0 and all(word in done.stdout for word in words)
    assert machine.called() == []


@pytest.mark.parametrize(
    "command",
    [["quickstart", "--rank", "2"], ["quickstart", "--ranks"], ["quickstart", "--ranks", "0"], ["quickstart", "--ranks", "two"],
     ["runtests", "units"], ["runtests", "unit", "mpi"], ["runtests", "--quick"]],
)  # fmt: skip
def test_wrong_arguments_exit_with_64_before_anything_is_done(machine, command):
    done = machine.run(f"./{command[0]}", *command[1:])
    assert done.returncode == 64 and command[0] in done.stdout
    assert machine.called() == []


def test_quickstart_builds_fine_tunes_evaluates_and_reports(machine):
    assert {"before", "after", "where"} <= {field.name for field in dataclasses.fields(Headline)}
    analysis = machine.tree / "analysis/scoreact_analysis"
    analysis.mkdir(parents=True)
    (analysis / "run_file.py").write_text("RunFile = str")
    (analysis / "headline.py").write_text(
        "def headline(run): return type('H', (), {'before': 0.25, 'after': 0.75, 'where': 'of ' + run})"
    )
    done = machine.run("./quickstart", "--ranks", "3")
    assert done.returncode == 0, done.stdout
    configure, build, *steps = machine.called()
    assert configure == "cmake --preset default -DSCOREACT_ENABLE_CUDA=OFF -DSCOREACT_BUILD_TESTS=OFF"
    assert build.startswith("cmake --build build") and build.endswith("--target scoreact_program")
    assert steps == [
        "mpirun -n 3 build/bin/scoreact finetune inputs/digits/ctrl.toml --out runs/quickstart",
        "mpirun -n 3 build/bin/scoreact evaluate runs/quickstart --steps 10,25,50,100",
        "python -m scoreact_analysis report runs/quickstart",
    ]
    last = done.stdout.splitlines()[-1]
    assert "runs/quickstart/report.html" in last and "0.250 -> 0.750 (of runs/quickstart)" in last


def test_quickstart_stops_where_a_step_stops_and_passes_its_exit_code_on(machine):
    machine.program(machine.programs / "mpirun", "exit 75")
    done = machine.run("./quickstart")
    assert done.returncode == 75
    assert machine.called()[-1].startswith("mpirun") and "exit code 75" in done.stdout


@pytest.mark.parametrize("options, kept", [([], True), (["--fresh"], False)])
def test_only_fresh_deletes_an_earlier_run(machine, options, kept):
    earlier = machine.tree / "runs/quickstart/deck.toml"
    earlier.parent.mkdir(parents=True)
    earlier.touch()
    machine.program(machine.programs / "mpirun", "exit 1")
    machine.run("./quickstart", *options)
    assert earlier.exists() == kept


def test_build_only_builds_the_tests_and_runs_nothing(machine):
    done = machine.run("./quickstart", "--build-only")
    assert done.returncode == 0, done.stdout
    assert [call.split()[0] for call in machine.called()] == ["cmake", "cmake"]
    assert machine.called()[0].endswith("-DSCOREACT_BUILD_TESTS=ON") and machine.called()[1].endswith("--target all")


def test_quickstart_keeps_tests_that_are_built(machine):
    (machine.tree / "build/CMakeCache.txt").write_text("SCOREACT_BUILD_TESTS:BOOL=ON\n")
    machine.run("./quickstart")
    assert machine.called()[0].endswith("-DSCOREACT_BUILD_TESTS=ON")
    assert machine.called()[1].endswith("--target scoreact_program")


def ctest_that_writes(cases: str, status: int) -> str:
    return f"""while (($#)); do [[ $1 != --output-junit ]] || echo '<testsuite>{cases}</testsuite>' >"$2"; shift; done; exit {status}"""


SKIPPED = '<testcase name="b" status="notrun"><skipped message="SKIP_RETURN_CODE=77"/><system-out>no GPU</system-out></testcase>'
PASSED, FAILED = '<testcase name="a" status="run"/>', '<testcase name="c" status="fail"><failure message=""/></testcase>'


@pytest.mark.parametrize(
    "label, cases, ctest_status, status, closing_line",
    [
        ([], PASSED + SKIPPED, 0, 0, "1 passed, 0 failed, 1 skipped"),
        (["unit"], PASSED + SKIPPED, 0, 1, "1 passed, 0 failed, 1 skipped"),
        (["unit"], PASSED, 0, 0, "1 passed, 0 failed, 0 skipped"),
        ([], PASSED + FAILED, 8, 1, "1 passed, 1 failed, 0 skipped"),
    ],
)
def test_runtests_ends_with_the_counts_and_the_right_exit_code(machine, label, cases, ctest_status, status, closing_line):
    machine.program(machine.programs / "ctest", ctest_that_writes(cases, ctest_status))
    done = machine.run("./runtests", *label)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (status, closing_line)


def test_runtests_asks_ctest_for_the_label_and_leaves_long_tests_out_unless_asked(machine):
    machine.program(machine.programs / "ctest", ctest_that_writes(PASSED, 0))
    machine.run("./runtests", "mpi")
    machine.run("./runtests", "--long")
    chosen, everything = (call for call in machine.called() if call.startswith("ctest"))
    assert "-L ^mpi$" in chosen and "-LE ^long$" in chosen
    assert " -L " not in everything and " -LE " not in everything


@pytest.mark.parametrize("label, wanted", [([], True), (["slurm"], True), (["unit"], False)])
def test_slurm_is_installed_where_its_tests_run(machine, label, wanted):
    machine.program(machine.programs / "dpkg-query", "exit 1", noted=False)
    machine.program(machine.programs / "ctest", ctest_that_writes(PASSED, 0))
    machine.run("./runtests", *label)
    installed = next(call for call in machine.called() if call.startswith("apt-get")).split()
    assert ("slurm-wlm" in installed, "munge" in installed) == (wanted, wanted)


def test_runtests_fails_when_ctest_finds_no_test(machine):
    machine.program(machine.programs / "ctest", "exit 8")
    done = machine.run("./runtests", "faults")
    assert done.returncode == 8 and "no test with label faults" in done.stdout


def test_ci_is_runtests_from_any_folder(machine):
    machine.program(machine.programs / "ctest", ctest_that_writes(PASSED, 0))
    done = subprocess.run(
        ["bash", machine.tree / ".ci/run"], check=False, cwd="/", env=machine.environment, capture_output=True, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 passed, 0 failed, 0 skipped")


def test_only_missing_packages_are_installed(machine):
    machine.program(machine.programs / "dpkg-query", "echo g++ installed; echo cmake config-files; exit 1", noted=False)
    done = machine.shell("install_packages g++ cmake ninja-build; install_packages g++")
    assert done.returncode == 0 and "all there" in done.stdout
    (call,) = machine.called()
    assert call == "apt-get install -y --no-install-recommends cmake ninja-build"


def test_stale_package_lists_are_updated_once(machine):
    machine.program(machine.programs / "dpkg-query", "exit 1", noted=False)
    stamp = machine.tree / "updated"
    machine.program(machine.programs / "apt-get", f'case $1 in update) touch {stamp} ;; *) [[ -e {stamp} ]] ;; esac')
    assert machine.shell("install_packages cmake").returncode == 0
    assert [call.split()[1] for call in machine.called()] == ["install", "update", "install"]


def test_a_failing_step_shows_the_end_of_its_output(machine):
    machine.program(machine.programs / "dpkg-query", "exit 1", noted=False)
    machine.program(machine.programs / "apt-get", "echo no route to the mirror; exit 100")
    done = machine.shell("install_packages cmake; echo went on")
    assert done.returncode == 100
    assert "no route to the mirror" in done.stdout and "went on" not in done.stdout


@pytest.mark.parametrize(
    "question, file",
    [("kokkos_is_given", "lib/cmake/Kokkos/KokkosConfig.cmake"), ("torch_is_given", "include/torch/csrc/api/include/torch/torch.h")],
)
def test_libraries_of_the_user_are_respected(machine, tmp_path, question, file):
    folder = tmp_path / "mine"
    (folder / file).parent.mkdir(parents=True)
    (folder / file).touch()
    variable = {"kokkos_is_given": "Kokkos_ROOT", "torch_is_given": "Torch_ROOT"}[question]
    assert machine.shell(question).returncode == 1
    assert machine.shell(question, CMAKE_PREFIX_PATH=f"/nowhere:{folder}").returncode == 0
    assert machine.shell(question, CMAKE_PREFIX_PATH="/nowhere").returncode == 1
    assert machine.shell(question, **{variable: str(folder)}).returncode == 0


def test_a_library_of_the_user_that_is_named_later_is_found_then(machine):
    def configured(**environment: str) -> str:
        assert machine.shell("set_up OFF", **environment).returncode == 0
        return machine.called()[-1]

    assert " -U " not in configured()
    assert " -U " not in configured()
    assert configured(Torch_ROOT="/mine").endswith(" -U TORCH_* -U Kokkos_DIR")
    assert " -U " not in configured(Torch_ROOT="/mine")
    assert " -U " in configured()


@pytest.mark.parametrize(
    "given, gpu, expected",
    [({}, "exit 9", "OFF"), ({}, "echo 'GPU 0: some (UUID: x)'", "AUTO"), ({"SCOREACT_ENABLE_CUDA": "ON"}, "exit 9", "ON"),
     ({"SCOREACT_ENABLE_CUDA": "OFF"}, "echo 'GPU 0: some (UUID: x)'", "OFF")],
)  # fmt: skip
def test_cuda_is_considered_where_a_gpu_is_or_the_user_says_so(machine, given, gpu, expected):
    machine.program(machine.programs / "nvidia-smi", gpu, noted=False)
    machine.run("./quickstart", "--build-only", **given)
    assert f"-DSCOREACT_ENABLE_CUDA={expected}" in machine.called()[0]


def test_cuda_needs_more_wheels(machine):
    # An interpreter that finds no wheel: prints what it is asked for.
    log = 'case "$1" in -) printf "%s\\n" "${@:2}" ;; -c) ;; *) echo "python $*" >>' + f"{machine.calls} ;; esac"
    machine.program(machine.tree / ".venv/bin/python", log, noted=False)
    machine.shell("set_up OFF")
    plain = [call for call in machine.called() if "torch==" in call]
    machine.calls.unlink()
    machine.shell("set_up OFF", SCOREACT_ENABLE_CUDA="AUTO")
    cuda = [call for call in machine.called() if "torch==" in call]
    assert len(plain) == len(cuda) == 1 and "--no-deps" in plain[0]
    assert "nvidia-nvshmem-cu13" in cuda[0] and "nvidia-nvshmem-cu13" not in plain[0]


def test_as_many_compilers_as_cores_and_memory_allow(machine):
    jobs = int(machine.shell("build_jobs").stdout)
    assert 1 <= jobs <= len(os.sched_getaffinity(0))
    assert int(machine.shell("nproc() { echo 5000; }; build_jobs").stdout) < 5000


def test_threads_of_a_rank_are_not_cores_of_the_machine(machine):
    assert int(machine.shell("mpi_environment; cores", OMP_NUM_THREADS="1").stdout) == len(os.sched_getaffinity(0))
