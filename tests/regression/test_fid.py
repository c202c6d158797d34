"""scoreact fid as a user runs it, with random weights: every form of input, statistics files, ranks, errors."""

import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

PROGRAM = os.environ["SCOREACT"]
SOURCE = Path(os.environ["SCOREACT_SOURCE_DIR"])
Pictures = npt.NDArray[np.uint8]


def scoreact(*words: object, code: int = 0, ranks: int = 1) -> subprocess.CompletedProcess[str]:
    """Run the program; fail with its output unless it exits with `code`."""
    command = [PROGRAM, *map(str, words)]
    if ranks > 1:
        command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "-n", str(ranks), *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, f"{' '.join(command)}\nexit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inception")
    scoreact("make-fixture", "inception", "--out", folder)
    return folder


def draw(count: int, seed: int) -> Pictures:
    """Noise over blobs, [count, 32, 32, 3]."""
    random = np.random.default_rng(seed)
    blobs = random.normal(size=(count, 4, 4, 3)).repeat(8, 1).repeat(8, 2)
    noise = random.normal(size=(count, 32, 32, 3))
    return np.clip(127.5 + 50 * blobs + 10 * (1 + seed) * noise, 0, 255).astype(np.uint8)


def save_png(pictures: Pictures, folder: Path) -> Path:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{number:04d}.png")
    return folder


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    return save_png(draw(11, 0), folder / "a"), save_png(draw(9, 1), folder / "b")


def fid(a: Path, b: Path, weights: Path, *words: object, ranks: int = 1) -> dict[str, object]:
    options = ("--weights", weights, "--dims", 64, "--batch", 4, "--json")
    answer = json.loads(scoreact("fid", a, b, *options, *words, ranks=ranks).stdout)
    assert isinstance(answer, dict)
    return answer


def test_the_answer_says_what_was_compared(sets: tuple[Path, Path], weights: Path) -> None:
    a, b = sets
    answer = fid(a, b, weights)
    assert answer["a"] == {"path": str(a), "pictures": 11}
    assert answer["b"] == {"path": str(b), "pictures": 9}
    assert answer["dims"] == 64
    assert answer["input_convention"] == "pytorch-fid"
    assert isinstance(answer["fid"], float)
    assert answer["fid"] > 0
    other = fid(a, b, weights, "--input-convention", "torch-fidelity")
    assert other["fid"] != answer["fid"]
    plain = scoreact("fid", a, b, "--weights", weights, "--dims", 64)
    assert "FID" in plain.stdout
    assert "picture 11/11" in plain.stdout
    assert "11 pictures are fewer than the 64 dimensions" in plain.stderr


def test_every_form_of_the_same_pictures_has_the_same_distance(
    sets: tuple[Path, Path], weights: Path, tmp_path: Path
) -> None:
    a, b = sets
    expected = fid(a, b, weights)["fid"]
    pictures = draw(9, 1)
    with h5py.File(tmp_path / "bytes.h5", "w") as file:
        file["images"] = pictures
    with h5py.File(tmp_path / "samples.h5", "w") as file:
        file["images"] = pictures.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
    planes = pictures.transpose(0, 3, 1, 2).reshape(9, -1)
    (tmp_path / "data_batch_1.bin").write_bytes(np.hstack([np.full((9, 1), 3, np.uint8), planes]).tobytes())
    nested = tmp_path / "nested"
    nested.mkdir()
    save_png(pictures, nested / "inner")
    for form in (tmp_path / "bytes.h5", tmp_path, tmp_path / "data_batch_1.bin", nested):
        assert fid(a, form, weights)["fid"] == expected, form


def test_statistics_are_written_for_numpy_and_read_back(
    sets: tuple[Path, Path], weights: Path, tmp_path: Path
) -> None:
    a, b = sets
    expected = fid(a, b, weights)["fid"]
    scoreact("fid", b, "--save-stats", tmp_path / "b.npz", "--weights", weights, "--dims", 64, "--batch", 4, "--quiet")
    with np.load(tmp_path / "b.npz") as stored:
        assert stored["mu"].shape == (64,)
        assert stored["sigma"].shape == (64, 64)
        assert stored["sigma"].dtype == np.float64
        assert np.allclose(stored["sigma"], stored["sigma"].T)
        np.savez_compressed(tmp_path / "packed.npz", mu=stored["mu"], sigma=stored["sigma"])
    for name in ("b.npz", "packed.npz"):
        answer = fid(a, tmp_path / name, weights)
        assert answer["fid"] == expected
        assert answer["b"] == {"path": str(tmp_path / name), "pictures": None}
    both = json.loads(scoreact("fid", tmp_path / "b.npz", tmp_path / "packed.npz", "--json").stdout)
    assert both["fid"] == pytest.approx(0, abs=1e-6)


