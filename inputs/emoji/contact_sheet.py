"""Groups of small pictures on one page, each group under a title, for looking at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

SCALE = 3
GAP, MARGIN, LINE = 3, 14, 15  # pixels between pictures, between groups, of a line of a title
PAGE = 235  # gray level, so that white pictures show
DPI = 64  # a power of two: pixels / DPI * DPI are the same pixels again


@dataclass(frozen=True)
class Group:
    """Pictures [n, height, width, 3] side by side; lines of the title parted by line ends."""

    title: str
    pixels: NDArray[np.uint8]


def enlarged(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each pixel as SCALE x SCALE."""
    return picture.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def write_sheet(path: Path, groups: list[Group], columns: int) -> None:
    """All groups as one PNG, `columns` groups in a row; they have pictures of one size, and as many."""
    count, height, width, _ = groups[0].pixels.shape
    top = MARGIN // 2 + LINE * (1 + max(group.title.count("\n") for group in groups))
    cell = (top + SCALE * height + MARGIN // 2, count * (SCALE * width + GAP) - GAP + MARGIN)
    rows = -(-len(groups) // columns)
    page = np.full((rows * cell[0], columns * cell[1], 3), PAGE, dtype=np.uint8)
    figure = Figure(figsize=(page.shape[1] / DPI, page.shape[0] / DPI), dpi=DPI)
    for number, group in enumerate(groups):
        y, x = (number // columns) * cell[0], (number % columns) * cell[1] + MARGIN // 2
        for place, picture in enumerate(group.pixels):
            left = x + place * (SCALE * width + GAP)
            page[y + top : y + top + SCALE * height, left : left + SCALE * width] = enlarged(picture)
        place_of_title = (x / page.shape[1], 1 - (y + top - 3) / page.shape[0])
        size = 11 * 72 / DPI  # 11 pixels
        figure.text(*place_of_title, group.title, fontsize=size, va="bottom", ha="left", linespacing=1.1)
    figure.figimage(page)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="png", dpi=DPI)
