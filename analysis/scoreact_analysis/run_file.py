"""RUN_DIR/run.h5: metrics, evaluations, deck and versions of one run, as numpy.

The file is opened anew for each first read and closed again, so a run that is still going can be watched:
`refresh()` forgets what was read.
"""

import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from scoreact_analysis import deck, hdf5
from scoreact_analysis.errors import bad_data, missing
from scoreact_analysis.hdf5 import Floats

FORMAT = "scoreact-run"
OPTIONAL_TABLES = ("judge_accuracy", "frechet_distance", "kl_chain", "gain_share_path", "gain_share_chain")


@dataclass(frozen=True)
class Evaluation:
    """Checkpoints sampled at several step counts and solvers; every table is [E, S].

    One column is one (steps, solver) pair. NaN stands for what was not evaluated.
    """

    epoch: Floats
    steps: Floats
    solver: list[str]
    tables: dict[str, Floats]
    optimum_j: float = math.nan
    base_reward: float = math.nan
    kl_weight: float = math.nan
    base_judge_accuracy: float = math.nan
    base_frechet: float = math.nan

    def table(self, name: str) -> Floats:
        """One table, all NaN where it was not evaluated."""
        return self.tables.get(name, np.full((self.epoch.size, self.steps.size), np.nan))

    def column(self, steps: float, solver: str) -> int:
        """The column nearest to a step count, of the same solver where there is one."""
        same = [s for s in range(self.steps.size) if self.solver[s] == solver] or list(range(self.steps.size))
        return min(same, key=lambda s: abs(self.steps[s] - steps))

    def gain_share(self, kind: str) -> Floats:
        """Share of the possible gain, (J - J_base) / (J* - J_base) with J = reward - lambda KL, [E, S].

        kind is "path" or "chain" (docs/mathematics.md section 4: only the chain KL makes 1 a limit). What the run
        recorded comes first; else it follows from the recorded optimum.
        """
        stored = self.table(f"gain_share_{kind}")
        objective = self.table("reward_mean") - self.kl_weight * self.table(f"kl_{kind}")
        possible = self.optimum_j - self.base_reward
        if not math.isfinite(possible) or possible <= 0.0:
            return stored
        return np.where(np.isfinite(stored), stored, (objective - self.base_reward) / possible)


