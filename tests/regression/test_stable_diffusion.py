"""Stable Diffusion as a user runs it, on the fixture tiny-sd: pictures as diffusers draws them, LoRA by CTRL and DDPO, the same bits on any ranks."""

import itertools
import json
import os
import re
import shutil
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest
from scoreact_program import run
from safetensors_file import read_safetensors, write_safetensors
from same_bits import assert_same

SOURCE = Path(os.environ["SCOREACT_SOURCE_DIR"])
GOLDEN = SOURCE / "tests" / "data" / "stable_diffusion" / "sampling.safetensors"
PROMPT, NEGATIVE = "a photo of a cat", "blurry"
TOLERANCE = 1e-4  # relative to the largest latent; one network pass differs by 1e-6, and three steps amplify it


@pytest.mark.parametrize("solver", ["pndm", "ddim", "dpmpp_2m"])
@pytest.mark.parametrize("negative", [False, True], ids=["plain", "negative"])
def test_it_draws_what_diffusers_draws(tiny: Path, tmp_path: Path, solver: str, negative: bool) -> None:
    golden = read_safetensors(GOLDEN)
    words = ["--prompt", PROMPT, "--steps", 3, "--solver", solver, "--guidance", 7.5, "--count", 2, "--torch-seed", 0]
    if negative:
        words += ["--negative-prompt", NEGATIVE]
    run("sample", tiny, *words, "--out", tmp_path / "out")
    case = f"{solver}.{'negative' if negative else 'plain'}"
    expected = golden[f"{case}.latents"]
    found = read_safetensors(tmp_path / "out" / "latents.safetensors")["latents"]
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()
    with h5py.File(tmp_path / "out" / "samples.h5") as file:
        pictures = np.clip(file["images"][:] / 2 + 0.5, 0, 1)[:, :, -8:, -8:].transpose(0, 2, 3, 1)
        assert [text.decode() for text in file["prompt_text"][:]] == [PROMPT, PROMPT]
    assert np.abs(pictures - golden[f"{case}.corner"]).max() <= 1e-3


def changed_scheduler(tiny: Path, folder: Path, **settings: object) -> Path:
    model = shutil.copytree(tiny, folder / "changed")
    file = model / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))
    return model


def test_pndm_begins_with_runge_kutta_steps_unless_the_file_skips_them(tiny: Path, tmp_path: Path) -> None:
    model = changed_scheduler(tiny, tmp_path, skip_prk_steps=False, timestep_spacing="trailing")
    words = ["--prompt", PROMPT, "--steps", 5, "--solver", "pndm", "--guidance", 7.5, "--count", 2, "--torch-seed", 0]
    run("sample", model, *words, "--out", tmp_path / "out")
    expected = read_safetensors(GOLDEN)["pndm_runge_kutta.plain.latents"]
    found = read_safetensors(tmp_path / "out" / "latents.safetensors")["latents"]
    assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_a_scheduler_that_is_not_computed_is_refused_unless_a_solver_is_named(tiny: Path, tmp_path: Path) -> None:
    model = changed_scheduler(tiny, tmp_path, _class_name="EulerDiscreteScheduler")
    words = ["sample", model, "--prompt", PROMPT, "--steps", 1, "--out", tmp_path / "out"]
    done = run(*words, code=65)
    assert "scheduler_config.json: _class_name: expected one of PNDMScheduler, DDIMScheduler" in done.stderr
    assert 'found "EulerDiscreteScheduler"' in done.stderr
    run(*words, "--solver", "ddim")


def test_a_setting_that_is_not_computed_is_refused_not_ignored(tiny: Path, tmp_path: Path) -> None:
    settings = {"_class_name": "DPMSolverMultistepScheduler", "use_karras_sigmas": True, "solver_order": 3}
    model = changed_scheduler(tiny, tmp_path, **settings, lambda_min_clipped=float("-inf"))
    words = ["sample", model, "--prompt", PROMPT, "--steps", 1, "--out", tmp_path / "out"]
    done = run(*words, code=65)
    assert "scheduler_config.json: dpmpp_2m does not compute solver_order = 3 (expected 2), use_karras_sigmas = true (expected false)" in done.stderr
    run(*words, "--solver", "ddim")  # diffusers' DDIM does not know these keys


def test_initial_latents_decide_count_and_size(tiny: Path, tmp_path: Path) -> None:
    run("sample", tiny, "--prompt", PROMPT, "--steps", 1, "--solver", "ddim", "--init-latents", GOLDEN, "--out", tmp_path / "given")
    run("sample", tiny, "--prompt", PROMPT, "--steps", 1, "--solver", "ddim", "--count", 2, "--torch-seed", 0, "--out", tmp_path / "seed")
    given, seed = (read_safetensors(tmp_path / name / "latents.safetensors")["latents"] for name in ("given", "seed"))
    assert (given == seed).all()


