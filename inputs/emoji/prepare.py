#!/usr/bin/env python3
"""Makes a folder of captioned pictures from Noto emoji: pictures and metadata.jsonl (the `imagefolder` convention).

    .venv/bin/python inputs/emoji/prepare.py FOLDER [--split second] [--seed 1] ...

The emoji are those of the Debian package ruby-tanuki-emoji (apt-get install ruby-tanuki-emoji). A line of
metadata.jsonl has `file_name` and `text` (the caption), and beside them `name`: what the picture shows, in one form.
held_out.txt lists the pairs of colour and object that no picture shows, names.txt all names. The same options give the
same bytes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from augmentation import SPLITS, Look, draw_look, drawn, number_of_looks, recoloured
from concepts import COLOURS, OBJECTS, Emoji, held_out_pairs, read_emoji, with_article
from PIL import Image

PACKAGE = "ruby-tanuki-emoji"
CATEGORY_ALONE = 0.10  # share of captions that name the category only
WHITE_NAMED = 0.10  # share of captions that name the white background
PICTURES_A_FOLDER = 1000


@dataclass(frozen=True)
class Source:
    """Where emoji-test.txt and the folder of pictures lie."""

    names: Path
    pictures: Path


@dataclass(frozen=True)
class Subject:
    """What several pictures show: an emoji, or one in another colour."""

    name: str
    emoji: Emoji
    image: Image.Image


def of_package(package: str) -> Source:
    """Asks dpkg for the files of an installed package."""
    if shutil.which("dpkg-query") is None:
        sys.exit("prepare.py: no dpkg here; give the emoji's place with --pictures and --names")
    listing = subprocess.run(["dpkg-query", "-L", package], capture_output=True, text=True, check=False)
    paths = [Path(line) for line in listing.stdout.splitlines()]
    names = [path for path in paths if path.name == "emoji-test.txt"]
    pictures = [path.parent for path in paths if path.name == "emoji_u1f600.png"]
    if not names or not pictures:
        sys.exit(f"prepare.py: expected emoji in the Debian package {package}: apt-get install {package}")
    return Source(names[0], pictures[0])


def loaded(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGBA")


def subjects(emoji: list[Emoji]) -> Iterator[Subject]:
    """Every emoji, then every object in every colour that is not held out."""
    for one in emoji:
        yield Subject(one.name, one, loaded(one.picture))
    by_name = {one.name: one for one in emoji}
    held_out = held_out_pairs(set(by_name))
    for word, thing in OBJECTS.items():
        if thing.emoji not in by_name:
            continue
        one = by_name[thing.emoji]
        image = loaded(one.picture)
        for colour, hue in COLOURS.items():
            if (colour, word) not in held_out:
                yield Subject(f"{colour} {word}", one, recoloured(image, hue))


def caption(random: Random, subject: Subject, look: Look) -> str:
    """One of several ways to say what the picture shows."""
    name = with_article(subject.name)
    form = random.random()
    if form < CATEGORY_ALONE:
        text = with_article(subject.emoji.category)
    elif form < 0.60:
        text = name
    elif form < 0.75:
        text = f"a picture of {name}"
    elif form < 0.88:
        text = subject.name
    else:
        text = f"{name}, {subject.emoji.category}"
    named = random.random()
    if look.background == "white" and named >= WHITE_NAMED:
        return text
    ground = look.background if random.random() < 0.5 else with_article(f"{look.background} background")
    return f"{text} on {ground}"


def looks(random: Random, count: int, size: int, mirrored: bool, split: str) -> list[Look]:
    """`count` different looks."""
    found: dict[Look, None] = {}
    while len(found) < count:
        found.setdefault(draw_look(random, size, mirrored, split))
    return list(found)


def write_pictures(out: Path, emoji: list[Emoji], options: argparse.Namespace) -> int:
    """Pictures and metadata.jsonl; returns the number of pictures."""
    lines: list[str] = []
    number_of_emoji = len(emoji)
    for number, subject in enumerate(subjects(emoji)):
        random = Random(f"{options.seed}/{options.split}/{subject.name}")
        count = options.count if number < number_of_emoji else options.recoloured
        for look in looks(random, count, options.size, subject.emoji.mirrored, options.split):
            folder, file = divmod(len(lines), PICTURES_A_FOLDER)
            name = f"{folder:03d}/{file:03d}.png"
            (out / name).parent.mkdir(exist_ok=True)
            Image.fromarray(drawn(subject.image, look, options.size)).save(out / name)
            line = {"file_name": name, "text": caption(random, subject, look), "name": subject.name}
            lines.append(json.dumps(line))
    (out / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)


def at_least_one(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, found {value}")
    return value


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Makes a folder of captioned pictures from Noto emoji.")
    parser.add_argument("out", type=Path, help="folder to write; must not exist or be empty")
    parser.add_argument("--size", type=at_least_one, default=32, help="edge of a picture in pixels (default: 32)")
    parser.add_argument("--count", type=at_least_one, default=80, help="pictures of an emoji (default: 80)")
    parser.add_argument(
        "--recoloured", type=int, default=36, help="pictures of an object in another colour (default: 36)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random choices (default: 0)")
    parser.add_argument(
        "--split", choices=SPLITS, default=SPLITS[0], help="first and second share no picture (default: first)"
    )
    parser.add_argument("--names-only", type=at_least_one, metavar="N", help="the first N emoji only, for a trial")
    parser.add_argument("--package", default=PACKAGE, help=f"Debian package of the emoji (default: {PACKAGE})")
    parser.add_argument("--pictures", type=Path, help="folder of emoji_u*.png instead of the package's")
    parser.add_argument("--names", type=Path, help="emoji-test.txt instead of the package's")
    options = parser.parse_args()
    if (options.pictures is None) != (options.names is None):
        parser.error("--pictures and --names go together")
    most = number_of_looks(options.size, options.split)
    if max(options.count, options.recoloured) > most:
        parser.error(f"an emoji has {most} different pictures of {options.size} pixels; asked for more")
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        parser.error(f"{options.out}: expected a new or empty folder")
    return options


def main() -> None:
    options = parsed()
    source = Source(options.names, options.pictures) if options.names else of_package(options.package)
    emoji = read_emoji(source.names, source.pictures)
    if not emoji:
        sys.exit(f"prepare.py: {source.pictures}: no emoji_u*.png of the emoji that {source.names} names")
    held_out = held_out_pairs({one.name for one in emoji})
    emoji = emoji[: options.names_only]
    options.out.mkdir(parents=True, exist_ok=True)
    count = write_pictures(options.out, emoji, options)
    (options.out / "names.txt").write_text("".join(f"{one.name}\n" for one in emoji), encoding="utf-8")
    (options.out / "held_out.txt").write_text("".join(f"{colour} {thing}\n" for colour, thing in held_out))
    print(f"{options.out}: {count} pictures of {len(emoji)} emoji, {len(held_out)} pairs of colour and object held out")


if __name__ == "__main__":
    main()
