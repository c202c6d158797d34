"""inputs/emoji/prepare.py on pictures that are drawn here: the package of emoji need not be installed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

ROOT = Path(os.environ["SCOREACT_SOURCE_DIR"])
sys.path.insert(0, str(ROOT / "inputs" / "emoji"))

from augmentation import BACKGROUNDS  # noqa: E402
from concepts import COLOURS, OBJECTS, held_out_pairs, with_article  # noqa: E402

NAMES = """# subgroup: face-smiling
1F600                                      ; fully-qualified     # x E1.0 grinning face
263A                                       ; unqualified         # x E0.6 smiling face
# subgroup: emotion
2764 FE0F                                  ; fully-qualified     # x E0.6 red heart
1F4A3                                      ; fully-qualified     # x E0.6 bomb
# subgroup: sky & weather
2B50                                       ; fully-qualified     # x E0.6 star
26C8 FE0F                                  ; fully-qualified     # x E0.7 cloud with lightning and rain
"""
PICTURES = {"1f600": "gold", "2764": "red", "2b50": "orange", "1f4a3": "black", "263a": "pink"}  # no thunder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    (folder / "emoji-test.txt").write_text(NAMES)
    for codes, colour in PICTURES.items():
        image = Image.new("RGBA", (72, 72))
        ImageDraw.Draw(image).ellipse((8, 8, 63, 40), fill=colour)  # the corners stay transparent
        image.save(folder / f"emoji_u{codes}.png")
    return folder


def prepare(source: Path, out: Path, *words: str, count: int = 30) -> subprocess.CompletedProcess[str]:
    script = ROOT / "inputs" / "emoji" / "prepare.py"
    place = ["--pictures", str(source), "--names", str(source / "emoji-test.txt")]
    counts = ["--count", str(count), "--recoloured", "6"]
    return subprocess.run(
        [sys.executable, str(script), str(out), *place, *counts, *words], capture_output=True, text=True, check=False
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def lines(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def folder(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    out = tmp_path_factory.mktemp("out") / "data"
    done = prepare(source, out)
    assert done.returncode == 0, done.stderr
    yield out


def test_chosen_emoji_with_a_picture_come_in_their_colours(folder: Path) -> None:
    names = [line["name"] for line in lines(folder)]
    assert (folder / "names.txt").read_text().split("\n") == ["grinning face", "red heart", "star", ""]
    assert names.count("grinning face") == names.count("red heart") + names.count("star") - 36 == 30
    coloured = {f"{colour} {word}" for colour in COLOURS for word in ("heart", "star")}
    held_out = set((folder / "held_out.txt").read_text().splitlines())
    assert len(held_out) == 42
    assert coloured & held_out == coloured - set(names) != set()
    assert not any(pair in line["text"] for pair in held_out for line in lines(folder))


def test_a_caption_names_the_background_that_the_picture_has(folder: Path) -> None:
    named = 0
    for line in lines(folder):
        with Image.open(folder / line["file_name"]) as image:
            assert image.size == (32, 32)
            corner = image.convert("RGB").getpixel((0, 31))
        background = next(name for name, colour in BACKGROUNDS.items() if colour == corner)
        assert background == "white" or line["text"].endswith((f" on {background}", f"{background} background"))
        named += background != "white"
    assert 0.4 < named / len(lines(folder)) < 0.7


def test_the_same_options_give_the_same_bytes_and_another_seed_does_not(
    source: Path, folder: Path, tmp_path: Path
) -> None:
    assert prepare(source, tmp_path / "again").returncode == 0
    assert files(tmp_path / "again") == files(folder)
    assert prepare(source, tmp_path / "other", "--seed", "1").returncode == 0
    assert files(tmp_path / "other") != files(folder)


def test_the_splits_share_no_picture(source: Path, folder: Path, tmp_path: Path) -> None:
    assert prepare(source, tmp_path / "second", "--split", "second", "--seed", "1", count=60).returncode == 0
    first, second = ([data for name, data in files(f).items() if name.endswith(".png")] for f in (folder, tmp_path))
    assert len(set(first)) > 0.5 * len(first)  # these emoji are their own mirror images: some pictures come twice
    assert not set(first) & set(second)


def test_what_is_wrong_is_said(source: Path, folder: Path, tmp_path: Path) -> None:
    done = prepare(source, folder)
    assert done.returncode == 2 and "expected a new or empty folder" in done.stderr
    done = prepare(source, tmp_path / "many", count=1000)
    assert done.returncode == 2 and "different pictures of 32 pixels; asked for more" in done.stderr
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "emoji-test.txt").write_text(NAMES)
    done = prepare(tmp_path / "empty", tmp_path / "out")
    assert done.returncode == 1 and "no emoji_u*.png" in done.stderr
    done = subprocess.run(
        [sys.executable, str(ROOT / "inputs/emoji/prepare.py"), str(tmp_path / "x"), "--package", "no-such-package"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "prepare.py: " in done.stderr


def test_held_out_pairs_are_none_that_an_emoji_shows() -> None:
    pairs = held_out_pairs({"green apple", "red heart", "blue heart"})
    assert len(set(pairs)) == len(pairs) == 42
    assert {word for _, word in pairs} == set(OBJECTS)
    assert ("green", "apple") not in pairs and ("blue", "heart") not in pairs
    assert all(colour not in OBJECTS[word].own.split() for colour, word in pairs)


@pytest.mark.parametrize(
    "name",
    ["a fox", "an owl", "an umbrella", "a unicorn", "a ewe", "grapes", "a face with tears of joy", "bread", "a cactus"],
)
def test_articles(name: str) -> None:
    assert with_article(name.removeprefix("an ").removeprefix("a ")) == name
