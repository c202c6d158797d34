"""Recompute what a run recorded from its stored trajectories, and say how far the record is off.

docs/mathematics.md sections 2-4, for each step k with its float64 coefficients:
    kl_step       = girsanov |mu - mu_pre|^2, girsanov = 1/2 ((1 + chi^2) / (2 chi))^2 log(abar_{k+1} / abar_k)
    kl_chain_step = push^2 / (2 spread^2) |mu - mu_pre|^2                (one-stage solvers with noise)
    log_prob      = -|action - mu|^2 / (2 s_a^2) - d log s_a - d/2 log 2 pi     (0 where s_a = 0: action = mu)
    x[k+1]        = keep x[k] + push action                              (transition actions: s_a = spread / |push|)
    advantage     = value term - KL cost                                 (scoreact_analysis/advantage.py)
and the metrics of the epoch from rewards and KLs. One time slice is in memory at a time.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoreact_analysis import advantage, numbers
from scoreact_analysis.deviation import Deviation
from scoreact_analysis.errors import bad_data, missing
from scoreact_analysis.hdf5 import Floats
from scoreact_analysis.run_file import RunFile
from scoreact_analysis.trajectories import Block, Trajectories

TOLERANCE = 1e-5
ONE_STAGE = ("ddim", "ddpm", "euler_maruyama")  # next state affine in state and one score, plus noise
CHI_IS_ETA = ("ddim", "euler_maruyama", "heun_sde")
CHI_IS_ONE = ("ddpm", "dpmpp_2m_sde")
ROUNDING = 4 * float(np.finfo(np.float32).eps)


@dataclass
class Statistics:
    """What one trajectory file says about its epoch; KLs [B] in nats, NaN without stored means."""

    path: Path
    reward: Floats
    kl_path: Floats
    kl_chain: Floats
    advantage_std: float


@dataclass
class Recomputation:
    """All comparisons over all files, and the statistics of each file."""

    deviations: dict[str, Deviation] = field(default_factory=dict)
    statistics: list[Statistics] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every judged quantity is within tolerance."""
        return all(found.passed for found in self.deviations.values())


def recompute(source: Path, tolerance: float = TOLERANCE) -> Recomputation:
    """Recompute a run folder or one trajectory file; AnalysisError if there is nothing to recompute."""
    files, run = trajectory_files(source)
    result = Recomputation()
    history = advantage.RewardHistory()
    for path in files:
        with Trajectories(path) as trajectories:
            statistics = Recomputer(trajectories, result.deviations, tolerance, history).run()
        result.statistics.append(statistics)
        if run is not None:
            compare_metrics(run, statistics, result.deviations, tolerance)
    if not result.deviations:
        raise bad_data(
            f"{source}: nothing to compare: no means (store.means = true) and no run.h5 beside the trajectories"
        )
    return result


def trajectory_files(source: Path) -> tuple[list[Path], RunFile | None]:
    """The trajectory files of a run folder (or the one named), and the run if it is there."""
    if not source.exists():
        raise missing(f"{source}: no such run folder or trajectory file")
    if source.is_file() and source.name != "run.h5":
        run_path = source.resolve().parent.parent / "run.h5"
        return [source], RunFile(run_path) if run_path.is_file() else None
    run = RunFile(source)
    files = [path for _, path in run.trajectory_files()]
    if not files:
        raise missing(f'{run.directory / "trajectories"}: no epoch_*.h5 (run with store.trajectories = "all")')
    return files, run


