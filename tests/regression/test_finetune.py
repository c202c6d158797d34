"""scoreact finetune as a user runs it: metrics, files, the same bits for any ranks and after any interruption."""

import contextlib
import json
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from same_bits import assert_same, bits

PROGRAM = os.environ["SCOREACT"]
DIGITS = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs" / "digits"
STOPPED_EARLY, BAD_DATA = 75, 65
TIMEOUT = 400
STEPS, SAMPLES, EPOCHS = 6, 16, 3
SHAPE = (1, 8, 8)
FIRST_ROUNDING, ROUNDING = 1e-5, 1e-3  # relative: in the first epoch, and after training has amplified it (3e-4 seen)
TINY = {
    "run.epochs": EPOCHS,
    "run.save_freq": 1,
    "sample.num_steps": STEPS,
    "sample.samples_per_epoch": SAMPLES,
    "sample.micro_batch_size": 4,
    "train.minibatch_size": 8,
    "train.micro_batch_size": 4,
    "train.num_times": 3,
    "value.steps_per_epoch": 2,
    "value.batch_size": 12,
    "store.images_per_epoch": 4,
    "store.trajectories": '"every:1"',
    "store.means": "true",
}
METRICS = {
    "epoch",
    "samples_total",
    "network_evaluations",
    "wall_time",
    "epoch_time",
    "rollout_time",
    "value_time",
    "update_time",
    "reward_mean",
    "reward_std",
    "reward_stderr",
    "kl_path",
    "kl_chain",
    "value_mse",
    "advantage_std",
    "ratio_first_max_deviation",
    "clip_fraction",
    "policy_kl",
    "grad_norm",
    "learning_rate",
}


def command(deck: str, out: Path, *words: str, ranks: int = 1, **settings: object) -> list[str]:
    """The command line of one tiny run; settings as section__key."""
    changed = TINY | {key.replace("__", "."): value for key, value in settings.items()}
    launcher = ["mpirun", "--oversubscribe", "-n", str(ranks)] if ranks > 1 else []
    overrides = [word for key, value in changed.items() for word in ("--set", f"{key}={value}")]
    return [*launcher, PROGRAM, "finetune", str(DIGITS / deck), "--out", str(out), "--quiet", *overrides, *words]