def deck_words(tiny: Path, algorithm: str) -> list[str]:
    deck = SOURCE / "inputs" / "sd15" / ("ctrl_unicorn.toml" if algorithm == "ctrl" else "ddpo_unicorn.toml")
    settings = {
        "model.path": f'"{tiny}"',
        "reward.kind": '"jpeg_compressibility"',
        "run.epochs": 2,
        "run.save_freq": 1,
        "sample.num_steps": 3,
        "sample.samples_per_epoch": 4,
        "sample.micro_batch_size": 1,
        "train.minibatch_size": 4,
        "train.num_times": 2,
        "train.learning_rate": 1e-3,
        "store.images_per_epoch": 2,
        "store.trajectories": '"all"',
        "evaluate.num_samples": 2,
        "evaluate.base_samples": 2,
    }
    if algorithm == "ctrl":
        settings |= {"value.steps_per_epoch": 1, "value.pretrain_epochs": 1, "value.learning_rate": 1e-3}
    else:
        settings |= {"per_prompt_stat_tracking.buffer_size": 4, "per_prompt_stat_tracking.min_count": 2}
    return ["finetune", str(deck), *(word for key, value in settings.items() for word in ("--set", f"{key}={value}"))]


@pytest.mark.parametrize("algorithm", ["ctrl", "ddpo"])
def test_a_lora_is_trained_with_the_same_bits_on_two_ranks(tiny: Path, tmp_path: Path, algorithm: str) -> None:
    words = deck_words(tiny, algorithm)
    said = run(*words, "--out", tmp_path / "one").stdout
    # 4 samples of 3 steps with 2 trained times, guided; CTRL asks for the reward of the drawn
    # pictures, for V where it is fitted, and for the increments at the next step
    plan = {"ctrl": "rollout 24, estimates 16, update 16; reward 20, decoder 20", "ddpo": "rollout 24, estimates 24, update 16; reward 4, decoder 4"}
    assert f"network evaluations per epoch: {plan[algorithm]}\n" in said
    planned = sum(int(count) for count in re.findall(r"(?:rollout|estimates|update) (\d+)", plan[algorithm]))
    with h5py.File(tmp_path / "one" / "run.h5") as file:
        np.testing.assert_array_equal(file["metrics/network_evaluations"][:], [planned, 2 * planned])
    assert ("the value network's" in said) == (algorithm == "ctrl")
    run(*words, "--out", tmp_path / "two", ranks=2)
    assert_same(tmp_path / "two", tmp_path / "one")
    lora = read_safetensors(tmp_path / "one" / "policy" / "pytorch_lora_weights.safetensors")
    assert all(".lora." in name for name in lora)
    assert all(np.abs(values).max() > 0 for name, values in lora.items() if ".up." in name or "lora_B" in name)


@pytest.fixture(scope="module")
def rewards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of networks for rewards, by their kind: ImageReward, and a CLIP with LAION's head of five maps."""
    folder = tmp_path_factory.mktemp("rewards")
    for name in ("tiny-image-reward", "tiny-clip"):
        run("make-fixture", name, "--out", folder / name)
    widths, head = [24, 8, 8, 8, 8, 1], {}  # 24: the CLIP's embedding
    for layer, (inputs, outputs) in zip((0, 2, 4, 6, 7), itertools.pairwise(widths), strict=True):
        head[f"layers.{layer}.weight"] = np.full((outputs, inputs), 0.3, np.float32)
        head[f"layers.{layer}.bias"] = np.zeros(outputs, np.float32)
    write_safetensors(folder / "tiny-clip" / "sac+logos+ava1-l14-linearMSE.safetensors", head)
    return {"image_reward": folder / "tiny-image-reward", "aesthetic": folder / "tiny-clip"}


@pytest.mark.parametrize("deck", sorted(path.stem for path in (SOURCE / "inputs" / "sd15").glob("*.toml")))
def test_every_deck_passes_one_tiny_step(tiny: Path, rewards: dict[str, Path], tmp_path: Path, deck: str) -> None:
    path = SOURCE / "inputs" / "sd15" / f"{deck}.toml"
    kind = tomllib.loads(path.read_text())["reward"]["kind"]
    words = ["--set", f'model.path="{tiny}"', "--check", "--out", tmp_path / "out"]
    if kind in rewards:
        words += ["--set", f'reward.path="{rewards[kind]}"']
    run("value-study" if deck == "value_pretrain" else "finetune", path, *words)