class Recomputer:
    """Goes through one trajectory file once."""

    def __init__(
        self,
        trajectories: Trajectories,
        deviations: dict[str, Deviation],
        tolerance: float,
        history: advantage.RewardHistory,
    ) -> None:
        self.file = trajectories
        self.deviations = deviations
        self.tolerance = tolerance
        self.one_stage = trajectories.solver in ONE_STAGE
        self.s_a = self._table("s_a")
        self.keep, self.push, self.spread = (self._table(name) for name in ("keep", "push", "spread"))
        self.girsanov = self._girsanov()
        self.kl_path = np.zeros(trajectories.num_samples)
        self.kl_chain = np.zeros(trajectories.num_samples)
        self.rule = advantage.Rule.of(trajectories) if trajectories.has("advantage") else None
        of_rewards = self.rule is not None and self.rule.estimator == "reward"
        self.reward_advantage = history.advantages(trajectories) if of_rewards else None

    def run(self) -> Statistics:
        """Compare every block, then return the file's statistics."""
        for block in self.file.blocks():
            self._check_state(block)
            self._check_log_prob(block)
            self._add_divergence(block)
            self._check_advantage(block)
            self._check_value_difference(block)
        unknown = np.full(self.file.num_samples, np.nan)
        has_means = self.file.has("mu") and self.file.has("mu_pre")
        return Statistics(
            path=self.file.path,
            reward=self.file.per_sample("reward") if self.file.has("reward") else np.empty(0),
            kl_path=self.kl_path if has_means else unknown,
            kl_chain=self.kl_chain if has_means and self.one_stage else unknown,
            advantage_std=self._advantage_std(),
        )

    def _table(self, name: str) -> Floats:
        """A per-step table, NaN where the file lacks it."""
        if not self.file.has_table(name):
            return np.full(self.file.num_steps, np.nan)
        return self.file.per_step(name)

    def _girsanov(self) -> Floats:
        """The coefficients of the path KL, held against abar and the solver's chi."""
        stored = self._table("girsanov")
        if not self.file.has("abar") or self.file.solver not in CHI_IS_ETA + CHI_IS_ONE:
            return stored
        chi = self.file.eta if self.file.solver in CHI_IS_ETA else 1.0
        abar = self.file.per_step("abar")
        if not math.isfinite(chi) or chi <= 0.0:
            return stored
        log_ratio = np.log(abar[1:] / abar[:-1])
        exact = np.asarray(0.5 * ((1 + chi**2) / (2 * chi)) ** 2 * log_ratio)
        if np.isfinite(stored).any():
            self._compare("girsanov", stored, exact, self.file.path.name)
        drift = self._table("drift")
        if np.isfinite(drift).any():
            self._compare("drift", drift, 0.5 * (1 + chi**2) * log_ratio, self.file.path.name)
        return exact

    def _compare(
        self,
        name: str,
        stored: Floats,
        exact: Floats,
        place: str,
        rounding: Floats | float = 0.0,
        counted: NDArray[np.bool_] | None = None,
    ) -> None:
        deviation = self.deviations.setdefault(name, Deviation(name, self.tolerance))
        deviation.compare(stored, exact, place, rounding, counted)

    def _trained(self, step: int, samples: slice = slice(None)) -> NDArray[np.bool_]:
        """Which samples were trained at a step [b]; all of them where the file does not say."""
        if not self.file.has("train_weight"):
            return np.ones(len(range(*samples.indices(self.file.num_samples))), dtype=np.bool_)
        return np.asarray(self.file.at("train_weight", step, samples) != 0.0)

    def _place(self, block: Block) -> str:
        first = f" from {block.first}" if block.first else ""
        return f"{self.file.path.name}, step {block.step}{first}"

    def _check_state(self, block: Block) -> None:
        """Transition actions carry the whole step: the next state follows from state and action alone."""
        keep, push, spread, s_a = (float(t[block.step]) for t in (self.keep, self.push, self.spread, self.s_a))
        if not (self.one_stage and spread > 0.0 and math.isclose(s_a * abs(push), spread, rel_tol=1e-6)):
            return
        exact = keep * block.x + push * block.action
        rounding = ROUNDING * (abs(keep) * np.abs(block.x) + abs(push) * np.abs(block.action) + np.abs(block.x_next))
        excess = np.clip(np.abs(block.x_next - exact) - rounding, 0.0, None)
        size = np.linalg.norm(exact, axis=1)
        self._compare("x", size + np.linalg.norm(excess, axis=1), size, self._place(block))

    def _check_log_prob(self, block: Block) -> None:
        """The Gaussian density of the action (eq. 13), summed over dimensions."""
        s_a = float(self.s_a[block.step])
        if block.mu is None or not self.file.has("log_prob") or not math.isfinite(s_a):
            return
        stored = self.file.at("log_prob", block.step, block.samples)
        if s_a == 0.0:
            self._compare("log_prob", stored, np.zeros_like(stored), self._place(block))
            return
        d = self.file.dimensions
        distance = np.linalg.norm(block.action - block.mu, axis=1)
        exact = -(distance**2) / (2 * s_a**2) - d * math.log(s_a) - d / 2 * math.log(2 * math.pi)
        slack = ROUNDING * np.hypot(np.linalg.norm(block.action, axis=1), np.linalg.norm(block.mu, axis=1))
        self._compare("log_prob", stored, exact, self._place(block), (distance * slack + slack**2 / 2) / s_a**2)

    def _add_divergence(self, block: Block) -> None:
        """Both KLs of the step (section 4, eq. 16), compared where stored and summed up."""
        if block.mu is None or block.mu_pre is None:
            return
        distance = np.linalg.norm(block.mu - block.mu_pre, axis=1)
        slack = ROUNDING * np.hypot(np.linalg.norm(block.mu, axis=1), np.linalg.norm(block.mu_pre, axis=1))
        rounding = 2 * distance * slack + slack**2
        girsanov = float(self.girsanov[block.step])
        self.kl_path[block.samples] += girsanov * distance**2
        if self.file.has("kl_step") and math.isfinite(girsanov):
            stored = self.file.at("kl_step", block.step, block.samples)
            self._compare("kl_step", stored, girsanov * distance**2, self._place(block), girsanov * rounding)
        push, spread = float(self.push[block.step]), float(self.spread[block.step])
        if self.one_stage and spread > 0.0:
            chain = push**2 / (2 * spread**2)
            self.kl_chain[block.samples] += chain * distance**2
            if self.file.has("kl_chain_step"):
                stored = self.file.at("kl_chain_step", block.step, block.samples)
                self._compare("kl_chain_step", stored, chain * distance**2, self._place(block), chain * rounding)

    def _check_advantage(self, block: Block) -> None:
        """The advantage before it is standardised, at the steps that were trained (section 5)."""
        if not self.file.has("advantage"):
            return
        trained = self._trained(block.step, block.samples)
        if not trained.any():
            return
        found = None
        if self.reward_advantage is not None:
            found = self.reward_advantage[block.samples], np.zeros(1)
        elif self.rule is not None:
            found = advantage.recomputed(self.file, self.rule, block)
        if found is None:
            note = "its value term, store.means or rewards of earlier epochs are missing"
            self.deviations.setdefault("advantage", Deviation("advantage", self.tolerance, judged=False, note=note))
            return
        stored = self.file.at("advantage", block.step, block.samples)
        self._compare("advantage", stored, found[0], self._place(block), found[1], trained)

    def _check_value_difference(self, block: Block) -> None:
        """Increments: V of the next step minus V of this one; after the last step stands the reward."""
        if self.rule is None or self.rule.estimator != "increment" or not self.file.has("value_difference"):
            return
        after, last = block.step + 1, block.step + 1 == self.file.num_steps
        trained = self._trained(block.step, block.samples)
        if not last:
            trained &= self._trained(after, block.samples)
        if not trained.any():
            return
        here = self.file.at("value", block.step, block.samples)
        following = (
            self.file.per_sample("reward")[block.samples] if last else self.file.at("value", after, block.samples)
        )
        stored = self.file.at("value_difference", block.step, block.samples)
        rounding = ROUNDING * (np.abs(here) + np.abs(following))
        self._compare("value_difference", stored, following - here, self._place(block), rounding, trained)

    def _advantage_std(self) -> float:
        """Over the samples and trained steps of the epoch; NaN without advantages."""
        if not self.file.has("advantage"):
            return math.nan
        steps = range(self.file.num_steps)
        trained = np.concatenate([self.file.at("advantage", step)[self._trained(step)] for step in steps])
        return float(np.std(trained)) if trained.size else math.nan


