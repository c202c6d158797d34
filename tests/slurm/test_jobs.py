"""jobs/*.slurm under a real Slurm: through preemption, time limits and stops to the bits of an undisturbed run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from one_node_slurm import ROOT, OneNodeSlurm, binds_cores, environment_of, wait_until
from same_bits import assert_same
from tiny_run import DIGITS, EPOCHS, PROGRAM, epochs_done, has_pending, held, options, ranks_of, undisturbed

sys.path.insert(0, str(ROOT / "tests" / "regression"))

from cifar10_layout import make_model

DIGITS_JOB = "jobs/digits_ctrl.slurm"


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return undisturbed(tmp_path_factory.mktemp("undisturbed") / "run")


def submit(slurm: OneNodeSlurm, run: Path, *sbatch: str, tasks: int = 2, **environment: str) -> str:
    """The digits job on a tiny run; what it prints goes to RUN.log."""
    wanted = [f"--ntasks={tasks}", f"--output={run}.log", *sbatch]
    return slurm.submit(DIGITS_JOB, DIGITS, run, "--quiet", *options(), options=wanted, **environment)


def restarts(run: Path) -> int:
    """How often the run went on from a checkpoint."""
    with h5py.File(run / "run.h5") as file:
        return int(file["resources/restarts"][-1])


def test_the_digits_job_runs_to_the_end_on_two_ranks(slurm: OneNodeSlurm, tmp_path: Path, reference: Path) -> None:
    run = tmp_path / "run"
    about = slurm.wait_for(submit(slurm, run))
    assert about["Restarts"] == "0" and about["Requeue"] == "1"
    with h5py.File(run / "run.h5") as file:
        assert (file["resources/ranks"][:] == 2).all()
    assert_same(run, reference)


def test_preempted_it_goes_on_with_the_same_bits_and_the_evaluation_waits_for_it(
    slurm: OneNodeSlurm, tmp_path: Path, reference: Path
) -> None:
    run = tmp_path / "run"
    job = submit(slurm, run)
    after = slurm.submit(
        "jobs/evaluate.slurm",
        run,
        "--steps",
        "3",
        options=[f"--dependency=afterok:{job}", f"--output={run}_evaluate.log"],
    )
    with held(run, ranks=2) as ranks:
        if binds_cores():  # one core a task
            cores = [os.sched_getaffinity(rank) for rank in ranks]
            assert all(len(each) == 1 for each in cores) and cores[0] != cores[1]
        slurm.ask("scontrol", "requeue", job)
    about = slurm.wait_for(job)
    assert about["Restarts"] == "1" and restarts(run) == 1
    assert_same(run, reference)
    assert slurm.wait_for(after)["Restarts"] == "0"
    with h5py.File(run / "run.h5") as file:
        assert file["evaluation/epoch"][-1] == EPOCHS and file["evaluation/steps"][:].tolist() == [3]
    assert "<html" in (run / "report.html").read_text()


def test_a_time_limit_that_is_too_short_takes_it_through_two_jobs(
    slurm: OneNodeSlurm, tmp_path: Path, reference: Path
) -> None:
    run = tmp_path / "run"
    started = time.time()
    job = submit(slurm, run, "--time=00:01:00", "--signal=B:USR1@10")  # at 20 to 50 s: Slurm looks every 30 s
    with held(run, ranks=2) as ranks:
        wait_until("Slurm gives notice of the limit", lambda: any(pending_notice(rank) for rank in ranks), 120)
    assert time.time() - started > 15  # it was the limit
    about = slurm.wait_for(job)
    assert about["Restarts"] == "1" and restarts(run) == 1
    assert "stopped early with a checkpoint" in Path(f"{run}.log").read_text()
    assert_same(run, reference)


def pending_notice(rank: int) -> bool:
    return has_pending(rank, signal.SIGUSR1)


def parent_of(pid: int) -> str:
    """The name of the process that started it."""
    lines = dict(line.partition(":\t")[::2] for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Path(f"/proc/{lines['PPid']}/comm").read_text().strip()


def assert_started_by_srun_with_pmix(ranks: list[int], job: str) -> None:
    """They are tasks of a step of the job, children of Slurm's own daemon, and its PMIx plugin told them who they are."""
    numbers = set()
    for rank in ranks:
        told = dict(item.partition("=")[::2] for item in environment_of(rank).decode().split("\0"))
        assert parent_of(rank) == "slurmstepd" and "OMPI_COMM_WORLD_RANK" not in told
        assert told["PMIX_NAMESPACE"] == f"slurm.pmix.{job}.{told['SLURM_STEP_ID']}"
        assert told["PMIX_RANK"] == told["SLURM_PROCID"]
        numbers.add(int(told["PMIX_RANK"]))
    assert numbers == set(range(len(ranks)))


