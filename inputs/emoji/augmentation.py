"""Pictures of one emoji: size, place, mirror image, background, colour.

What a picture shows is a `Look`. Every look belongs to one of two splits, so that a judge can be trained on pictures
that the model has not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BACKGROUNDS = {
    "white": (255, 255, 255),
    "black": (25, 25, 25),
    "gray": (150, 150, 150),
    "red": (215, 55, 50),
    "orange": (245, 145, 45),
    "yellow": (250, 220, 80),
    "green": (70, 165, 85),
    "blue": (65, 120, 215),
    "purple": (135, 80, 180),
    "pink": (245, 165, 200),
}
WHITE_SHARE = 0.45  # the prototype's
SPLITS = ("first", "second")


@dataclass(frozen=True)
class Look:
    """Edge of the emoji in pixels, its upper left corner, mirrored or not, background."""

    edge: int
    left: int
    top: int
    mirrored: bool
    background: str

    @property
    def split(self) -> str:
        """The mirror image belongs to the same one: of a symmetric emoji it is the same picture."""
        number = self.edge + self.left + self.top + list(BACKGROUNDS).index(self.background)
        return SPLITS[number % 2]


def below(random: Random, bound: int) -> int:
    """0 .. bound - 1. From random() alone, whose numbers Python promises to keep for a seed."""
    return int(random.random() * bound)


def smallest_edge(size: int) -> int:
    return size * 7 // 8


def number_of_looks(size: int, split: str) -> int:
    """How many looks of an emoji without mirror image the split has."""
    edges = range(smallest_edge(size), size + 1)
    places = [(edge, x, y) for edge in edges for x in range(size - edge + 1) for y in range(size - edge + 1)]
    return sum(Look(*place, False, background).split == split for place in places for background in BACKGROUNDS)


def draw_look(random: Random, size: int, mirrored: bool, split: str) -> Look:
    """A look of the split; `mirrored`: mirror images are allowed."""
    others = [name for name in BACKGROUNDS if name != "white"]
    while True:
        edge = smallest_edge(size) + below(random, size - smallest_edge(size) + 1)
        left, top = below(random, size - edge + 1), below(random, size - edge + 1)
        mirror = random.random() < 0.5 and mirrored
        white = random.random() < WHITE_SHARE
        look = Look(edge, left, top, mirror, "white" if white else others[below(random, len(others))])
        if look.split == split:
            return look


def recoloured(emoji: Image.Image, hue: float) -> Image.Image:
    """The emoji with its hues turned so that the strongest becomes `hue` (degrees)."""
    alpha = emoji.getchannel("A")
    turned = np.array(emoji.convert("RGB").convert("HSV"), dtype=np.int64)
    weight = turned[..., 1] * turned[..., 2] * np.array(alpha, dtype=np.int64)
    strongest = np.bincount(turned[..., 0].ravel(), weights=weight.ravel(), minlength=256)
    around = sum(np.roll(strongest, shift) for shift in range(-8, 9))  # hues of one surface differ a little
    turned[..., 0] = (turned[..., 0] + round(hue * 256 / 360) - int(np.argmax(around))) % 256
    channels = [Image.fromarray(turned[..., i].astype(np.uint8)) for i in range(3)]
    rgb = Image.merge("HSV", channels).convert("RGB")
    rgb.putalpha(alpha)
    return rgb


def drawn(emoji: Image.Image, look: Look, size: int) -> NDArray[np.uint8]:
    """The picture [size, size, 3]: the emoji (RGBA) on the background."""
    small = emoji.resize((look.edge, look.edge), Image.Resampling.BICUBIC)
    if look.mirrored:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    picture = Image.new("RGB", (size, size), BACKGROUNDS[look.background])
    picture.paste(small, (look.left, look.top), small)
    return np.array(picture, dtype=np.uint8)
