"""RUN_DIR/trajectories/epoch_*.h5, read time by time and in blocks of samples: files larger than memory are fine."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from scoreact_analysis import deck, hdf5
from scoreact_analysis.errors import bad_data
from scoreact_analysis.hdf5 import Floats

FORMAT = "scoreact-trajectories"
BLOCK_BYTES = 64 * 2**20  # what one array of a block may take as float64


@dataclass(frozen=True)
class Block:
    """Some samples at one step k: states and scores [b, d] (dimensions flattened), float64 exact copies of fp32."""

    step: int
    first: int
    last: int
    x: Floats
    x_next: Floats
    action: Floats
    mu: Floats | None
    mu_pre: Floats | None
    value_gradient: Floats | None = None

    @property
    def samples(self) -> slice:
        """Which samples of the file these are."""
        return slice(self.first, self.last)


class Trajectories:
    """One trajectory file, opened lazily: nothing of size [K, B, ...] is read before it is asked for.

    Use as a context manager. Shapes: K steps, B samples, d numbers a sample.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._opened = hdf5.opened(self.path, FORMAT)
        self._file: Any = self._opened.__enter__()
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._opened.__exit__(None, None, None)

    def _check(self) -> None:
        states = hdf5.dataset(self._file, "x")
        actions = hdf5.dataset(self._file, "action")
        if states.ndim < 2 or states.shape[1:] != actions.shape[1:] or states.shape[0] != actions.shape[0] + 1:
            raise bad_data(
                f"{self.path}: 'x' {states.shape} and 'action' {actions.shape} should be [K+1, B, ...] and [K, B, ...]"
            )
        for name in ("mu", "mu_pre", "value_gradient"):
            if name in self._file and self._file[name].shape != actions.shape:
                raise bad_data(f"{self.path}: '{name}' {self._file[name].shape} should be {actions.shape}")

    @property
    def num_steps(self) -> int:
        """K, the number of steps."""
        return int(self._file["action"].shape[0])

    @property
    def num_samples(self) -> int:
        """B, the number of samples."""
        return int(self._file["x"].shape[1])

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(int(n) for n in self._file["x"].shape[2:])

    @property
    def dimensions(self) -> int:
        """d, numbers in one sample."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def solver(self) -> str:
        """Name of the solver, "" if the file does not say."""
        return hdf5.text(self._file.attrs.get("solver", ""))

    @property
    def eta(self) -> float:
        """Stochasticity of the solver (chi of docs/mathematics.md section 2); NaN if the file does not say."""
        return hdf5.number(self._file, "eta")

    @property
    def kl_weight(self) -> float:
        """lambda, reward units per nat; NaN if the file does not say."""
        return hdf5.number(self._file, "lambda")

    @cached_property
    def deck(self) -> dict[str, Any]:
        """The effective deck of the run, {} if the file does not carry it."""
        return deck.parse(hdf5.text(self._file.attrs.get("deck", "")), self.path)

    @property
    def epoch(self) -> int:
        """The epoch that drew these, counted from 1; 0 if the file does not say."""
        return int(self._file.attrs.get("epoch", 0))

    @property
    def prompts(self) -> list[str]:
        """Prompt or class of each sample."""
        return hdf5.strings(self._file, "prompt")

    def has(self, name: str) -> bool:
        """Whether the file holds a dataset of this name."""
        return name in self._file

    def has_table(self, name: str) -> bool:
        """Whether a per-step table is there, as a dataset or an attribute."""
        return name in self._file or name in self._file.attrs

    def per_step(self, name: str) -> Floats:
        """A table over the steps, [K] (tau and abar: [K+1]), from a dataset or an attribute."""
        if name in self._file:
            found = hdf5.floats(self._file, name, 1)
        elif name in self._file.attrs:
            found = np.atleast_1d(np.asarray(self._file.attrs[name], dtype=np.float64))
        else:
            raise bad_data(f"{self.path}: no dataset or attribute '{name}'")
        expected = self.num_steps + (1 if name in ("tau", "abar") else 0)
        if found.shape != (expected,):
            raise bad_data(f"{self.path}: '{name}' has shape {found.shape}, expected ({expected},)")
        return found

    def per_sample(self, name: str) -> Floats:
        """One number a sample, [B], e.g. reward."""
        found = hdf5.floats(self._file, name, 1)
        if found.shape != (self.num_samples,):
            raise bad_data(f"{self.path}: '{name}' has shape {found.shape}, expected ({self.num_samples},)")
        return found

    def at(self, name: str, step: int, samples: slice = slice(None)) -> Floats:
        """One number a sample at one step, [b], e.g. log_prob, kl_step, advantage."""
        source = hdf5.dataset(self._file, name, 2)
        if source.shape != (self.num_steps, self.num_samples):
            raise bad_data(
                f"{self.path}: '{name}' has shape {source.shape}, expected ({self.num_steps}, {self.num_samples})"
            )
        return hdf5.converted(source, (step, samples))

    def state(self, step: int, samples: slice = slice(None)) -> NDArray[np.float32]:
        """States x at one step (0: noise, K: data), [b, ...]."""
        return np.asarray(self._file["x"][step, samples], dtype=np.float32)

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """All steps, each in blocks of samples that take at most `block_bytes` an array."""
        rows = max(1, block_bytes // (8 * max(1, self.dimensions)))
        for step in range(self.num_steps):
            for first in range(0, self.num_samples, rows):
                last = min(first + rows, self.num_samples)
                yield Block(
                    step,
                    first,
                    last,
                    x=self._rows("x", step, first, last),
                    x_next=self._rows("x", step + 1, first, last),
                    action=self._rows("action", step, first, last),
                    mu=self._rows("mu", step, first, last) if self.has("mu") else None,
                    mu_pre=self._rows("mu_pre", step, first, last) if self.has("mu_pre") else None,
                    value_gradient=self._rows("value_gradient", step, first, last)
                    if self.has("value_gradient")
                    else None,
                )

    def _rows(self, name: str, step: int, first: int, last: int) -> Floats:
        return hdf5.converted(self._file[name], (step, slice(first, last))).reshape(last - first, -1)
