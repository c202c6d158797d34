"""scoreact pretrain on captioned pictures: an autoencoder, its decoder, and two towers that become a reward."""

import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from safetensors_file import read_safetensors

SCOREACT = os.environ["SCOREACT"]
DECKS = Path(os.environ["SCOREACT_SOURCE_DIR"]) / "inputs" / "emoji"
COLOURS = {"red": (220, 30, 30), "green": (30, 180, 60), "blue": (40, 60, 220), "black": (10, 10, 10)}
SMALL = [
    "data.test_fraction=0.4",
    "pretrain.iterations=6",
    "pretrain.batch_size=8",
    "pretrain.micro_batch_size=4",
    "pretrain.log_freq=2",
    "pretrain.save_freq=0",
    "pretrain.sample_freq=6",
]
NETWORKS = {
    "vae": ["network.block_out_channels=[8,8,16]", "network.norm_num_groups=4"],
    "vae_decoder": [],
    "reward": [
        f"network.{tower}_{key}={value}"
        for tower in ("vision", "text")
        for key, value in {"hidden": 16, "intermediate": 16, "layers": 1, "heads": 2}.items()
    ]
    + ["network.patch_size=8", "network.vocab_size=540"],
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    lines = []
    for number in range(48):
        name, colour = list(COLOURS.items())[number % 4]
        pixels = np.full((32, 32, 3), 255 - number, np.uint8)
        pixels[4 + number // 8 : 20 + number // 8, 6:24] = colour
        Image.fromarray(pixels).save(folder / f"{number}.png")
        lines.append(json.dumps({"file_name": f"{number}.png", "text": f"a {name} square", "name": name}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder


def pretrain(
    deck: str, out: Path, pictures: Path, *settings: str, ranks: int = 1, check: bool = True
) -> subprocess.CompletedProcess[str]:
    words = [SCOREACT, "pretrain", str(DECKS / f"{deck}.toml"), "--out", str(out)]
    for setting in [f"data.path={pictures}", *SMALL, *NETWORKS[deck], *settings]:
        words += ["--set", setting]
    if ranks > 1:
        words = ["mpirun", "-n", str(ranks), *words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def bits(run: Path) -> dict[str, bytes]:
    """Metrics except times, weights and grids."""
    with h5py.File(run / "run.h5") as file:
        content = {name: item[:].tobytes() for name, item in file["metrics"].items() if "time" not in name}
    files = [*(run / "model").glob("*.safetensors"), *(run / "images").glob("*.png")]
    return content | {path.name: path.read_bytes() for path in files}


@pytest.mark.parametrize("deck", ["vae", "reward"])
def test_two_ranks_give_the_bits_of_one(tmp_path: Path, pictures: Path, deck: str) -> None:
    for ranks in (1, 2):
        pretrain(deck, tmp_path / str(ranks), pictures, ranks=ranks)
    one, two = bits(tmp_path / "1"), bits(tmp_path / "2")
    assert len(one) > 5
    assert {name for name in one if one[name] != two[name]} == set()


def test_an_autoencoder_and_then_its_decoder(tmp_path: Path, pictures: Path) -> None:
    pretrain("vae", tmp_path / "vae", pictures)
    config = json.loads((tmp_path / "vae/model/config.json").read_text())
    with h5py.File(tmp_path / "vae/run.h5") as run:
        assert config["scaling_factor"] * run["metrics/latent_std"][-1] == pytest.approx(1, rel=1e-6)
        assert run.attrs["psnr"] == run["metrics/psnr"][-1] > 0
        assert run["metrics/loss"][-1] < run["metrics/loss"][0]
    with Image.open(next((tmp_path / "vae/images").glob("*.png"))) as grid:
        assert grid.size[0] > 16 * 32
    pretrain("vae_decoder", tmp_path / "decoder", pictures, f"network.vae={tmp_path}/vae/model")
    before, after = (
        weights(tmp_path / run / "model/diffusion_pytorch_model.safetensors") for run in ("vae", "decoder")
    )
    assert before.keys() == after.keys()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {name for name in before if name.startswith(("decoder.", "post_quant_conv."))}
    assert json.loads((tmp_path / "decoder/model/config.json").read_text()) == config


def weights(path: Path) -> dict[str, bytes]:
    """Each tensor's bytes in a safetensors file."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    return {name: content[slice(*(start + offset for offset in t["data_offsets"]))] for name, t in header.items()}


def test_the_towers_are_a_reward(tmp_path: Path, pictures: Path) -> None:
    pretrain("reward", tmp_path / "reward", pictures)
    model = tmp_path / "reward" / "model"
    assert {path.name for path in model.iterdir()} == {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "vocab.json",
        "merges.txt",
        "special_tokens_map.json",
        "tokenizer_config.json",
    }
    with h5py.File(tmp_path / "reward/run.h5") as run:
        assert 0 <= run["metrics/name_top1"][-1] <= 1


def test_towers_go_on_from_trained_ones(tmp_path: Path, pictures: Path) -> None:
    pretrain("reward", tmp_path / "first", pictures)
    start = f"network.start={tmp_path}/first/model"
    still = ["pretrain.learning_rate=1e-12", "pretrain.weight_decay=0", "pretrain.ema_decay=0"]
    other_shape = ["network.vision_hidden=32", "network.vocab_size=600"]  # that of the folder holds
    pretrain("reward", tmp_path / "still", pictures, start, *still, *other_shape)
    pretrain("reward", tmp_path / "on", pictures, start)
    first, same, moved = (read_safetensors(tmp_path / name / "model" / "model.safetensors") for name in ("first", "still", "on"))
    assert first.keys() == same.keys() == moved.keys()
    assert all(np.allclose(same[name], first[name], rtol=0, atol=1e-9) for name in first)
    assert any(np.abs(moved[name] - first[name]).max() > 1e-4 for name in first)
    for name in ("vocab.json", "merges.txt"):
        assert (tmp_path / "on" / "model" / name).read_bytes() == (tmp_path / "first" / "model" / name).read_bytes()
    refused = pretrain("vae", tmp_path / "vae", pictures, start, check=False)
    assert refused.returncode == 65 and "network.start" in refused.stderr


def test_bad_lines_are_refused_or_skipped(tmp_path: Path, pictures: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for path in pictures.glob("*.png"):
        (folder / path.name).symlink_to(path)
    lines = (pictures / "metadata.jsonl").read_text().splitlines()
    (folder / "metadata.jsonl").write_text("\n".join([*lines[:5], '{"file_name": "5.png"}', *lines[6:]]))
    done = pretrain("vae", tmp_path / "refused", folder, check=False)
    assert done.returncode == 65
    assert "metadata.jsonl:6: " in done.stderr and '"text"' in done.stderr
    done = pretrain("vae", tmp_path / "skipped", folder, "data.on_bad_item=skip")
    assert "1 bad lines or pictures skipped, 47 left" in done.stderr
