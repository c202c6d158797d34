"""jobs/sweep.sh under a real Slurm: an array over a table, restarted in parts, collected into one comparison."""

import signal
import subprocess
from pathlib import Path

import h5py
import pytest
from one_node_slurm import ROOT, OneNodeSlurm, wait_until
from same_bits import assert_same
from tiny_run import EPOCHS, has_pending, held, options, ranks_of, undisturbed

ROWS = {
    "kl0.1_seed1": {"algorithm.kl_weight": 0.1, "run.seed": 1},
    "kl0.1_seed2": {"algorithm.kl_weight": 0.1, "run.seed": 2},
    "kl0.3_seed1": {"algorithm.kl_weight": 0.3, "run.seed": 1},
}


def table(folder: Path, rows: dict[str, dict[str, object]]) -> Path:
    path = folder / "sweep.tsv"
    lines = ["# name, deck, overrides", ""]
    lines += [
        "\t".join([name, "inputs/digits/ctrl.toml", *(f"{key}={value}" for key, value in row.items())])
        for name, row in rows.items()
    ]
    path.write_text("\n".join(lines))  # the last line without its end
    return path


def sweep(slurm: OneNodeSlurm, *words: object) -> tuple[str, str]:
    """Submits; the numbers of the array and of the job that collects."""
    line = ["jobs/sweep.sh", *map(str, words)]
    done = subprocess.run(
        line, capture_output=True, text=True, env=slurm.environment, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    before, _, after = done.stdout.partition("; then job ")
    return before.split()[1].rstrip(":"), after.split(":")[0]


def test_a_sweep_survives_preemption_and_limits_and_ends_in_one_comparison(slurm: OneNodeSlurm, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    array, collect = sweep(slurm, table(tmp_path, ROWS), out, "--", "--quiet", *options())
    names = list(ROWS)
    with held(out / names[0], out / names[2], ranks=1):
        slurm.ask("scontrol", "requeue", f"{array}_1")
        slurm.ask("scancel", "--batch", "--signal=USR1", f"{array}_3")  # its job number is that of the whole array
        (noticed,) = ranks_of(out / names[2])
        wait_until("the notice reaches the rank", lambda: has_pending(noticed, signal.SIGUSR1))
    slurm.wait_for(collect)
    restarts = {name: slurm.wait_for(f"{array}_{element}")["Restarts"] for element, name in enumerate(names, 1)}
    assert restarts == {names[0]: "1", names[1]: "0", names[2]: "1"}
    for name, row in ROWS.items():
        with h5py.File(out / name / "run.h5") as file:
            assert file.attrs["name"] == name
            assert file["evaluation/epoch"][-1] == EPOCHS and file["evaluation/steps"][:].tolist() == [3, 4]
        settings = {key.replace(".", "__"): value for key, value in row.items()}
        assert_same(out / name, undisturbed(tmp_path / f"undisturbed_{name}", **settings))
    page = (out / "comparison.html").read_text()
    assert all(f">{group}<" in page for group in ("kl0.1", "kl0.3")) and all(name in page for name in names)

    # the same command once more: nothing is left to do, and nothing is done
    evaluated = {name: (out / name / "evaluated").stat().st_mtime_ns for name in names}
    array, collect = sweep(slurm, table(tmp_path, ROWS), out, "--", "--quiet", *options())
    slurm.wait_for(collect)
    assert {name: (out / name / "evaluated").stat().st_mtime_ns for name in names} == evaluated


def test_a_run_that_fails_is_named_and_the_others_are_compared(slurm: OneNodeSlurm, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    rows = {"good": {"run.seed": 1}, "bad": {"train.learning_rate": "fast"}}
    array, collect = sweep(slurm, table(tmp_path, rows), out, "--", "--quiet", *options(run__epochs=1))
    about = slurm.wait_for(collect, "FAILED")
    assert about["ExitCode"] == "1:0" and "not on the page: bad" in slurm.printed(about)
    assert slurm.wait_for(f"{array}_2", "FAILED")["ExitCode"] == "65:0"
    assert "good" in (out / "comparison.html").read_text()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("a\tinputs/digits/ctrl.toml\na\tinputs/digits/ctrl.toml\n", 65, ":2: a second run named a"),
        ("a\tinputs/digits/none.toml\n", 65, ":1: no deck 'inputs/digits/none.toml'"),
        ("a/b\tinputs/digits/ctrl.toml\n", 65, ":1: expected a name"),
        ("a inputs/digits/ctrl.toml\n", 65, ":1: expected a name"),
        ("# nothing\n\n", 65, "no run in it"),
        (None, 66, "no table"),
    ],
)
def test_a_wrong_table_is_told_before_anything_is_submitted(
    tmp_path: Path, text: str | None, code: int, message: str
) -> None:
    path = tmp_path / "sweep.tsv"
    if text is not None:
        path.write_text(text)
    done = subprocess.run(
        ["jobs/sweep.sh", path, tmp_path / "out"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == code and message in done.stderr and done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_the_sweep_of_the_repository_is_a_table_that_can_be_read() -> None:
    read = "source jobs/sweep_table.sh; read_table inputs/digits/sweep.tsv"
    script = f'fail() {{ echo "$1"; exit "$2"; }}; {read}; printf "%s\n" "${{names[@]}}"'
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    names = done.stdout.split()
    assert len(names) == len(set(names)) == 6
    assert f"--array=1-{len(names)}\n" in (ROOT / "jobs/sweep.slurm").read_text()


def test_help_of_the_sweep_names_its_options() -> None:
    done = subprocess.run(["jobs/sweep.sh", "--help"], capture_output=True, text=True, cwd=ROOT, check=True)
    assert all(
        word in done.stdout for word in ("TABLE", "OUT_DIR", "SBATCH_OPTION", "SCOREACT_OPTION", "SCOREACT_SITE")
    )
    assert subprocess.run(["jobs/sweep.sh"], capture_output=True, cwd=ROOT, check=False).returncode == 64
