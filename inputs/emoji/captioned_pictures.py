"""Pictures, and what each is to show: read from a folder that prepare.py made, or drawn for a list of prompts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from augmentation import BACKGROUNDS
from concepts import OBJECTS, with_article
from numpy.typing import NDArray
from PIL import Image

GROUND_NAMED = re.compile(rf" on (?:an? )?({'|'.join(BACKGROUNDS)})(?: background)?$")


@dataclass(frozen=True)
class Subject:
    """What a picture is to show."""

    name: str
    ground: str

    @property
    def caption(self) -> str:
        """The one form of caption that figures are measured with."""
        name = with_article(self.name)
        return name if self.ground == "white" else f"{name} on {with_article(f'{self.ground} background')}"


@dataclass(frozen=True)
class Pictures:
    """Pixels [n, height, width, 3] and the n subjects."""

    pixels: NDArray[np.uint8]
    subjects: list[Subject]

    def of(self, chosen: Iterable[bool]) -> Pictures:
        """Those that are chosen."""
        rows = np.flatnonzero(list(chosen))
        return Pictures(self.pixels[rows], [self.subjects[row] for row in rows])


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def number_of_pictures(folder: Path) -> int:
    return len(lines_of(folder / "metadata.jsonl"))


def read_pictures(folder: Path, rows: Iterable[int]) -> Pictures:
    """The pictures of some lines of metadata.jsonl; the ground is the one that the caption names, else white."""
    lines = lines_of(folder / "metadata.jsonl")
    pixels: list[NDArray[np.uint8]] = []
    subjects: list[Subject] = []
    for row in rows:
        line = json.loads(lines[row])
        with Image.open(folder / line["file_name"]) as image:
            pixels.append(np.asarray(image.convert("RGB"), dtype=np.uint8))
        named = GROUND_NAMED.search(line["text"])
        subjects.append(Subject(line["name"], named[1] if named else "white"))
    return Pictures(np.stack(pixels), subjects)


def is_recoloured(name: str, names: list[str]) -> bool:
    """Whether it is an object in another colour ("green star") and no emoji of that name."""
    colour, _, thing = name.partition(" ")
    return name not in names and thing in OBJECTS and colour != ""


def candidates(name: str, names: list[str]) -> list[str]:
    """The names among which a picture of `name` is to be told; an object in another colour stands for its emoji."""
    if name in names:
        return names
    emoji = OBJECTS[name.partition(" ")[2]].emoji
    return [name if other == emoji else other for other in names]