@pytest.mark.parametrize("launcher", ["auto", "mpirun -n 2"])
def test_the_notice_reaches_the_ranks_whatever_starts_them(
    slurm: OneNodeSlurm, tmp_path: Path, reference: Path, launcher: str
) -> None:
    run = tmp_path / "run"
    job = submit(slurm, run, SCOREACT_LAUNCHER=launcher)
    with held(run, ranks=2) as ranks:
        if launcher == "auto":
            assert_started_by_srun_with_pmix(ranks, job)
        else:
            assert {parent_of(rank) for rank in ranks} == {"mpirun"}
        slurm.ask("scancel", "--batch", "--signal=USR1", job)
        wait_until("the notice reaches all ranks", lambda: all(pending_notice(rank) for rank in ranks))
    assert slurm.wait_for(job)["Restarts"] == "1" and restarts(run) == 1
    assert "stopped early with a checkpoint" in Path(f"{run}.log").read_text()
    assert_same(run, reference)


def test_an_epoch_that_outlasts_the_notice_is_given_up_and_done_again(
    slurm: OneNodeSlurm, tmp_path: Path, reference: Path
) -> None:
    run = tmp_path / "run"
    job = submit(slurm, run, SCOREACT_GRACE="1")
    with held(run, ranks=2) as ranks:
        (run / "checkpoints" / "latest").unlink(missing_ok=True)  # as if it stood still before the link was there
        slurm.ask("scancel", "--batch", "--signal=USR1", job)
        wait_until("the ranks are gone", lambda: not set(ranks) & set(ranks_of(run)))
    assert slurm.wait_for(job)["Restarts"] == "1"
    assert "goes on from its last checkpoint" in Path(f"{run}.log").read_text()
    assert_same(run, reference)


def test_a_rank_that_is_killed_takes_the_job_back_into_the_queue(
    slurm: OneNodeSlurm, tmp_path: Path, reference: Path
) -> None:
    run = tmp_path / "run"
    job = submit(slurm, run, SLURM_WAIT="5")
    with held(run, ranks=2) as ranks:
        os.kill(ranks[1], signal.SIGKILL)
    assert slurm.wait_for(job)["Restarts"] == "1" and restarts(run) == 1
    assert "finetune was killed (exit code 137)" in Path(f"{run}.log").read_text()
    assert_same(run, reference)


def test_a_stop_file_ends_the_job_and_the_same_command_goes_on(
    slurm: OneNodeSlurm, tmp_path: Path, reference: Path
) -> None:
    run = tmp_path / "run"
    job = submit(slurm, run)
    with held(run, ranks=2):
        (run / "stop").touch()
    about = slurm.wait_for(job, "FAILED")
    assert about["ExitCode"] == "75:0" and about["Restarts"] == "0"
    assert 1 <= epochs_done(run) < EPOCHS
    slurm.wait_for(submit(slurm, run))
    assert restarts(run) == 1
    assert_same(run, reference)


def test_a_cancelled_job_stays_cancelled(slurm: OneNodeSlurm, tmp_path: Path) -> None:
    run = tmp_path / "run"
    job = submit(slurm, run)
    with held(run, ranks=2) as ranks:
        slurm.ask("scancel", job)
    wait_until("its ranks are gone", lambda: not set(ranks) & set(ranks_of(run)))
    assert slurm.wait_for(job, "CANCELLED")["Restarts"] == "0"