def test_forward_gives_the_gradients_of_a_lora(tmp_path: Path) -> None:
    """Those of peft, whose LoRA lies beside the golden U-Net."""
    folder = SOURCE / "tests" / "data" / "unet2d_condition_sd1"
    case = read_safetensors(folder / "case.safetensors")
    names = ("sample", "timestep", "encoder_hidden_states", "cotangent")
    write_safetensors(tmp_path / "in.safetensors", {name: case[name] for name in names})
    words = ["forward", folder, "--inputs", tmp_path / "in.safetensors", "--grad", "--lora", folder / "lora_peft"]
    run(*words, "--out", tmp_path / "out.safetensors")
    found = read_safetensors(tmp_path / "out.safetensors")
    assert np.abs(found["sample"] - case["lora.output"]).max() <= 1e-5 * np.abs(case["lora.output"]).max()
    lora = [name for name in case if name.startswith("grad.unet.")]
    assert len(lora) == 64 and {name for name in found if name.startswith("grad.unet.")} == set(lora)
    for name in lora:
        assert np.linalg.norm(found[name] - case[name]) <= 1e-4 * np.linalg.norm(case[name]), name
    done = run("forward", SOURCE / "tests" / "data" / "autoencoder_kl", *words[2:], "--out", tmp_path / "out.safetensors", code=64)
    assert "--lora: belongs to a UNet2DConditionModel, found AutoencoderKL" in done.stderr


def test_a_lora_on_some_of_the_projections(tiny: Path, tmp_path: Path) -> None:
    words = [*deck_words(tiny, "ddpo"), "--set", "run.epochs=1", "--set", 'model.lora_targets=["to_q", "to_out.0"]']
    run(*words, "--out", tmp_path / "run")
    file = tmp_path / "run" / "policy" / "pytorch_lora_weights.safetensors"
    lora = read_safetensors(file)
    assert {name.rsplit(".attn", 1)[1][2:].split(".lora")[0] for name in lora} == {"to_q", "to_out.0"}
    header = json.loads(file.read_bytes()[8:][: int.from_bytes(file.read_bytes()[:8], "little")])
    assert json.loads(header["__metadata__"]["lora_adapter_metadata"])["unet.target_modules"] == ["to_out.0", "to_q"]

    drawing = ["--prompt", PROMPT, "--count", 1, "--steps", 2, "--eta", 0, "--solver", "ddim", "--grid", "leading", "--torch-seed", 1]
    run("sample", tmp_path / "run", *drawing, "--out", tmp_path / "of_run")
    run("sample", tiny, *drawing, "--guidance", 7, "--lora", file, "--out", tmp_path / "of_lora")
    of_run, of_lora = (read_safetensors(tmp_path / name / "latents.safetensors")["latents"] for name in ("of_run", "of_lora"))
    assert np.abs(of_run - of_lora).max() <= 1e-5 * np.abs(of_run).max()

    more = [*words[:-1], 'model.lora_targets=["to_q", "to_k", "to_out.0"]', "--set", "run.epochs=2"]
    done = run(*more, "--out", tmp_path / "run", code=65)
    assert "started with another deck" in done.stderr and "lora_targets" in done.stderr
    done = run(*words[:-1], 'model.lora_targets=["to_z"]', "--out", tmp_path / "bad", code=65)
    assert 'model.lora_targets: expected' in done.stderr and '"to_z"' in done.stderr
    done = run(*words[:-1], "model.lora_targets=[]", "--out", tmp_path / "bad", code=65)
    assert "model.lora_targets: expected" in done.stderr and "at least 1" in done.stderr


def test_a_lora_of_the_text_encoder_draws_as_merged_weights_do(tiny: Path, tmp_path: Path) -> None:
    merged = shutil.copytree(tiny, tmp_path / "merged")
    weights = read_safetensors(merged / "text_encoder" / "model.safetensors")
    name = next(name for name in weights if name.endswith("layers.0.self_attn.v_proj.weight"))
    rng = np.random.default_rng(5)
    out, width = weights[name].shape
    down, up = (rng.standard_normal(shape).astype(np.float32) for shape in ((2, width), (out, 2)))
    weights[name] = weights[name] + 3 / 2 * up @ down
    (merged / "text_encoder" / "model.safetensors").unlink()  # may be shared with the fixture
    write_safetensors(merged / "text_encoder" / "model.safetensors", weights)
    stem = "lora_te_text_model_encoder_layers_0_self_attn_v_proj"
    alpha = np.array(3.0, np.float32)
    write_safetensors(tmp_path / "kohya.safetensors", {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up, f"{stem}.alpha": alpha})
    run("convert", tmp_path / "kohya.safetensors", tmp_path / "diffusers.safetensors", "--format", "diffusers")

    def latents(model: Path, *words: object) -> np.ndarray:
        folder = tmp_path / f"drawn{len(list(tmp_path.glob('drawn*')))}"
        run("sample", model, "--prompt", PROMPT, "--steps", 3, "--count", 2, "--seed", 1, *words, "--out", folder)
        return read_safetensors(folder / "latents.safetensors")["latents"]

    expected, base = latents(merged), latents(tiny)
    for file in ("kohya.safetensors", "diffusers.safetensors"):
        found = latents(tiny, "--lora", tmp_path / file)
        assert np.abs(found - expected).max() <= TOLERANCE * np.abs(expected).max()
        assert np.abs(found - base).max() > 10 * TOLERANCE * np.abs(expected).max()


