"""inputs/emoji/examine.py: its parts against known answers, and all of it on models with random weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(os.environ["SCOREACT_SOURCE_DIR"])
SCOREACT = os.environ["SCOREACT"]
sys.path.insert(0, str(ROOT / "inputs" / "emoji"))

from augmentation import BACKGROUNDS  # noqa: E402
from byte_pair_tokens import Tokenizer  # noqa: E402
from captioned_pictures import Subject, candidates, read_pictures  # noqa: E402
from contact_sheet import SCALE, Group, enlarged, write_sheet  # noqa: E402
from held_out_split import philox, split_rows  # noqa: E402
from judgement import grounds_of, places, share_of  # noqa: E402
from nearest import nearest  # noqa: E402
from program import read_tensors, write_tensors  # noqa: E402

DATA = ROOT / "tests" / "data"
NAMES = ["star", "red heart", "fish"]


def run(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_folder(folder: Path, size: int, count: int) -> NDArray[np.uint8]:
    """`count` squares of different colours, on white and coloured grounds in turn; every third has another colour."""
    folder.mkdir()
    lines, pixels = [], []
    grounds = list(BACKGROUNDS)
    for number in range(count):
        name = "green star" if number % 3 == 2 else NAMES[number % 2]
        ground = grounds[number % 10] if number % 4 > 1 else "white"
        picture = np.full((size, size, 3), BACKGROUNDS[ground], np.uint8)
        picture[4:-4, 6:-6] = [number * 5, 255 - number * 5, number]
        Image.fromarray(picture).save(folder / f"{number}.png")
        text = f"a {name}" if ground == "white" else f"a {name} on {ground}"
        lines.append(json.dumps({"file_name": f"{number}.png", "text": text, "name": name}))
        pixels.append(picture)
    (folder / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    (folder / "held_out.txt").write_text("blue star\npurple crab\n")  # no crab among the names
    return np.stack(pixels)


def test_tokens_are_those_of_clip() -> None:
    tokenizer = Tokenizer(DATA / "clip_tokenizer")
    cases = json.loads((DATA / "tokenizer_cases.json").read_text())
    plain = [case for case in cases if "<|" not in case["text"]]  # no special token inside the text
    assert len(plain) > 70
    for case in plain:
        assert tokenizer.ids(case["text"]) == case["clip"], case["text"]
        assert tokenizer.encode(case["text"], 77) == case["clip_77"], case["text"]


def test_random_numbers_are_those_published_with_philox() -> None:
    zeros = np.zeros(1, dtype=np.uint64)
    assert [int(word[0]) for word in philox([zeros] * 4, (0, 0))] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    ones = zeros + np.uint64(0xFFFFFFFF)
    found = [int(word[0]) for word in philox([ones] * 4, (0xFFFFFFFF, 0xFFFFFFFF))]
    assert found == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def test_held_out_pictures_are_those_that_pretraining_shows(tmp_path: Path) -> None:
    """The first row of an autoencoder's grid is held-out pictures."""
    write_folder(tmp_path / "data", 16, 40)
    settings = {
        "data.path": tmp_path / "data",
        "data.height": 16,
        "data.width": 16,
        "data.test_fraction": 0.4,
        "network.block_out_channels": "[8]",
        "network.norm_num_groups": 4,
        "pretrain.iterations": 1,
        "pretrain.batch_size": 4,
        "pretrain.micro_batch_size": 4,
        "pretrain.sample_freq": 1,
    }
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    run(SCOREACT, "pretrain", ROOT / "inputs/emoji/vae.toml", "--out", tmp_path / "run", *words)
    with Image.open(next((tmp_path / "run/images").glob("*.png"))) as image:
        grid = np.asarray(image.convert("RGB"))
    training, held_out = split_rows(40, 0.4)
    assert sorted([*training, *held_out]) == list(range(40))
    expected = read_pictures(tmp_path / "data", held_out).pixels
    scale = grid.shape[1] // (16 * 16)
    step = (grid.shape[1] - 16 * 16 * scale) // 15 + 16 * scale  # a gap between pictures
    assert len(expected) == 16
    for number, picture in enumerate(expected):
        found = grid[: 16 * scale : scale, number * step : number * step + 16 * scale : scale]
        assert (found == picture).all(), number


def test_a_caption_names_the_ground_and_its_rivals_have_the_same() -> None:
    assert Subject("octopus", "white").caption == "an octopus"
    assert Subject("green star", "orange").caption == "a green star on an orange background"
    assert candidates("star", NAMES) == NAMES
    assert candidates("green star", NAMES) == ["green star", "red heart", "fish"]