def mirrored_blocks(blocks: npt.NDArray[np.float64], axis: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Q diag(blocks) Q, Q the reflection at the plane orthogonal to `axis`: dense, [2 n, 2 n] from [n, 2, 2]."""
    count = len(blocks)
    diagonal = np.zeros((count, 2, count, 2))
    diagonal[np.arange(count), :, np.arange(count), :] = blocks
    matrix = diagonal.reshape(2 * count, 2 * count)
    unit = axis / np.linalg.norm(axis)
    left = matrix - 2 * np.outer(unit, unit @ matrix)
    return left - 2 * np.outer(left @ unit, unit)


def test_statistics_of_2048_dimensions_have_the_closed_form(tmp_path: Path) -> None:
    """Covariances that don't commute. The trace of a root is the sum over 2 x 2 blocks: sqrt(tr + 2 sqrt(det))."""
    random = np.random.default_rng(2)
    half, axis = 1024, random.normal(size=2048)
    roots = random.normal(size=(2, half, 2, 2))
    first, second = roots @ roots.transpose(0, 1, 3, 2) + 0.05 * np.eye(2)
    means = random.normal(size=(2, 2 * half))
    for name, mean, blocks in (("a", means[0], first), ("b", means[1], second)):
        np.savez(tmp_path / f"{name}.npz", mu=mean, sigma=mirrored_blocks(blocks, axis))
    product = first @ second
    root = np.sqrt(np.trace(product, axis1=1, axis2=2) + 2 * np.sqrt(np.linalg.det(product))).sum()
    traces = np.trace(first + second, axis1=1, axis2=2).sum()
    expected = np.square(means[0] - means[1]).sum() + traces - 2 * root
    answer = json.loads(scoreact("fid", tmp_path / "a.npz", tmp_path / "b.npz", "--json").stdout)
    assert answer["dims"] == 2048
    assert answer["fid"] == pytest.approx(expected, rel=1e-10)


def test_ranks_share_the_pictures_and_change_no_bit(sets: tuple[Path, Path], weights: Path) -> None:
    a, b = sets
    one = fid(a, b, weights)["fid"]
    assert fid(a, b, weights, ranks=2)["fid"] == one
    assert fid(a, b, weights, ranks=4)["fid"] == one


def test_errors_say_what_was_expected(sets: tuple[Path, Path], weights: Path, tmp_path: Path) -> None:
    a, b = sets
    fine = ("--weights", weights, "--dims", 64)
    assert "no such file" in scoreact("fid", a, tmp_path / "no", *fine, code=66).stderr
    assert "expected pictures in this folder" in scoreact("fid", tmp_path, b, *fine, code=66).stderr
    empty_cache = {**os.environ, "TORCH_HOME": str(tmp_path)}
    done = subprocess.run([PROGRAM, "fid", a, b], capture_output=True, text=True, env=empty_cache, check=False)
    assert done.returncode == 64
    assert "--weights" in done.stderr
    assert "pt_inception" in scoreact("fid", a, b, "--weights", tmp_path, code=66).stderr
    assert "torch-fidelity" in scoreact("fid", a, b, *fine, "--input-convention", "tf", code=64).stderr
    assert "2048" in scoreact("fid", a, b, "--weights", weights, "--dims", 100, code=64).stderr
    assert "second set" in scoreact("fid", a, *fine, code=64).stderr
    np.savez(tmp_path / "wrong.npz", mean=np.zeros(3))
    assert "mu and sigma" in scoreact("fid", a, tmp_path / "wrong.npz", *fine, code=65).stderr
    np.savez(tmp_path / "other.npz", mu=np.zeros(3), sigma=np.eye(3))
    assert "64 numbers against 3" in scoreact("fid", a, tmp_path / "other.npz", *fine, code=65).stderr


def test_evaluate_takes_the_same_distance_of_the_pictures_that_it_draws(
    sets: tuple[Path, Path], weights: Path, tmp_path: Path
) -> None:
    """The digit model's base pictures, which are grey, against colour pictures: only the sameness matters."""
    run, reference = tmp_path / "run", sets[0]
    changed = {
        "run.epochs": 1,
        "sample.num_steps": 2,
        "sample.samples_per_epoch": 4,
        "sample.micro_batch_size": 2,
        "train.minibatch_size": 4,
        "train.micro_batch_size": 2,
        "train.num_times": 1,
        "value.steps_per_epoch": 1,
        "evaluate.num_samples": 5,
        "evaluate.base_samples": 6,
        "evaluate.steps": "[2]",
        "evaluate.inception": weights,
        "evaluate.reference": reference,
    }
    words = [word for key, value in changed.items() for word in ("--set", f"{key}={value}")]
    scoreact("finetune", SOURCE / "inputs" / "digits" / "ctrl.toml", *words, "--out", run)
    table = {n: json.loads(scoreact("evaluate", run, "--json", ranks=n).stdout) for n in (1, 2)}
    scoreact("sample", run, "--count", 5, "--seed", 1000, "--steps", 2, "--out", tmp_path / "drawn")
    expected = json.loads(scoreact("fid", tmp_path / "drawn", reference, "--weights", weights, "--json").stdout)["fid"]
    assert np.isclose(table[1]["frechet_distance"][-1][0], expected, rtol=1e-4)
    assert table[1]["frechet_distance"] == table[2]["frechet_distance"]