def test_frozen_weights_in_bfloat16_change_only_rounding(tiny: Path, tmp_path: Path) -> None:
    rewards, gradients = [], []
    for precision in ("fp32", "bf16"):
        run(*deck_words(tiny, "ddpo"), "--set", f"run.precision={precision}", "--out", tmp_path / precision)
        with h5py.File(tmp_path / precision / "run.h5") as file:
            rewards.append(file["metrics/reward_mean"][0])
            gradients.append(file["metrics/grad_norm"][0])
    assert rewards[0] != rewards[1] and abs(rewards[1] / rewards[0] - 1) < 0.02
    assert 0.5 < gradients[1] / gradients[0] < 2
    full, half = (read_safetensors(tmp_path / p / "policy" / "pytorch_lora_weights.safetensors") for p in ("fp32", "bf16"))
    assert {name: values.dtype for name, values in full.items()} == {name: values.dtype for name, values in half.items()}


def test_a_stopped_run_goes_on_to_the_same_bits_and_its_lora_draws_its_pictures(tiny: Path, tmp_path: Path) -> None:
    words = deck_words(tiny, "ctrl")
    run(*words, "--out", tmp_path / "whole")
    run(*words, "--out", tmp_path / "parts", "--max-time", "00:00:01", code=75)
    run(*words, "--out", tmp_path / "parts")
    assert_same(tmp_path / "parts", tmp_path / "whole")

    drawing = ["--prompt", PROMPT, "--count", 1, "--steps", 2, "--eta", 0, "--solver", "ddim", "--grid", "leading", "--torch-seed", 1]
    run("sample", tmp_path / "whole", *drawing, "--out", tmp_path / "of_run")
    lora = tmp_path / "whole" / "policy"
    run("sample", tiny, *drawing, "--guidance", 7, "--lora", lora, "--out", tmp_path / "of_lora")
    run("sample", tiny, *drawing, "--guidance", 7, "--out", tmp_path / "of_base")
    of_run, of_lora, of_base = (
        read_safetensors(tmp_path / name / "latents.safetensors")["latents"] for name in ("of_run", "of_lora", "of_base")
    )
    assert np.abs(of_run - of_lora).max() <= 1e-5 * np.abs(of_run).max()
    assert np.abs(of_run - of_base).max() > 1e-3 * np.abs(of_run).max()
    run("evaluate", tmp_path / "whole", "--steps", "2,3", "--count", 2)
    with h5py.File(tmp_path / "whole" / "run.h5") as file:
        assert np.isfinite(file["evaluation/reward_mean"][:]).all() and file["evaluation/kl_path"][-1, 0] > 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--class", 1], 64, "--class: this model is conditioned on text"),
        (["--lora", "/nowhere.safetensors"], 66, "/nowhere.safetensors"),
        (["--solver", "magic"], 64, "magic"),
    ],
)
def test_what_it_refuses(tiny: Path, tmp_path: Path, words: list[object], code: int, message: str) -> None:
    done = run("sample", tiny, *words, "--steps", 1, "--out", tmp_path / "out", code=code)
    assert message in done.stderr


def test_a_text_model_needs_prompts_and_a_class_model_takes_none(tiny: Path, tmp_path: Path) -> None:
    words = deck_words(tiny, "ctrl")
    done = run(*words, "--set", "prompts.list=[]", "--out", tmp_path / "out", code=65)
    assert "prompts.list" in done.stderr and "needs prompts" in done.stderr
    digits = SOURCE / "inputs" / "digits" / "ctrl.toml"
    done = run("finetune", digits, "--set", 'prompts.list=["a seven"]', "--out", tmp_path / "out", code=65)
    assert "prompts.list" in done.stderr and "only stable_diffusion" in done.stderr
