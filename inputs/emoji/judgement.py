"""What a judge, a CLIP of two towers, makes of pictures: the nearest caption, the ground, the colour."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from augmentation import BACKGROUNDS
from byte_pair_tokens import Tokenizer
from captioned_pictures import Pictures, Subject, candidates, is_recoloured
from concepts import COLOURS
from numpy.typing import NDArray
from PIL import Image
from program import Array, Program

PICTURES_AT_ONCE = 512
CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073])  # of OpenAI's code and of scoreact
CLIP_STD = np.array([0.26862954, 0.26130258, 0.27577711])


def unit_rows(rows: Array) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    return np.asarray(wide / np.linalg.norm(wide, axis=1, keepdims=True))


class Judge:
    """Embeddings of norm 1 of captions and pictures by the CLIP in a folder."""

    def __init__(self, program: Program, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._tokenizer = Tokenizer(folder)
        config = json.loads((folder / "config.json").read_text())
        self._positions: int = config["text_config"]["max_position_embeddings"]
        self._size: int = config["vision_config"]["image_size"]
        self._texts: dict[str, NDArray[np.float64]] = {}

    def texts(self, captions: list[str]) -> NDArray[np.float64]:
        """[n, width]. Each caption is embedded once."""
        new = [caption for caption in dict.fromkeys(captions) if caption not in self._texts]
        if new:
            ids = np.array([self._tokenizer.encode(caption, self._positions) for caption in new], dtype=np.int64)
            found = self._program.forward(self._folder, {"input_ids": ids})["text_embeds"]
            self._texts |= dict(zip(new, unit_rows(found), strict=True))
        return np.stack([self._texts[caption] for caption in captions])

    def pictures(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """[n, width] of pictures [n, height, width, 3] of the size that the judge takes."""
        if pixels.shape[1:3] != (self._size, self._size):
            height, width = pixels.shape[1:3]
            sys.exit(f"examine.py: {self._folder} judges pictures of {self._size} pixels; found {height} x {width}")
        parts = []
        for start in range(0, len(pixels), PICTURES_AT_ONCE):
            values = (pixels[start : start + PICTURES_AT_ONCE] / 255 - CLIP_MEAN) / CLIP_STD
            inputs = np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)
            parts.append(unit_rows(self._program.forward(self._folder, {"pixel_values": inputs})["image_embeds"]))
        return np.concatenate(parts)


@dataclass(frozen=True)
class Share:
    """A share of pictures, and its standard error over what they are to show."""

    value: float
    error: float


def share_of(hits: NDArray[np.bool_], names: list[str]) -> Share:
    """Pictures of one name succeed and fail together, so that names count as independent, not pictures."""
    value = float(hits.mean())
    sums: dict[str, float] = {}
    for hit, name in zip(hits, names, strict=True):
        sums[name] = sums.get(name, 0.0) + float(hit) - value
    return Share(value, float(np.sqrt(sum(one**2 for one in sums.values()))) / len(names))


def places(scores: NDArray[np.float64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """[n] how many of the scores [n, candidates] of a row are above that of its own candidate: 0 is the best."""
    return np.asarray(np.sum(scores > np.take_along_axis(scores, own[:, None], axis=1), axis=1))


def grounds_of(pixels: NDArray[np.uint8]) -> list[str]:
    """The ground of each picture [n, height, width, 3]: the one that its four corner pixels are nearest to, by the sum
    of the distances, so that an emoji that reaches into a corner changes nothing."""
    corners = pixels[:, [0, 0, -1, -1], [0, -1, 0, -1]].astype(np.float64)  # [n, 4, 3]
    colours = np.array(list(BACKGROUNDS.values()), dtype=np.float64)
    distance = np.linalg.norm(corners[:, :, None] - colours, axis=-1).sum(axis=1)
    names = list(BACKGROUNDS)
    return [names[number] for number in np.argmin(distance, axis=1)]


def jpeg_bytes(pixels: NDArray[np.uint8]) -> float:
    """Mean size of the pictures as JPEG files of quality 95, headers included."""
    sizes = []
    for one in pixels:
        file = io.BytesIO()
        Image.fromarray(one).save(file, "JPEG", quality=95)
        sizes.append(file.tell())
    return float(np.mean(sizes))


@dataclass(frozen=True)
class Judgement:
    """Figures of a set of pictures."""

    count: int
    own: float  # mean cosine with the caption
    others: float  # mean cosine with the captions of all other names
    top1: Share
    top5: Share
    ground: Share
    colour: Share | None  # of objects in another colour
    jpeg: float


def judged(pictures: Pictures, judge: Judge, names: list[str]) -> Judgement:
    """Among captions of the same form and ground: of all names, and for a recoloured object of its colours."""
    subjects = pictures.subjects
    shown = [subject.name for subject in subjects]
    embedded = judge.pictures(pictures.pixels)

    def scores_among(choices: list[list[str]]) -> NDArray[np.float64]:
        """[n, choices] cosines of each picture with the captions of its choices of names."""
        captions = [
            [Subject(name, subject.ground).caption for name in choice]
            for choice, subject in zip(choices, subjects, strict=True)
        ]
        judge.texts([caption for row in captions for caption in row])  # in one call
        return np.stack([judge.texts(row) @ one for row, one in zip(captions, embedded, strict=True)])

    choices = [candidates(name, names) for name in shown]
    scores = scores_among(choices)
    own = np.array([choice.index(name) for choice, name in zip(choices, shown, strict=True)])
    cosine = np.take_along_axis(scores, own[:, None], axis=1)[:, 0]
    place = places(scores, own)
    grounds = zip(grounds_of(pictures.pixels), subjects, strict=True)
    right_colour = None
    if all(is_recoloured(name, names) for name in shown):
        things = [name.partition(" ") for name in shown]
        scores_of_colours = scores_among([[f"{colour} {thing}" for colour in COLOURS] for _, _, thing in things])
        colours = np.array([list(COLOURS).index(colour) for colour, _, _ in things])
        right_colour = share_of(places(scores_of_colours, colours) == 0, shown)
    return Judgement(
        count=len(subjects),
        own=float(cosine.mean()),
        others=float(((scores.sum(axis=1) - cosine) / (len(names) - 1)).mean()),
        top1=share_of(place < 1, shown),
        top5=share_of(place < 5, shown),
        ground=share_of(np.array([found == subject.ground for found, subject in grounds]), shown),
        colour=right_colour,
        jpeg=jpeg_bytes(pictures.pixels),
    )