@pytest.mark.parametrize(
    ("settings", "environment", "code", "message"),
    [
        (["--set", "train.learning_rate=fast"], {}, 65, "train.learning_rate"),
        ([], {"SCOREACT": "/nowhere/scoreact"}, 66, "no program /nowhere/scoreact"),
        ([], {"SCOREACT_SITE": "/nowhere/site.sh"}, 66, "no site file /nowhere/site.sh"),
    ],
)
def test_a_job_that_cannot_run_says_why_and_ends_with_its_exit_code(
    slurm: OneNodeSlurm, tmp_path: Path, settings: list[str], environment: dict[str, str], code: int, message: str
) -> None:
    run = tmp_path / "run"
    wanted = ["--ntasks=1", f"--output={run}.log"]
    job = slurm.submit(DIGITS_JOB, DIGITS, run, *options(), *settings, options=wanted, **environment)
    assert slurm.wait_for(job, "FAILED")["ExitCode"] == f"{code}:0"
    assert message in Path(f"{run}.log").read_text()


def test_a_site_file_sets_the_environment_of_the_job(slurm: OneNodeSlurm, tmp_path: Path) -> None:
    site = tmp_path / "site.sh"
    site.write_text(
        f'source {ROOT}/jobs/site.sh\nprintf "site of %s\\n" "$SLURM_JOB_NAME"\nexport SCOREACT=/nowhere/else\n'
    )
    run = tmp_path / "run"
    job = submit(slurm, run, SCOREACT_SITE=str(site))
    slurm.wait_for(job, "FAILED")
    printed = Path(f"{run}.log").read_text()
    assert "site of digits_ctrl" in printed and "no program /nowhere/else" in printed


def test_one_task_a_gpu_is_what_the_job_asks_for(slurm: OneNodeSlurm, tmp_path: Path) -> None:
    few = tmp_path / "few"
    slurm.wait_for(submit(slurm, few, "--gpus-per-node=2", tasks=1))
    assert "1 tasks for 2 GPUs" in Path(f"{few}.log").read_text()
    fitting = tmp_path / "fitting"
    slurm.wait_for(submit(slurm, fitting, "--gpus-per-node=2"))
    assert "2 GPUs" not in Path(f"{fitting}.log").read_text()


