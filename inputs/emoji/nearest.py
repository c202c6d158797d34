"""The nearest training picture of each picture: whether a model draws or copies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROWS_AT_ONCE = 4096  # of the training pictures: 50 MB of 32 x 32 pixels


def root_mean_square(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float64]:
    """[n] differences of pictures [n, ...], pixel values from 0 to 1."""
    difference = (first.astype(np.float64) - second) / 255
    return np.asarray(np.sqrt(np.mean(difference.reshape(len(first), -1) ** 2, axis=1)))


def nearest(pictures: NDArray[np.uint8], training: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Row of the nearest of `training` [m, ...] for each of `pictures` [n, ...], and the root mean square between."""
    wanted = pictures.reshape(len(pictures), -1).astype(np.float32) / 255
    least = np.full(len(wanted), np.inf, dtype=np.float32)
    row = np.zeros(len(wanted), dtype=np.int64)
    for start in range(0, len(training), ROWS_AT_ONCE):
        some = training[start : start + ROWS_AT_ONCE].reshape(-1, wanted.shape[1]).astype(np.float32) / 255
        # |w - s|^2 without |w|^2, which is the same for all s
        distance = np.einsum("md,md->m", some, some) - 2 * (wanted @ some.T)
        closest = np.argmin(distance, axis=1)
        found = np.take_along_axis(distance, closest[:, None], axis=1)[:, 0]
        row = np.where(found < least, start + closest, row)
        least = np.minimum(found, least)
    return row, root_mean_square(pictures, training[row])
