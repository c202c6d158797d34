"""scoreact evaluate, sample and value-study as a user runs them, on the digit networks with tiny settings."""

import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from safetensors_file import read_safetensors, write_safetensors

PROGRAM = os.environ["SCOREACT"]
DIGITS = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs" / "digits"
TABLES = (
    "reward_mean",
    "reward_stderr",
    "kl_path",
    "kl_chain",
    "judge_accuracy",
    "frechet_distance",
    "gain_share_path",
    "gain_share_chain",
)


def scoreact(*words: object, code: int = 0, ranks: int = 1) -> subprocess.CompletedProcess[str]:
    """Run the program; fail with its output unless it exits with `code`."""
    command = [PROGRAM, *map(str, words)]
    if ranks > 1:
        command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(ranks), *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, f"{' '.join(command)}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def overrides() -> list[object]:
    pairs = {
        "evaluate.base_samples": 40,
        "sample.num_steps": 6,
        "sample.samples_per_epoch": 16,
        "sample.micro_batch_size": 8,
        "train.minibatch_size": 16,
        "train.micro_batch_size": 8,
        "train.num_times": 3,
        "run.epochs": 2,
        "run.save_freq": 1,
    }
    return [word for key, value in pairs.items() for word in ("--set", f"{key}={value}")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with checkpoints of epochs 1 and 2."""
    folder = tmp_path_factory.mktemp("run") / "digits"
    scoreact("finetune", DIGITS / "ctrl.toml", *overrides(), "--out", folder, "--quiet")
    return folder


def evaluate(run: Path, *words: object, ranks: int = 1) -> dict[str, object]:
    done = scoreact("evaluate", run, "--count", 20, "--steps", "4,6", "--json", *words, ranks=ranks)
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def test_evaluate_fills_every_table(run: Path) -> None:
    answer = evaluate(run)
    assert answer["epoch"] == [0, 1, 2]
    assert answer["steps"] == [4, 6]
    assert answer["solver"] == ["ddim", "ddim"]
    with h5py.File(run / "run.h5") as file:
        group = file["evaluation"]
        for name in TABLES:
            stored = group[name][:]
            assert stored.shape == (3, 2), name
            assert np.isfinite(stored).all(), name
            assert np.array_equal(stored, np.array(answer[name])), name
        for name in ("optimum_j", "base_reward", "kl_weight", "base_judge_accuracy", "base_frechet"):
            assert np.isfinite(group.attrs[name]), name
        assert group.attrs["optimum_j"] > group.attrs["base_reward"]
        assert (group["kl_path"][0] == 0).all(), "the base model does not differ from itself"
        assert (group["kl_path"][1:] > 0).all()
        gain = group["reward_mean"][:] - group.attrs["kl_weight"] * group["kl_chain"][:] - group.attrs["base_reward"]
        share = gain / (group.attrs["optimum_j"] - group.attrs["base_reward"])
        assert np.allclose(share, group["gain_share_chain"][:])
        assert file["metrics/epoch"].shape == (2,), "metrics stay"


def test_evaluate_repeats_bit_for_bit_on_any_number_of_ranks(run: Path) -> None:
    first = evaluate(run)
    assert evaluate(run) == first
    assert evaluate(run, ranks=2) == first
    assert evaluate(run, "--seed", 7)["reward_mean"] != first["reward_mean"]


def test_evaluate_replaces_its_tables(run: Path) -> None:
    scoreact("evaluate", run, "--count", 8, "--steps", "3", "--solver", "ddim,dpmpp_2m", "--quiet")
    with h5py.File(run / "run.h5") as file:
        assert list(file["evaluation/steps"][:]) == [3, 3]
        assert list(file["evaluation/solver"].asstr()[:]) == ["ddim", "dpmpp_2m"]
        kl = file["evaluation/kl_path"][:]
        assert np.isfinite(kl[:, 0]).all()
        assert np.isnan(kl[:, 1]).all(), "an ODE has no path KL"


def test_evaluate_leaves_a_damaged_checkpoint_out(tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    scoreact("finetune", DIGITS / "ctrl.toml", *overrides(), "--out", folder, "--quiet")
    weights = folder / "checkpoints" / "epoch_000001" / "policy.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    done = scoreact("evaluate", folder, "--count", 4, "--steps", "3", "--json")
    assert json.loads(done.stdout)["epoch"] == [0, 2]
    assert "epoch_000001" in done.stderr


def tables_of(run: Path) -> dict[str, npt.NDArray[np.float64]]:
    with h5py.File(run / "run.h5") as file:
        return {name: file["evaluation"][name][:] for name in ("epoch", "steps", *TABLES)}


def test_finetune_evaluates_while_it_trains(tmp_path: Path) -> None:
    """The same rows as `evaluate` makes of the checkpoints, also when the run was interrupted, and of the moving average."""
    settings = {
        "run.eval_freq": 1,
        "evaluate.steps": [4, 6],
        "evaluate.num_samples": 20,
        "train.ema_decay": 0.5,
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    command = ("finetune", DIGITS / "ctrl.toml", *overrides(), *words, "--quiet", "--out")
    scoreact(*command, tmp_path / "whole")
    found = tables_of(tmp_path / "whole")
    assert list(found["epoch"]) == [0, 1, 2]
    scoreact(*command, tmp_path / "stopped", "--max-time", "00:00:01", code=75)
    scoreact(*command, tmp_path / "stopped", ranks=2)
    with h5py.File(tmp_path / "stopped" / "run.h5") as file:
        assert file["resources/restarts"][-1] == 1
    evaluate(tmp_path / "whole")
    for other in (tables_of(tmp_path / "stopped"), tables_of(tmp_path / "whole")):
        for name, values in found.items():
            assert np.array_equal(values, other[name], equal_nan=True), name


def test_the_policy_that_is_written_is_the_moving_average(tmp_path: Path) -> None:
    """With one update an epoch, from the checkpoints' weights by the recursion itself."""
    scoreact("finetune", DIGITS / "ctrl.toml", *overrides(), "--set", "train.ema_decay=0.75", "--out", tmp_path, "--quiet")
    average = read_safetensors(DIGITS / "model" / "diffusion_pytorch_model.safetensors")
    for epoch in (1, 2):
        weights = read_safetensors(tmp_path / "checkpoints" / f"epoch_00000{epoch}" / "policy.safetensors")
        average = {name: 0.75 * average[name] + 0.25 * weights[name] for name in average}
    written = read_safetensors(tmp_path / "policy" / "diffusion_pytorch_model.safetensors")
    assert written.keys() == average.keys()
    moved = 0.0
    for name, values in written.items():
        assert np.allclose(values, average[name], rtol=1e-5, atol=1e-7), name
        moved = max(moved, float(np.abs(values - weights[name]).max()))
    assert moved > 1e-4, "the average lags behind the weights"


def test_evaluate_check_writes_nothing(run: Path) -> None:
    before = (run / "run.h5").read_bytes()
    scoreact("evaluate", run, "--check")
    assert (run / "run.h5").read_bytes() == before


def test_evaluate_wants_a_run(tmp_path: Path) -> None:
    assert "deck.toml" in scoreact("evaluate", tmp_path, code=66).stderr
    scoreact("evaluate", tmp_path / "nothing", code=66)


def test_sample_draws_prompts_in_turn_and_repeats(tmp_path: Path) -> None:
    words = ["sample", DIGITS / "model", "--count", 12, "--steps", 5, "--seed", 3, "--quiet"]
    for name in ("one", "two"):
        scoreact(*words, "--out", tmp_path / name)
    scoreact(*words, "--out", tmp_path / "ranks", ranks=2)
    scoreact(*words[:-2], 4, "--quiet", "--out", tmp_path / "other")
    with h5py.File(tmp_path / "one" / "samples.h5") as file:
        images = file["images"][:]
        assert images.shape == (12, 1, 8, 8)
        assert images.dtype == np.float32
        assert list(file["prompt"][:]) == [*range(10), 0, 1]
        assert file.attrs["solver"] == "ddim"
        assert file.attrs["steps"] == 5
        assert file.attrs["seed"] == 3
    for name in ("samples.h5", "grid.png", "latents.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    assert np.array_equal(read_safetensors(tmp_path / "one" / "latents.safetensors")["latents"], images)
    assert np.array_equal(read_safetensors(tmp_path / "ranks" / "latents.safetensors")["latents"], images)
    assert not np.array_equal(read_safetensors(tmp_path / "other" / "latents.safetensors")["latents"], images)


def test_sample_starts_from_given_noise(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal((3, 1, 8, 8)).astype(np.float32)
    write_safetensors(tmp_path / "noise.safetensors", {"latents": noise})
    words = ["sample", DIGITS / "model", "--init-latents", tmp_path / "noise.safetensors", "--class", 4]
    words += ["--eta", 0, "--steps", 5, "--quiet"]
    scoreact(*words, "--seed", 1, "--out", tmp_path / "a")
    scoreact(*words, "--seed", 2, "--out", tmp_path / "b")
    first, second = (read_safetensors(tmp_path / name / "latents.safetensors")["latents"] for name in "ab")
    assert first.shape == noise.shape
    assert np.array_equal(first, second), "a deterministic solver has no other noise than the given one"
    assert not np.allclose(first, noise)
    with h5py.File(tmp_path / "a" / "samples.h5") as file:
        assert list(file["prompt"][:]) == [4, 4, 4]


def test_sample_draws_other_sizes_from_given_noise(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal((2, 1, 12, 16)).astype(np.float32)
    write_safetensors(tmp_path / "noise.safetensors", {"latents": noise})
    scoreact("sample", DIGITS / "model", "--init-latents", tmp_path / "noise.safetensors", "--out", tmp_path / "out")
    assert read_safetensors(tmp_path / "out" / "latents.safetensors")["latents"].shape == noise.shape


def test_sample_of_a_run_is_its_newest_checkpoint(run: Path, tmp_path: Path) -> None:
    words = ["--count", 4, "--steps", 5, "--seed", 3, "--quiet", "--out"]
    scoreact("sample", run, *words, tmp_path / "run")
    scoreact("sample", run / "policy", *words, tmp_path / "policy")
    scoreact("sample", DIGITS / "model", *words, tmp_path / "base")
    drawn = {name: read_safetensors(tmp_path / name / "latents.safetensors")["latents"] for name in ("run", "policy", "base")}
    assert np.array_equal(drawn["run"], drawn["policy"])
    assert not np.array_equal(drawn["run"], drawn["base"])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--class", 10], 64, "0 to 9"),
        (["--prompt", "a cat"], 64, "0 to 9"),
        (["--prompt", 3, "--class", 3], 64, "one of them"),
        (["--negative-prompt", "ugly"], 64, "text models"),
        (["--lora", "lora.safetensors"], 64, "text models"),
        (["--solver", "pndm"], 64, "ddim"),
        (["--init-latents", "nothing.safetensors"], 66, "nothing.safetensors"),
    ],
)
def test_sample_says_what_is_wrong(tmp_path: Path, words: list[object], code: int, told: str) -> None:
    done = scoreact("sample", DIGITS / "model", *words, "--out", tmp_path / "out", code=code)
    assert told in done.stderr
    assert not (tmp_path / "out").exists()


def test_sample_accepts_a_label_as_prompt(tmp_path: Path) -> None:
    scoreact("sample", DIGITS / "model", "--prompt", 7, "--count", 2, "--steps", 2, "--out", tmp_path / "out")
    with h5py.File(tmp_path / "out" / "samples.h5") as file:
        assert list(file["prompt"][:]) == [7, 7]


def test_value_study_compares_the_designs(tmp_path: Path) -> None:
    words = ["value-study", DIGITS / "value_study.toml", "--set", "evaluate.base_samples=100"]
    words += ["--set", "value.pretrain_epochs=3", "--set", "sample.num_steps=10", "--json", "--out"]
    first = json.loads(scoreact(*words, tmp_path / "a").stdout)
    assert json.loads(scoreact(*words, tmp_path / "b").stdout) == first
    assert (first["train_samples"], first["test_samples"]) == (80, 20)
    names = [design["name"] for design in first["designs"]]
    assert names[-1] == "constant"
    assert {"x_x_one_minus_cos", "x_x0hat_one_minus_cos", "x0hat_x_sin", "x0hat_x0hat_sin"} <= set(names)
    with h5py.File(tmp_path / "a" / "value_study.h5") as file:
        assert file.attrs["format"] == "scoreact-value-study"
        tau = file["tau"][:]
        assert (np.diff(tau) < 0).all()
        for design in first["designs"]:
            group = file["designs"][design["name"]]
            assert group.attrs["predictor"] == design["predictor"]
            for name, size in (("train_mse", 3), ("test_mse", 3), ("per_time", tau.size)):
                assert group[name].shape == (size,)
                assert np.array_equal(group[name][:], design[name])
            assert np.isclose(np.mean(group["per_time"][:]), group["test_mse"][-1])
    scoreact(*words[:-1], "--out", tmp_path / "c", code=64, ranks=2)


def test_value_study_check_is_quick_and_apart(tmp_path: Path) -> None:
    scoreact("value-study", DIGITS / "value_study.toml", "--check", "--out", tmp_path)
    assert (tmp_path / "check" / "value_study.h5").exists()
    assert not (tmp_path / "value_study.h5").exists()
