"""How far stored numbers are from recomputed ones, beyond what rounding of the stored float32 arrays explains."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoreact_analysis.hdf5 import Floats


@dataclass
class Deviation:
    """Largest deviation seen so far of one quantity, relative to its typical size."""

    quantity: str
    tolerance: float
    judged: bool = True
    note: str = ""
    values: int = 0
    largest: float = 0.0
    place: str = ""

    @property
    def passed(self) -> bool:
        """Within tolerance, or not judged."""
        return not self.judged or self.largest <= self.tolerance

    def compare(
        self,
        stored: Floats,
        recomputed: Floats,
        place: str,
        rounding: Floats | float = 0.0,
        counted: NDArray[np.bool_] | None = None,
    ) -> None:
        """Take in some values of the same kind, all or those that are `counted`.

        The deviation of a value is max(0, |stored - recomputed| - rounding) / (|recomputed| + mean |recomputed|):
        a value far below its neighbours is measured against them. NaN on one side only is an infinite deviation.
        """
        stored, recomputed = np.atleast_1d(stored), np.atleast_1d(recomputed)
        several = stored.size > 1
        number = np.arange(stored.size) if counted is None else np.flatnonzero(counted)
        rounding = np.broadcast_to(rounding, stored.shape)[number]
        stored, recomputed = stored[number], recomputed[number]
        self.values += stored.size
        both = np.isfinite(stored) & np.isfinite(recomputed)
        same = both | (np.isnan(stored) & np.isnan(recomputed))
        typical = float(np.abs(recomputed[np.isfinite(recomputed)]).mean()) if np.isfinite(recomputed).any() else 0.0
        found = np.full(stored.shape, np.inf)
        found[same] = 0.0
        excess = np.clip(np.abs(stored - recomputed) - rounding, 0.0, None)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(excess > 0.0, excess / (np.abs(recomputed) + typical), 0.0)
        found[both] = relative[both]
        worst = int(np.argmax(found)) if found.size else 0
        if found.size and found[worst] > self.largest:
            self.largest = float(found[worst])
            self.place = f"{place}, sample {number[worst]}" if several else place