def compare_metrics(run: RunFile, found: Statistics, deviations: dict[str, Deviation], tolerance: float) -> None:
    """Hold the metrics of the file's epoch against the file: rewards exactly, KLs where all times were used."""
    digits = found.path.stem.removeprefix("epoch_")
    rows = np.flatnonzero(run.metric("epoch") == int(digits)) if digits.isdigit() else np.empty(0, dtype=np.int64)
    if rows.size == 0:
        return
    exact: dict[str, float] = {}
    rounding = ROUNDING * float(np.abs(found.reward).mean()) if found.reward.size else 0.0
    if found.reward.size > 1:
        spread = float(found.reward.std(ddof=1))
        exact["reward_mean"] = float(found.reward.mean())
        exact["reward_std"] = spread
        exact["reward_stderr"] = spread / math.sqrt(found.reward.size)
    exact["advantage_std"] = found.advantage_std
    exact["kl_path"] = float(found.kl_path.mean())
    exact["kl_chain"] = float(found.kl_chain.mean())
    for name, value in exact.items():
        stored = float(run.metric(name)[rows[-1]])
        if not (math.isfinite(stored) and math.isfinite(value)):
            continue
        judged = not name.startswith("kl") or every_time_counts(run)
        note = "" if judged else "the run estimates it from some of the times"
        entry = deviations.setdefault(f"metrics/{name}", Deviation(f"metrics/{name}", tolerance, judged, note))
        entry.compare(
            np.array([stored]), np.array([value]), found.path.name, rounding if name.startswith("reward") else 0.0
        )


def every_time_counts(run: RunFile) -> bool:
    """Whether the run's KL metrics are sums over all its steps rather than estimates from a subset of times."""
    num_steps = int(run.deck_value("sample.num_steps", 0))
    num_times = int(run.deck_value("train.num_times", 0))
    fraction = float(run.deck_value("train.timestep_fraction", 1.0))
    all_times = num_times >= num_steps if num_times > 0 else fraction >= 1.0
    return run.deck_value("algorithm.name") == "ctrl" and all_times


def listing(result: Recomputation) -> str:
    """What was recomputed and how far the record is off, as text."""
    lines = []
    for found in result.statistics:
        words = [f"{found.path.name}:"]
        for name, values in (
            ("reward", found.reward),
            ("path KL", found.kl_path),
            ("chain KL", found.kl_chain),
        ):
            if values.size > 1 and np.isfinite(values).any():
                error = float(values.std(ddof=1)) / math.sqrt(values.size)
                words.append(f"{name} {numbers.with_error(float(values.mean()), error)}")
        lines.append("  ".join(words))
    lines.append("")
    lines.append(f"{'quantity':<24}{'values':>10}{'max deviation':>16}{'tolerance':>12}  result")
    for entry in result.deviations.values():
        verdict = ("ok" if entry.passed else f"FAIL ({entry.place})") if entry.judged else f"not judged: {entry.note}"
        lines.append(f"{entry.quantity:<24}{entry.values:>10}{entry.largest:>16.2e}{entry.tolerance:>12.1e}  {verdict}")
    return "\n".join(lines)
