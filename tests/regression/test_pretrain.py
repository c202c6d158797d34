"""`scoreact pretrain`: the same bits on any number of ranks and however it is stopped and continued."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from safetensors_file import read_safetensors
from same_bits import bits

SCOREACT = os.environ["SCOREACT"]
DECKS = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs"
BAD_DATA, STOPPED_EARLY = 65, 75

TINY = {
    "pretrain.iterations": 12,
    "pretrain.batch_size": 32,
    "pretrain.micro_batch_size": 8,
    "pretrain.log_freq": 5,
    "pretrain.save_freq": 4,
    "pretrain.eval_freq": 5,
    "pretrain.sample_freq": 6,
    "run.num_checkpoint_limit": 2,
    "network.block_out_channels": "[8, 16]",
}


def line(out: Path, *more: str, **settings: object) -> list[str]:
    """The command line of a tiny run; settings as section__key."""
    changed = TINY | {key.replace("__", "."): value for key, value in settings.items()}
    overrides = [word for key, value in changed.items() for word in ("--set", f"{key}={value}")]
    return [SCOREACT, "pretrain", str(DECKS / "digits" / "pretrain.toml"), "--out", str(out), *overrides, *more]


def run(words: list[str], expected: int = 0) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout + done.stderr


def assert_same(found: Path, expected: Path) -> None:
    """Both have ended with the same metrics, weights, optimisers and pictures."""
    one, other = bits(found), bits(expected)
    assert any(name.startswith("model/") for name in other), f"{expected} did not end"
    # a run that was stopped has a checkpoint more, or one of another iteration
    both = {name for name in one.keys() & other.keys()} | {name for name in other if "checkpoints/" not in name}
    different = sorted(name for name in both if one.get(name) != other.get(name))
    assert not different, f"{', '.join(different)} differ"
    assert any("checkpoints/epoch_000012/" in name for name in both)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pretrain") / "whole"
    said = run(line(out))
    assert "iteration 5/12" in said and "ETA" in said and "trained network" in said
    return out


def test_a_run_leaves_metrics_pictures_the_last_checkpoints_and_a_network(whole: Path) -> None:
    with h5py.File(whole / "run.h5") as file:
        assert file.attrs["kind"] == "pretrain"
        assert list(file["metrics/iteration"]) == [5, 10, 12]
        held_out = file["metrics/test_loss"][:]
        assert np.isfinite(held_out).all(), "eval_freq = 5: a held-out figure in each row"
        assert file.attrs["test_loss"] == held_out[-1]
        assert file["metrics/loss"][2] < file["metrics/loss"][0]
    assert {path.name for path in (whole / "images").iterdir()} == {f"epoch_{n:06d}.png" for n in (0, 6, 12)}
    assert {path.name for path in (whole / "checkpoints").glob("epoch_*")} == {"epoch_000008", "epoch_000012"}
    assert (whole / "model" / "diffusion_pytorch_model.safetensors").exists()


@pytest.mark.parametrize("ranks", [2, 4])
def test_any_number_of_ranks_gives_the_same_bits(tmp_path: Path, whole: Path, ranks: int) -> None:
    run(["mpirun", "--oversubscribe", "-n", str(ranks), *line(tmp_path / "run", "--quiet")])
    assert_same(tmp_path / "run", whole)


def test_ranks_that_do_not_divide_the_micro_batches_are_told_so(tmp_path: Path) -> None:
    said = run(["mpirun", "--oversubscribe", "-n", "3", *line(tmp_path / "run")], BAD_DATA)
    assert "pretrain.micro_batch_size" in said and "3 ranks" in said


def test_a_killed_run_goes_on_with_the_same_bits_on_two_ranks(tmp_path: Path) -> None:
    long = {"pretrain__iterations": 400, "pretrain__save_freq": 20, "pretrain__log_freq": 7, "pretrain__sample_freq": 0}
    reference, killed = tmp_path / "reference", tmp_path / "killed"
    run(line(reference, "--quiet", **long))
    with subprocess.Popen(line(killed, "--quiet", **long)) as process:
        while not list((killed / "checkpoints").glob("epoch_*/DONE")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    assert not (killed / "model").exists(), "it was killed in the middle"
    run(["mpirun", "--oversubscribe", "-n", "2", *line(killed, "--quiet", **long)])
    one, other = bits(killed), bits(reference)
    assert one.keys() == other.keys()
    assert [name for name in other if one[name] != other[name]] == []


@pytest.mark.parametrize("how", ["file", "signal"])
def test_a_stopped_run_says_so_and_goes_on_with_the_same_bits(tmp_path: Path, how: str) -> None:
    long = {"pretrain__iterations": 300, "pretrain__save_freq": 0, "pretrain__log_freq": 7, "pretrain__sample_freq": 0}
    reference, stopped = tmp_path / "reference", tmp_path / "stopped"
    run(line(reference, "--quiet", **long))
    with subprocess.Popen(line(stopped, "--quiet", **long), stdout=subprocess.PIPE, text=True) as process:
        while not (stopped / "run.h5").exists() or h5py.File(stopped / "run.h5")["metrics/epoch"].size < 1:
            assert process.poll() is None
            time.sleep(0.01)
        if how == "file":
            (stopped / "stop").touch()
        else:
            process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == STOPPED_EARLY, said
    assert ("stop file" if how == "file" else "signal 15") in said
    run(line(stopped, "--quiet", **long))
    one, other = bits(stopped), bits(reference)
    both = {name for name in other if name in one or "checkpoints/" not in name}
    assert [name for name in both if one.get(name) != other[name]] == []
    assert any("epoch_000300" in name for name in both)


def test_the_time_limit_stops_a_run_in_time(tmp_path: Path) -> None:
    start = time.monotonic()
    run(line(tmp_path / "run", "--quiet", "--max-time", "00:00:02", pretrain__iterations=1000000), STOPPED_EARLY)
    assert time.monotonic() - start < 20
    assert list((tmp_path / "run" / "checkpoints").glob("epoch_*/DONE"))


def test_another_deck_is_refused_and_another_save_frequency_is_not(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(line(out, "--quiet"))
    said = run(line(out, "--quiet", pretrain__learning_rate=0.5), BAD_DATA)
    assert "learning_rate" in said
    run(line(out, "--quiet", pretrain__save_freq=3))


def test_a_check_works_in_a_folder_of_its_own(tmp_path: Path) -> None:
    run(line(tmp_path / "run", "--check", pretrain__out=tmp_path / "elsewhere"))
    assert (tmp_path / "run" / "check" / "model").exists()
    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "run" / "run.h5").exists()


COLOURS = {"red": (220, 40, 40), "green": (40, 180, 60), "blue": (50, 70, 220)}
SMALL = {
    "pretrain.iterations": 6,
    "pretrain.batch_size": 8,
    "pretrain.micro_batch_size": 4,
    "pretrain.log_freq": 3,
    "pretrain.eval_freq": 3,
    "pretrain.sample_freq": 3,
    "network.block_out_channels": "[16, 32]",
    "network.text_hidden": 32,
    "network.text_intermediate": 64,
    "network.vocab_size": 530,
    "data.height": 16,
    "data.width": 16,
    "data.test_fraction": 0.2,
    "prompts.list": '["a red square", "a blue square"]',
    "store.images_per_epoch": 4,
    "sample.num_steps": 3,
}


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty squares with captions, and an autoencoder with random weights."""
    folder = tmp_path_factory.mktemp("captioned")
    (folder / "data").mkdir()
    lines = []
    for n in range(30):
        name, colour = list(COLOURS.items())[n % 3]
        picture = Image.new("RGB", (16, 16), "white")
        picture.paste(colour, (n % 5, n % 4, n % 5 + 9, n % 4 + 9))
        picture.save(folder / "data" / f"{n}.png")
        lines.append(json.dumps({"file_name": f"{n}.png", "text": f"a {name} square"}))
    (folder / "data" / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    run([SCOREACT, "make-fixture", "tiny-sd", "--out", str(folder / "tiny")])
    return folder


def text_to_image(captioned: Path, out: Path, *more: str) -> list[str]:
    places = {"data.path": captioned / "data", "network.vae": captioned / "tiny" / "vae"}
    overrides = [word for key, value in (SMALL | places).items() for word in ("--set", f"{key}={value}")]
    return [SCOREACT, "pretrain", str(DECKS / "emoji" / "text_to_image.toml"), "--out", str(out), *overrides, *more]


def test_a_text_to_image_model_goes_on_from_a_trained_one(captioned: Path, tmp_path: Path) -> None:
    run(text_to_image(captioned, tmp_path / "first"))
    still = ["pretrain.learning_rate=1e-12", "pretrain.text_learning_rate=1e-12", "pretrain.weight_decay=0", "pretrain.ema_decay=0"]
    settings = [f"network.start={tmp_path}/first/model", "network.text_hidden=16", *still]
    run(text_to_image(captioned, tmp_path / "still", *(word for setting in settings for word in ("--set", setting))))
    for part in ("unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"):
        first, still = (read_safetensors(tmp_path / name / "model" / part) for name in ("first", "still"))
        assert first.keys() == still.keys()
        assert all(np.allclose(first[name], still[name], rtol=0, atol=1e-7) for name in first)
    merges = [(tmp_path / name / "model" / "tokenizer" / "merges.txt").read_bytes() for name in ("first", "still")]
    assert merges[0] == merges[1]


def test_a_text_to_image_model_is_trained_with_the_same_bits_on_two_ranks_and_draws(captioned: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    run(text_to_image(captioned, one))
    run(["mpirun", "--oversubscribe", "-n", "2", *text_to_image(captioned, two, "--quiet")])
    found, expected = bits(two), bits(one)
    assert found.keys() == expected.keys()
    assert [name for name in expected if found[name] != expected[name]] == []
    assert {path.name for path in (one / "images").iterdir()} == {f"epoch_{n:06d}.png" for n in (0, 3, 6)}
    with h5py.File(one / "run.h5") as file:
        assert np.isfinite(file["metrics/test_eps_mse"][:]).all()
    words = ["--prompt", "a red square", "--steps", "2", "--count", "2", "--device", "cpu", "--out", str(tmp_path / "drawn")]
    run([SCOREACT, "sample", str(one / "model"), *words])
    with h5py.File(tmp_path / "drawn" / "samples.h5") as file:
        assert file["images"].shape == (2, 3, 16, 16) and np.isfinite(file["images"][:]).all()