@dataclass
class RunFile:
    """One run. Pass the run's folder or its run.h5; raises AnalysisError when that is missing or no run."""

    source: Path
    path: Path = field(init=False)
    _metrics: dict[str, Floats] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.source = Path(self.source)
        if not self.source.exists():
            raise missing(f"{self.source}: no such run folder")
        self.path = self.source / "run.h5" if self.source.is_dir() else self.source
        with hdf5.opened(self.path, FORMAT):
            pass

    @property
    def directory(self) -> Path:
        """The run folder."""
        return self.path.parent

    def refresh(self) -> None:
        """Forget everything read so far: the next access reads the file as it is then."""
        self._metrics.clear()
        for name in (
            "attributes",
            "deck",
            "prompts",
            "metric_names",
            "units",
            "labels",
            "epochs",
            "evaluation",
            "resources",
        ):
            self.__dict__.pop(name, None)

    @cached_property
    def attributes(self) -> dict[str, str]:
        """Root attributes (versions, ranks, devices, ...) without the deck text."""
        with hdf5.opened(self.path, FORMAT) as file:
            return {name: value for name, value in hdf5.attributes(file).items() if name != "deck"}

    @cached_property
    def prompts(self) -> list[str]:
        """The texts that samples are drawn for; empty where there are none."""
        with hdf5.opened(self.path, FORMAT) as file:
            return hdf5.strings(file, "prompts") if "prompts" in file else []

    @property
    def deck_text(self) -> str:
        """The effective deck as TOML text ("" if the file holds none)."""
        with hdf5.opened(self.path, FORMAT) as file:
            return hdf5.text(file.attrs.get("deck", ""))

    @cached_property
    def deck(self) -> dict[str, Any]:
        """The effective deck, parsed."""
        return deck.parse(self.deck_text, self.path)

    def deck_value(self, key: str, default: Any = None) -> Any:
        """One value of the deck by its dotted key, e.g. "sample.num_steps"."""
        return deck.value(self.deck, key, default)

    @property
    def name(self) -> str:
        """The run's name from the deck, else the name of its folder."""
        return str(self.deck_value("run.name") or self.directory.resolve().name)

    @property
    def group(self) -> str:
        """The name without a trailing _seedN: runs that differ by their seed only."""
        return re.sub(r"[_-]?seed[_-]?\d+$", "", self.name) or self.name

    @cached_property
    def metric_names(self) -> list[str]:
        """Names of the metrics that the run records."""
        with hdf5.opened(self.path, FORMAT) as file:
            return hdf5.datasets(file["metrics"]) if "metrics" in file else []

    @cached_property
    def labels(self) -> dict[str, str]:
        """Name of a metric or resource -> "long name (units)"."""
        with hdf5.opened(self.path, FORMAT) as file:
            found = {}
            nodes = [group[name] for group in (file.get("metrics"), file.get("resources")) if group for name in group]
            for node in nodes:
                name, attrs = node.name.rsplit("/", 1)[1], node.attrs
                long_name = hdf5.text(attrs.get("long_name", "")) or name.replace("_", " ")
                units = hdf5.text(attrs.get("units", ""))
                found[name] = f"{long_name} ({units})" if units not in ("", "1") else long_name
            return found

    @cached_property
    def epochs(self) -> int:
        """How many epochs are recorded."""
        with hdf5.opened(self.path, FORMAT) as file:
            return int(hdf5.dataset(file, "metrics/epoch", 1).shape[0]) if "metrics" in file else 0

    def metric(self, name: str) -> Floats:
        """A metric, one value an epoch [epochs]; NaN where it is not recorded (yet).

        While a run writes, some metrics may be an epoch ahead of others: all are brought to the length of `epoch`.
        """
        if name not in self._metrics:
            column = np.full(self.epochs, np.nan)
            if name in self.metric_names:
                with hdf5.opened(self.path, FORMAT) as file:
                    stored = hdf5.floats(file["metrics"], name, 1)[: self.epochs]
                column[: stored.size] = stored
            self._metrics[name] = column
        return self._metrics[name]

    def has(self, name: str) -> bool:
        """Whether a metric has at least one finite value."""
        return bool(np.isfinite(self.metric(name)).any())

    @property
    def planned_epochs(self) -> int:
        """Epochs that the deck asks for; 0 if it does not say."""
        return int(self.deck_value("run.epochs", 0))

    @property
    def finished(self) -> bool:
        """Whether all epochs that the deck asks for are there."""
        return self.epochs >= self.planned_epochs > 0

    @cached_property
    def resources(self) -> dict[str, Floats]:
        """What depends on machine and restarts (threads, ranks, restarts), one array a name."""
        with hdf5.opened(self.path, FORMAT) as file:
            if "resources" not in file:
                return {}
            group = file["resources"]
            return {name: np.atleast_1d(hdf5.floats(group, name, group[name].ndim)) for name in hdf5.datasets(group)}

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The evaluations, or None if nothing was evaluated (yet)."""
        with hdf5.opened(self.path, FORMAT) as file:
            if "evaluation" not in file or "epoch" not in file["evaluation"]:
                return None
            group = file["evaluation"]
            epoch = hdf5.floats(group, "epoch", 1)
            steps = hdf5.floats(group, "steps", 1)
            solver = hdf5.strings(group, "solver")
            names = ["reward_mean", "reward_stderr", "kl_path", *(n for n in OPTIONAL_TABLES if n in group)]
            tables = {name: hdf5.floats(group, name, 2) for name in names}
            scalars = {
                name: hdf5.number(group, name)
                for name in ("optimum_j", "base_reward", "kl_weight", "base_judge_accuracy", "base_frechet")
            }
        if len(solver) != steps.size:
            raise bad_data(f"{self.path}: /evaluation has {steps.size} steps but {len(solver)} solvers")
        # A row may be half written: keep what all tables have.
        rows = min([epoch.size, *(table.shape[0] for table in tables.values())])
        for name, table in tables.items():
            if table.shape[1] != steps.size:
                raise bad_data(f"{self.path}: /evaluation/{name} has {table.shape[1]} columns, expected {steps.size}")
        if rows == 0 or steps.size == 0:
            return None
        order = np.argsort(epoch[:rows], kind="stable")
        return Evaluation(
            epoch[:rows][order],
            steps,
            solver,
            {name: table[:rows][order] for name, table in tables.items()},
            **scalars,
        )

    def images(self) -> list[tuple[int, Path]]:
        """The image grids (epoch, file), by epoch."""
        found = []
        for file in (self.directory / "images").glob("*.png"):
            match = re.fullmatch(r"epoch_(\d+)", file.stem)
            if match:
                found.append((int(match.group(1)), file))
        return sorted(found)

    def trajectory_files(self) -> list[tuple[int, Path]]:
        """The trajectory files (epoch, file), by epoch."""
        found = []
        for file in (self.directory / "trajectories").glob("epoch_*.h5"):
            match = re.fullmatch(r"epoch_(\d+)", file.stem)
            if match:
                found.append((int(match.group(1)), file))
        return sorted(found)