def test_places_and_shares() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.25], [0.7, 0.1, 0.2]])
    assert places(scores, np.array([1, 1, 2])).tolist() == [0, 2, 1]
    alone = share_of(np.array([True, False, True, True]), ["a", "b", "c", "d"])
    assert alone.value == 0.75
    assert alone.error == pytest.approx((0.75 * 0.25 / 4) ** 0.5)
    in_pairs = share_of(np.array([True, True, False, False]), ["a", "a", "b", "b"])
    assert in_pairs.error == pytest.approx((0.5 * 0.5 / 2) ** 0.5)  # two names, not four pictures


def test_the_ground_is_found_although_a_corner_is_covered() -> None:
    noise = np.random.default_rng(0).integers(-12, 13, (10, 32, 32, 3))
    colours = np.array(list(BACKGROUNDS.values()))[:, None, None]
    pictures = np.clip(colours + noise, 0, 255).astype(np.uint8)
    pictures[:, :6, :6] = [230, 60, 60]
    pictures[:, 8:24, 8:24] = 0
    assert grounds_of(pictures) == list(BACKGROUNDS)


def test_the_nearest_picture_and_its_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nearest.ROWS_AT_ONCE", 7)  # more than one part
    random = np.random.default_rng(1)
    training = random.integers(0, 256, (30, 8, 8, 3)).astype(np.uint8)
    pictures = np.concatenate([training[[3, 29]], random.integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)])
    rows, distances = nearest(pictures, training)
    every = np.sqrt(((pictures[:, None] / 255 - training[None] / 255) ** 2).mean(axis=(2, 3, 4)))
    assert rows.tolist() == np.argmin(every, axis=1).tolist()
    assert rows[:2].tolist() == [3, 29]
    assert distances == pytest.approx(every.min(axis=1), abs=1e-12)


def test_a_sheet_shows_every_pixel(tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (3, 2, 5, 7, 3)).astype(np.uint8)
    write_sheet(tmp_path / "sheet.png", [Group(f"group {n}\nof two", one) for n, one in enumerate(pixels)], columns=2)
    with Image.open(tmp_path / "sheet.png") as image:
        page = np.asarray(image.convert("RGB"))
    for picture in pixels.reshape(6, 5, 7, 3):
        places_of_corner = np.argwhere((page == picture[0, 0]).all(axis=2))
        areas = [page[y : y + 5 * SCALE, x : x + 7 * SCALE] for y, x in places_of_corner]
        assert any(np.array_equal(area, enlarged(picture)) for area in areas)


def test_tensors_pass_through_the_format(tmp_path: Path) -> None:
    tensors = {"ids": np.arange(6).reshape(2, 3), "values": np.linspace(0, 1, 5, dtype=np.float32)}
    write_tensors(tmp_path / "x.safetensors", tensors)
    found = read_tensors(tmp_path / "x.safetensors")
    assert {name: one.tolist() for name, one in found.items()} == {name: one.tolist() for name, one in tensors.items()}
    listed = run(SCOREACT, "inspect", tmp_path / "x.safetensors").split()
    assert listed[listed.index("ids") + 1 :][:2] == ["I64", "[2,3]"]
    assert listed[listed.index("values") + 1 :][:2] == ["F32", "[5]"]


def test_a_model_of_random_weights_is_examined(tmp_path: Path) -> None:
    for name in ("tiny-sd", "tiny-clip"):
        run(SCOREACT, "make-fixture", name, "--out", tmp_path / name, "--quiet")
    for name in ("first", "second"):
        write_folder(tmp_path / name, 64, 30)
    (tmp_path / "deck.toml").write_text('[prompts]\nlist = ["a star", "two\u00a0fish"]\n')
    words = {
        "prompts": tmp_path / "deck.toml",
        "program": SCOREACT,
        "model": tmp_path / "tiny-sd",
        "judge": tmp_path / "tiny-clip",
        "data": tmp_path / "second",
        "training": tmp_path / "first",
        "pictures": tmp_path / "images",
        "table": tmp_path / "page.md",
        "held-out": 0.5,
        "samples": 1,
        "steps": 1,
    }
    options = [word for key, value in words.items() for word in (f"--{key}", str(value))]
    script = ROOT / "inputs" / "emoji" / "examine.py"
    run(sys.executable, script, *options)
    text = (tmp_path / "page.md").read_text()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert len(table) == 2 + 11 and {len(row) for row in table} == {10}
    cosines = np.array([[float(cell) for cell in row[2:4]] for row in table[2:]])
    assert (np.abs(cosines) <= 1).all()
    counts = [int(row[1]) for row in table[2:]]
    assert sum(counts[:3]) == 15  # held out; then the same through the autoencoder
    assert counts[:2] == counts[3:5]
    assert counts[5:] == [3, 3, 3, 3, 3, 4]
    grounds = [row[6] for row in table[2:5]]
    assert grounds == ["100.0 ± 0.0"] * 3
    assert "examine.py --prompts" in text and "](images/emoji_grid.png)" in text
    assert {path.name for path in (tmp_path / "images").iterdir()} == {"emoji_grid.png", "emoji_nearest.png"}