def test_the_cifar10_job_starts_one_task_a_gpu(slurm: OneNodeSlurm, tmp_path: Path) -> None:
    run, model = tmp_path / "run", make_model(tmp_path / "model", ROOT)
    wanted = ["--ntasks-per-node=2", "--gpus-per-node=2", "--cpus-per-task=1", f"--output={run}.log"]
    words = ["--check", "--set", f"model.path={model}"]
    slurm.wait_for(slurm.submit("jobs/cifar10_ctrl.slurm", "inputs/cifar10/ctrl.toml", run, *words, options=wanted))
    assert "2 GPUs" not in Path(f"{run}.log").read_text()
    with h5py.File(run / "check" / "run.h5") as file:
        assert file["resources/ranks"][:].tolist() == [2]


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stable Diffusion and ImageReward with random weights, small."""
    folder = tmp_path_factory.mktemp("fixtures")
    for name in ("tiny-sd", "tiny-image-reward"):
        subprocess.run([PROGRAM, "make-fixture", name, "--out", folder / name, "--quiet"], check=True, timeout=120)
    return folder


@pytest.mark.parametrize(("name", "steps"), [("ctrl", [25, 50, 100]), ("ddpo", [3])])
def test_stable_diffusion_with_lora_and_image_reward_from_rollout_to_report(
    slurm: OneNodeSlurm, tmp_path: Path, fixtures: Path, name: str, steps: list[int]
) -> None:
    run = tmp_path / "run"
    changed = {
        "model.path": fixtures / "tiny-sd",
        "reward.path": fixtures / "tiny-image-reward",
        "value.pretrain_epochs": 1,
        "value.batch_size": 8,
        "evaluate.steps": steps,
        "evaluate.num_samples": 2,
        "evaluate.base_samples": 2,
    }
    small = options(
        run__epochs=2, sample__num_steps=3, sample__samples_per_epoch=4, sample__micro_batch_size=1, train__minibatch_size=4,
        train__micro_batch_size=1, value__steps_per_epoch=1, store__images_per_epoch=2,
    )  # fmt: skip
    words = [*small, *(word for key, value in changed.items() for word in ("--set", f"{key}={value}"))]
    wanted = ["--ntasks-per-node=2", "--gpus-per-node=2", "--cpus-per-task=1", f"--output={run}.log"]
    slurm.wait_for(slurm.submit(f"jobs/sd15_{name}.slurm", f"inputs/sd15/{name}_unicorn.toml", run, *words, options=wanted))
    assert (run / "policy" / "pytorch_lora_weights.safetensors").exists()
    with h5py.File(run / "run.h5") as file:
        assert file["resources/ranks"][:].tolist() == [2, 2]
        assert np.isfinite(file["metrics/reward_mean"][:]).all()
        assert (file["metrics/value_mse"][:] > 0).all() == (name == "ctrl")  # DDPO has no value function
        assert file["evaluation/steps"][:].tolist() == steps
    assert "<html" in (run / "report.html").read_text()


def test_the_value_study_ends_with_its_report(slurm: OneNodeSlurm, tmp_path: Path) -> None:
    run = tmp_path / "run"
    sizes = {
        "sample.num_steps": 3,
        "sample.micro_batch_size": 4,
        "train.num_times": 2,
        "value.pretrain_epochs": 1,
        "evaluate.base_samples": 16,
    }
    words = [word for key, value in sizes.items() for word in ("--set", f"{key}={value}")]
    job = slurm.submit(
        "jobs/value_study.slurm", "inputs/digits/value_study.toml", run, *words, options=[f"--output={run}.log"]
    )
    slurm.wait_for(job)
    with h5py.File(run / "value_study.h5") as file:
        assert len(file["designs"]) >= 5
    assert "<html" in (run / "report.html").read_text()


@pytest.mark.parametrize(
    ("plugins", "environment", "tasks", "expected"),
    [
        (
            "none pmix_v4 pmix pmi2",
            {"SLURM_JOB_ID": "1"},
            4,
            "srun --mpi=pmix --cpu-bind=cores --ntasks=4 --cpus-per-task=2",
        ),
        ("none pmi2", {"SLURM_JOB_ID": "1"}, 4, "mpirun -n 4 --map-by slot:PE=2 --bind-to core"),
        ("none pmi2", {"SLURM_JOB_ID": "1"}, 1, ""),
        ("none pmix", {}, 4, "mpirun -n 4 --map-by slot:PE=2 --bind-to core"),
        ("none pmix", {"SLURM_JOB_ID": "1", "SCOREACT_LAUNCHER": "srun --mpi=pmi2"}, 4, "srun --mpi=pmi2"),
    ],
)
def test_ranks_are_started_by_srun_where_it_speaks_pmix_else_by_mpirun(
    tmp_path: Path, plugins: str, environment: dict[str, str], tasks: int, expected: str
) -> None:
    srun = tmp_path / "srun"
    srun.write_text(f"#!/bin/bash\nprintf 'MPI plugin types are...\\n' >&2\nprintf '\\t%s\\n' {plugins} >&2\n")
    srun.chmod(0o755)
    script = f'source jobs/run.sh; choose_launcher {tasks}; echo "${{launch[*]}}"'
    clean = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SCOREACT": "true", "SLURM_CPUS_PER_TASK": "2"}
    done = subprocess.run(
        ["bash", "-uc", script], capture_output=True, text=True, cwd=ROOT, check=True, env=clean | environment
    )
    assert done.stdout == f"{expected}\n"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("JobId=7 StartTime=2026-01-02T03:00:00 EndTime=2026-01-02T03:04:05 Deadline=N/A", "1767323045"),
        ("JobId=7 StartTime=Unknown EndTime=Unknown Deadline=N/A", "none"),
        ("", "none"),
    ],
)
def test_a_slurm_that_does_not_say_when_the_job_ends_is_asked(tmp_path: Path, said: str, expected: str) -> None:
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f"#!/bin/bash\n[[ $* == '--oneliner show job 7' ]] && echo '{said}'\n")
    scontrol.chmod(0o755)
    script = "source jobs/run.sh; printenv SLURM_JOB_END_TIME || echo none"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SCOREACT": "true", "SLURM_JOB_ID": "7", "TZ": "UTC"}
    for given, answer in (({}, expected), ({"SLURM_JOB_END_TIME": "5"}, "5")):
        done = subprocess.run(
            ["bash", "-uc", script], capture_output=True, text=True, cwd=ROOT, check=True, env=environment | given
        )
        assert done.stdout == f"{answer}\n"


@pytest.mark.parametrize(("fails", "code"), [(1, 0), (2, 70)])
@pytest.mark.parametrize(
    ("job", "work"), [("train deck RUN", "mkdir RUN/policy"), ("evaluate RUN; exit $status", "cp run.h5 new; mv new RUN/run.h5")]
)
def test_a_step_that_ends_with_0_without_having_run_is_started_once_more(
    tmp_path: Path, job: str, work: str, fails: int, code: int
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.h5").write_text("of the training")
    (tmp_path / "run.h5").write_text("with an evaluation")
    launcher = tmp_path / "srun"
    doing = work.replace("RUN", "run")
    launcher.write_text(f"#!/bin/bash\ncd {tmp_path}; echo >> calls; (($(wc -l < calls) <= {fails})) || {{ {doing}; }}\n")
    launcher.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "SCOREACT": "true", "SCOREACT_LAUNCHER": str(launcher)}
    script = f"source jobs/run.sh; sleep() {{ :; }}; {job.replace('RUN', str(tmp_path / 'run'))}"
    done = subprocess.run(["bash", "-uc", script], capture_output=True, text=True, cwd=ROOT, check=False, env=environment)
    assert done.returncode == code and done.stderr.count("the tasks were not started; once more") == 1, done.stderr


@pytest.mark.parametrize(
    ("dies", "code", "message"),
    [
        ("mkdir RUN/checkpoints/epoch_000002; touch RUN/checkpoints/epoch_000002/DONE; kill -9 $$", 75, "goes back into the queue"),
        ("touch RUN/stop; mkdir RUN/checkpoints/epoch_000002; touch RUN/checkpoints/epoch_000002/DONE; kill -9 $$", 75, "stopped by"),
        ("kill -9 $$", 137, "ended with exit code 137"),
        ("mkdir RUN/checkpoints/epoch_000002; touch RUN/checkpoints/epoch_000002/DONE; exit 70", 70, "ended with exit code 70"),
    ],
)
def test_a_killed_program_is_started_again_only_if_it_got_on(tmp_path: Path, dies: str, code: int, message: str) -> None:
    run = tmp_path / "run"
    (run / "checkpoints" / "epoch_000001").mkdir(parents=True)
    (run / "checkpoints" / "epoch_000001" / "DONE").touch()
    for name, body in (("launcher", dies.replace("RUN", str(run))), ("scontrol", f'echo "$*" >{tmp_path}/asked')):
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    environment = {"SCOREACT": "true", "SCOREACT_LAUNCHER": str(tmp_path / "launcher"), "SLURM_JOB_END_TIME": "1"}
    environment |= {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_JOB_ID": "7"}
    script = f"source jobs/run.sh; train deck {run}"
    done = subprocess.run(["bash", "-uc", script], capture_output=True, text=True, cwd=ROOT, check=False, env=environment)
    assert done.returncode == code and message in done.stdout + done.stderr, done.stdout + done.stderr
    asked = tmp_path / "asked"
    assert (asked.read_text() if asked.exists() else "") == ("requeue 7\n" if "queue" in message else "")


def test_the_emoji_job_trains_evaluates_and_reports(slurm: OneNodeSlurm, tmp_path: Path) -> None:
    run = tmp_path / "run"
    changed = {"evaluate.steps": "[3]", "evaluate.num_samples": 2, "evaluate.base_samples": 2, "train.num_times": 2}
    small = options(
        run__epochs=2, sample__num_steps=3, sample__samples_per_epoch=4, sample__micro_batch_size=2, train__minibatch_size=4,
        train__micro_batch_size=2, value__steps_per_epoch=1, store__images_per_epoch=8,
    )  # fmt: skip
    words = [*small, *(word for key, value in changed.items() for word in ("--set", f"{key}={value}"))]
    slurm.wait_for(slurm.submit("jobs/emoji_ctrl.slurm", "inputs/emoji/ctrl.toml", run, *words, options=[f"--output={run}.log"]))
    assert "a blue tulip; an orange guitar" in (run / "report.html").read_text()
    with h5py.File(run / "run.h5") as file:
        assert file["evaluation/steps"][:].tolist() == [3]
