"""Image grids of a run, drawn each time with the same noise and prompts so that change shows (paper, Figure 8)."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image
import numpy as np
from numpy.typing import NDArray

from scoreact_analysis.errors import bad_data
from scoreact_analysis.hdf5 import first_line

MAX_WIDTH = 1024  # pixels; larger grids are averaged down so that a page stays small enough to mail


@dataclass(frozen=True)
class Grid:
    """One image grid, ready for a page."""

    epoch: int
    data_uri: str
    width: int
    height: int

    @property
    def pixelated(self) -> bool:
        """Whether its pixels should stay sharp squares when enlarged (tiny images such as the digits)."""
        return self.width < 800


def pixels(path: Path) -> NDArray[np.float32]:
    """A PNG as [height, width, 3], values in [0, 1]."""
    try:
        image = np.asarray(matplotlib.image.imread(path), dtype=np.float32)
    except (OSError, SyntaxError, ValueError) as error:
        raise bad_data(f"{path}: not a readable PNG ({first_line(error)})") from error
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    return image[:, :, :3]


def averaged_down(image: NDArray[np.float32], max_width: int) -> NDArray[np.float32]:
    """The image with blocks of whole pixels averaged until it is at most `max_width` wide."""
    factor = -(-image.shape[1] // max_width)
    if factor <= 1:
        return image
    height, width = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: height * factor, : width * factor].reshape(height, factor, width, factor, 3)
    return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)


def grid(epoch: int, path: Path) -> Grid:
    """Read one grid; small ones are embedded byte by byte."""
    image = pixels(path)
    if image.shape[1] <= MAX_WIDTH:
        data = path.read_bytes()
    else:
        image = averaged_down(image, MAX_WIDTH)
        buffer = io.BytesIO()
        matplotlib.image.imsave(buffer, np.clip(image, 0, 1), format="png")
        data = buffer.getvalue()
    uri = "data:image/png;base64," + base64.b64encode(data).decode("ascii")
    return Grid(epoch, uri, image.shape[1], image.shape[0])


def chosen(files: list[tuple[int, Path]], count: int = 6) -> list[tuple[int, Path]]:
    """The first, the last and evenly spaced ones between, at most `count`."""
    if len(files) <= count:
        return files
    rows = sorted({int(r) for r in np.linspace(0, len(files) - 1, count).round()})
    return [files[row] for row in rows]