def finish(line: list[str], code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; fail with the program's output unless it exits with `code`."""
    done = subprocess.run(
        line, capture_output=True, text=True, timeout=TIMEOUT, check=False, env=os.environ | environment
    )
    assert done.returncode == code, f"{' '.join(line)}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def start(line: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Until the file is there or the process has ended."""
    give_up = time.monotonic() + TIMEOUT
    while process.poll() is None and not path.exists():
        assert time.monotonic() < give_up, f"{path} never appeared"
        time.sleep(0.002)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The run of a deck on one rank without any interruption, made once."""
    folder = tmp_path_factory.mktemp("undisturbed")

    def run(deck: str) -> Path:
        out = folder / Path(deck).stem
        if not out.exists():
            finish(command(deck, out))
        return out

    return run


@pytest.mark.parametrize("deck", ["ctrl.toml", "ctrl_paper.toml", "ddpo.toml"])
def test_every_metric_is_there_and_makes_sense(undisturbed: Callable[[str], Path], deck: str) -> None:
    with h5py.File(undisturbed(deck) / "run.h5") as file:
        assert file.attrs["format"] == "scoreact-run"
        for name in ("format_version", "software", "version", "git", "created", "deck", "ranks", "devices"):
            assert name in file.attrs
        metrics = {name: item[:] for name, item in file["metrics"].items()}
        for item in file["metrics"].values():
            assert item.attrs["units"] and item.attrs["long_name"]
    assert metrics.keys() >= METRICS
    for name, values in metrics.items():
        assert values.shape == (EPOCHS,), name
        assert np.isfinite(values).all(), name
    assert metrics["epoch"].tolist() == [1, 2, 3]
    assert metrics["samples_total"].tolist() == [SAMPLES, 2 * SAMPLES, 3 * SAMPLES]
    assert (np.diff(metrics["network_evaluations"], prepend=0) >= SAMPLES * STEPS).all()
    assert (metrics["ratio_first_max_deviation"] == 0).all()  # the update sees what the rollout saw
    assert metrics["kl_path"][0] == pytest.approx(0, abs=1e-6)  # the policy starts as the pretrained model
    assert metrics["kl_path"][-1] > 0
    assert (metrics["reward_std"] > 0).all()
    np.testing.assert_allclose(metrics["reward_stderr"], metrics["reward_std"] / np.sqrt(SAMPLES))
    assert (metrics["grad_norm"] > 0).all()
    assert (metrics["learning_rate"] > 0).all()
    assert (np.diff(metrics["wall_time"]) > 0).all()
    if deck != "ddpo.toml":
        assert (metrics["value_mse"] > 0).all()


@pytest.mark.parametrize(
    ("deck", "ranks"), [("ctrl.toml", 1), ("ctrl.toml", 2), ("ctrl.toml", 4), ("ctrl_paper.toml", 4), ("ddpo.toml", 4)]
)
def test_the_bits_do_not_depend_on_ranks(
    tmp_path: Path, undisturbed: Callable[[str], Path], deck: str, ranks: int
) -> None:
    finish(command(deck, tmp_path / "run", ranks=ranks))
    assert_same(tmp_path / "run", undisturbed(deck))


def test_any_divisor_of_the_micro_batches_is_a_number_of_ranks_with_the_same_bits(tmp_path: Path) -> None:
    for ranks in (1, 3):  # 6 micro-batches, 3 of them an update
        line = command(
            "ctrl.toml", tmp_path / f"{ranks}", ranks=ranks, sample__samples_per_epoch=24, train__minibatch_size=12
        )
        finish(line)
    with h5py.File(tmp_path / "3" / "run.h5") as file:
        assert (file["resources/ranks"][:] == 3).all()
    assert_same(tmp_path / "3", tmp_path / "1")


@pytest.mark.parametrize("deck", ["ctrl.toml", "ddpo.toml"])
def test_without_fixed_bits_ranks_agree_to_rounding(tmp_path: Path, deck: str) -> None:
    found = []
    for ranks in (1, 2):  # micro-batches of 16 samples on one rank, reduced to 8 on two; sums in MPI's order
        settings = {"sample__micro_batch_size": 16, "train__micro_batch_size": 16, "train__minibatch_size": 16}
        out = tmp_path / f"{ranks}"
        finish(command(deck, out, ranks=ranks, run__deterministic="false", **settings))
        with h5py.File(out / "run.h5") as file:
            found.append({name: item[:] for name, item in file["metrics"].items() if "time" not in name})
    one, two = found
    for name, expected in one.items():
        scale = np.abs(expected).max()
        assert np.abs(two[name] - expected).max() <= ROUNDING * max(scale, 1.0), name
        assert abs(two[name][0] - expected[0]) <= FIRST_ROUNDING * max(scale, 1.0), name
    assert any((one[name] != two[name]).any() for name in one)  # it is rounding that is compared


@pytest.mark.parametrize(
    "changed",
    [{"ATEN_CPU_CAPABILITY": "default"}, {"MKL_CBWR": "COMPATIBLE"}, {"ONEDNN_MAX_CPU_ISA": "SSE41"}, {"OMP_NUM_THREADS": "2"}],
)
def test_a_run_that_goes_on_with_other_instructions_warns_once(tmp_path: Path, changed: dict[str, str]) -> None:
    run, longer = tmp_path / "run", {"run__epochs": 2}
    finish(command("ctrl.toml", run, run__epochs=1))
    with h5py.File(run / "run.h5") as file:
        before = str(file.attrs["instruction_set"])
        assert before.startswith("LibTorch ") and file.attrs["processor"]
    state = json.loads((run / "checkpoints/epoch_000001/state.json").read_text())
    assert state["instruction_set"] == before
    shutil.copytree(run, tmp_path / "copy", symlinks=True)
    assert "warning" not in finish(command("ctrl.toml", run, **longer)).stderr  # as before
    said = finish(command("ctrl.toml", tmp_path / "copy", ranks=2, **longer), **changed).stderr
    warning = [line for line in said.splitlines() if "warning" in line]
    assert len(warning) == 1, said
    for part in (f"begun with {before}", "the bits may differ", "ATEN_CPU_CAPABILITY=avx2 MKL_CBWR=COMPATIBLE"):
        assert part in warning[0]
    name, value = dict(changed).popitem()
    shown = f"{value} threads" if name == "OMP_NUM_THREADS" else value.upper()
    assert shown in warning[0].split("goes on with ")[1].split(":")[0]


@pytest.mark.parametrize("deterministic", ["true", "false"])
def test_ranks_that_compute_with_different_instructions_are_named_once(tmp_path: Path, deterministic: str) -> None:
    line = command("ctrl.toml", tmp_path / "run", run__epochs=1, run__deterministic=deterministic)
    other = ["env", "ATEN_CPU_CAPABILITY=default"]
    said = finish(["mpirun", "--oversubscribe", "-n", "1", *line, ":", "-n", "1", *other, *line]).stderr
    warning = [line for line in said.splitlines() if "warning" in line]
    assert len(warning) == (1 if deterministic == "true" else 0), said
    for text in warning:
        assert "rank 0 on " in text and "and rank 1 on " in text and "LibTorch DEFAULT" in text
        assert "ATEN_CPU_CAPABILITY=avx2 MKL_CBWR=COMPATIBLE ONEDNN_MAX_CPU_ISA=AVX2" in text


def on_a_terminal(line: list[str]) -> str:
    """What a person sees who types this line."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # Linux's end of file on a terminal
            while chunk := os.read(ours, 65536):
                seen += chunk
        os.close(ours)
    assert process.returncode == 0, seen.decode()
    return seen.decode()


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_terminal_shows_one_bar_and_a_log_a_line_an_epoch(tmp_path: Path, ranks: int) -> None:
    def line(out: Path) -> list[str]:
        return [word for word in command("ctrl.toml", out, ranks=ranks) if word != "--quiet"]

    seen = on_a_terminal(line(tmp_path / "seen"))
    assert seen.count("\r\033[Kepoch") == EPOCHS
    assert "[========================]" in seen.rsplit("\r\033[K", 1)[1] and "ETA" in seen
    log = finish(line(tmp_path / "log")).stdout
    assert "\r" not in log
    assert [entry.split("  ")[0] for entry in log.splitlines() if entry.startswith("epoch ")] == [
        f"epoch {epoch}/{EPOCHS}" for epoch in range(1, EPOCHS + 1)
    ]


def test_another_seed_has_other_bits(tmp_path: Path, undisturbed: Callable[[str], Path]) -> None:
    finish(command("ctrl.toml", tmp_path / "run", run__seed=43))
    found, other = bits(tmp_path / "run"), bits(undisturbed("ctrl.toml"))
    for name in (
        "metrics/reward_mean",
        "checkpoints/epoch_000003/policy.safetensors",
        "trajectories/epoch_000001.h5/x",
    ):
        assert found[name] != other[name]


@pytest.mark.parametrize("deck", sorted(path.name for path in [*DIGITS.glob("ctrl*.toml"), DIGITS / "ddpo.toml"]))
def test_every_deck_can_be_checked(tmp_path: Path, deck: str) -> None:
    line = [PROGRAM, "finetune", str(DIGITS / deck), "--check", "--quiet", "--out", str(tmp_path / "run")]
    finish(line)
    with h5py.File(tmp_path / "run" / "check" / "run.h5") as file:
        assert file["metrics/epoch"][:].tolist() == [1]
    assert not (tmp_path / "run" / "run.h5").exists()


def test_killed_at_random_moments_it_goes_on_with_the_same_bits(
    tmp_path: Path, undisturbed: Callable[[str], Path]
) -> None:
    run = tmp_path / "run"
    reference = undisturbed("ctrl.toml")
    with h5py.File(reference / "run.h5") as file:
        epoch_time = float(np.median(file["metrics/epoch_time"]))
    moments = random.Random()  # other moments in every test run
    seed = moments.randrange(1 << 30)
    moments.seed(seed)
    line, kills = command("ctrl.toml", run), 0
    for waited_for in ("run.h5", "checkpoints/epoch_000001/DONE", "trajectories/epoch_000002.h5", ".lock"):
        process = start(line)
        wait_for(run / waited_for, process)
        time.sleep(moments.uniform(0, 1.2 * epoch_time))
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    finish(line)
    assert kills >= 1, f"nothing was killed (seed {seed})"
    assert_same(run, reference)
    with h5py.File(run / "run.h5") as file:
        assert 0 <= file["resources/restarts"][-1] <= 4


def test_a_rank_that_dies_takes_the_run_down_and_the_run_goes_on(
    tmp_path: Path, undisturbed: Callable[[str], Path]
) -> None:
    run = tmp_path / "run"
    line = command("ctrl.toml", run, ranks=2)
    process = start(line)
    wait_for(run / "checkpoints/epoch_000001/DONE", process)
    ranks = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(ranks) == 2
    os.kill(int(ranks[1]), signal.SIGKILL)
    assert process.wait(timeout=60) != 0
    finish(line)
    assert_same(run, undisturbed("ctrl.toml"))


@pytest.mark.parametrize(("number", "ranks"), [(signal.SIGTERM, 1), (signal.SIGUSR1, 2)])
def test_a_signal_stops_it_with_a_checkpoint(
    tmp_path: Path, undisturbed: Callable[[str], Path], number: signal.Signals, ranks: int
) -> None:
    run = tmp_path / "run"
    line = command("ctrl.toml", run, ranks=ranks)
    process = start(line)
    wait_for(run / "run.h5", process)
    process.send_signal(number)
    assert process.wait(timeout=TIMEOUT) == STOPPED_EARLY
    epochs = max(int(done.parent.name.removeprefix("epoch_")) for done in (run / "checkpoints").glob("epoch_*/DONE"))
    assert 0 <= epochs < EPOCHS  # 0: it came before the first epoch
    with h5py.File(run / "run.h5") as file:
        assert file["metrics/epoch"].shape == (epochs,)
    finish(line)
    assert_same(run, undisturbed("ctrl.toml"))


def test_a_stop_file_stops_it_once(tmp_path: Path, undisturbed: Callable[[str], Path]) -> None:
    run = tmp_path / "run"
    line = command("ctrl.toml", run)
    process = start(line)
    wait_for(run / "run.h5", process)
    (run / "stop").touch()
    assert process.wait(timeout=TIMEOUT) == STOPPED_EARLY
    finish(line)  # the file that ended the last run does not end this one
    assert_same(run, undisturbed("ctrl.toml"))


def test_the_time_limit_stops_it_with_a_checkpoint(tmp_path: Path) -> None:
    limit = 2.0
    finish(command("ctrl.toml", tmp_path / "run", "--max-time", "00:00:02", run__epochs=400), STOPPED_EARLY)
    with h5py.File(tmp_path / "run" / "run.h5") as file:
        epochs, spent = file["metrics/epoch"].shape[0], file["metrics/wall_time"][:]
    assert 1 <= epochs < 400
    assert epochs == 1 or spent[-1] < limit
    assert (tmp_path / "run" / "checkpoints" / f"epoch_{epochs:06d}" / "DONE").exists()


@pytest.mark.parametrize(
    ("settings", "ranks", "expected"),
    [
        ({"train__learning_rate": "fast"}, 1, ["train.learning_rate"]),
        ({"train__learningrate": 1e-3}, 1, ["train.learningrate", "learning_rate"]),
        ({"train__minibatch_size": 5}, 1, ["train.minibatch_size", "16"]),
        ({"store__trajectories": '"sometimes"'}, 1, ["store.trajectories", "sometimes"]),
        ({"sample__micro_batch_size": 8}, 4, ["sample.micro_batch_size", "4 ranks"]),
        ({"train__micro_batch_size": 8}, 4, ["train.micro_batch_size", "4 ranks"]),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_computed(
    tmp_path: Path, settings: dict[str, object], ranks: int, expected: list[str]
) -> None:
    done = finish(command("ctrl.toml", tmp_path / "run", ranks=ranks, **settings), BAD_DATA)
    for part in expected:
        assert part in done.stderr
    assert not (tmp_path / "run" / "run.h5").exists()


@pytest.mark.parametrize("deck", ["ctrl.toml", "ctrl_paper.toml", "ddpo.toml"])
def test_trajectory_files_hold_the_rollout(undisturbed: Callable[[str], Path], deck: str) -> None:
    for epoch in range(1, EPOCHS + 1):
        with h5py.File(undisturbed(deck) / "trajectories" / f"epoch_{epoch:06d}.h5") as file:
            assert file["x"].shape == (STEPS + 1, SAMPLES, *SHAPE)
            for name in ("action", "mu", "mu_pre"):
                assert file[name].shape == (STEPS, SAMPLES, *SHAPE), name
            for name in ("x", "action", "mu", "mu_pre"):
                assert file[name].dtype == np.float32 and np.isfinite(file[name][:]).all(), name
            for name, dtype in (("log_prob", np.float64), ("kl_step", np.float32), ("kl_chain_step", np.float32)):
                assert file[name].shape == (STEPS, SAMPLES) and file[name].dtype == dtype, name
                assert np.isfinite(file[name][:]).all(), name
            for name in ("tau", "abar"):
                assert file[name].shape == (STEPS + 1,) and file[name].dtype == np.float64, name
            assert (np.diff(file["tau"][:]) < 0).all() and (np.diff(file["abar"][:]) > 0).all()
            for name in ("reward", "prompt", "sample_index"):
                assert file[name].shape == (SAMPLES,), name
            assert file["sample_index"][:].tolist() == list(range(SAMPLES))
            assert file["weight"].shape == (STEPS,) and file["weight"].dtype == np.float64
            assert np.allclose(np.exp(np.cumsum(file["weight"][:])), file["abar"][1:] / file["abar"][0], rtol=1e-12)
            train_weight = file["train_weight"]
            assert train_weight.shape == (STEPS, SAMPLES) and train_weight.dtype == np.float64
            trained = train_weight[:] > 0  # three steps of each sample, its own
            assert (trained.sum(axis=0) == 3).all() and (train_weight[:].sum(axis=0) == STEPS).all()
            assert (trained != trained[:, :1]).any()
            wanted = {"ctrl": ["value"], "ctrl_paper": ["value", "advantage"], "ddpo": ["advantage"]}[Path(deck).stem]
            for name in ("value", "advantage"):
                assert (name in file) == (name in wanted), name
            for name in wanted:  # known at the trained times only
                assert (np.isfinite(file[name][:]) == trained).all(), name
            for name in ("solver", "eta", "lambda", "s_a"):
                assert name in file.attrs, name
            for name in ("x", "mu", "kl_step", "reward"):
                assert "units" in file[name].attrs, name


@pytest.mark.parametrize("deck", ["ctrl.toml", "ctrl_paper.toml", "ddpo.toml"])
def test_what_the_run_recorded_can_be_recomputed(undisturbed: Callable[[str], Path], deck: str) -> None:
    finish([sys.executable, "-m", "scoreact_analysis", "recompute", str(undisturbed(deck))])


def test_a_run_is_not_continued_with_another_deck(tmp_path: Path) -> None:
    finish(command("ctrl.toml", tmp_path / "run", run__epochs=1))
    done = finish(command("ctrl.toml", tmp_path / "run", algorithm__kl_weight=0.2), code=BAD_DATA)
    assert "kl_weight = 0.1" in done.stderr and "kl_weight = 0.2" in done.stderr, done.stderr
    finish(command("ctrl.toml", tmp_path / "run", run__epochs=2))  # a longer run of the same deck goes on
