"""The few numbers that sum up a run: reward before and after, what it cost in KL and time."""

import math
from dataclasses import dataclass

import numpy as np

from scoreact_analysis.hdf5 import Floats
from scoreact_analysis.run_file import Evaluation, RunFile


@dataclass(frozen=True)
class Headline:
    """Rewards with their standard errors, KLs in nats, times in seconds; NaN for what is unknown."""

    where: str  # how before and after were measured
    before: float
    before_error: float
    after: float
    after_error: float
    kl_path: float
    kl_chain: float
    share_path: float
    share_chain: float
    judge_before: float
    judge_after: float
    frechet_before: float
    frechet_after: float
    wall_time: float
    samples: float
    network_evaluations: float


def last(values: Floats) -> float:
    """The last finite value, NaN if there is none."""
    finite = values[np.isfinite(values)]
    return float(finite[-1]) if finite.size else math.nan


def first(values: Floats) -> float:
    """The first finite value, NaN if there is none."""
    return last(values[::-1])


def trained_column(run: RunFile, evaluation: Evaluation) -> int:
    """The column of the evaluation that samples as the run itself does (or nearest to it)."""
    steps = float(run.deck_value("sample.num_steps", evaluation.steps[0]))
    return evaluation.column(steps, str(run.deck_value("sample.solver", evaluation.solver[0])))


def headline(run: RunFile) -> Headline:
    """From the evaluations if there are any (many samples, fixed seeds), else from the rollouts themselves."""
    common = {
        "wall_time": last(run.metric("wall_time")),
        "samples": last(run.metric("samples_total")),
        "network_evaluations": last(run.metric("network_evaluations")),
    }
    evaluation = run.evaluation
    if evaluation is None:
        return Headline(
            where="mean over the first and the last epoch's rollout",
            before=first(run.metric("reward_mean")),
            before_error=first(run.metric("reward_stderr")),
            after=last(run.metric("reward_mean")),
            after_error=last(run.metric("reward_stderr")),
            kl_path=last(run.metric("kl_path")),
            kl_chain=last(run.metric("kl_chain")),
            **dict.fromkeys(
                (
                    "share_path",
                    "share_chain",
                    "judge_before",
                    "judge_after",
                    "frechet_before",
                    "frechet_after",
                ),
                math.nan,
            ),
            **common,
        )
    column = trained_column(run, evaluation)
    rows = np.flatnonzero(np.isfinite(evaluation.table("reward_mean")[:, column]))
    row = int(rows[-1]) if rows.size else -1
    start = int(rows[0]) if rows.size else 0

    def at(name: str, which: int) -> float:
        return float(evaluation.table(name)[which, column])

    before, before_error = at("reward_mean", start), at("reward_stderr", start)
    judge_before, frechet_before = at("judge_accuracy", start), at("frechet_distance", start)
    if evaluation.epoch[start] > 0:  # the base model itself was not among the checkpoints
        before, before_error = evaluation.base_reward, math.nan
        judge_before = frechet_before = math.nan
        if not math.isfinite(before):
            before, before_error = first(run.metric("reward_mean")), first(run.metric("reward_stderr"))
    if math.isfinite(evaluation.base_judge_accuracy):
        judge_before = evaluation.base_judge_accuracy
    if math.isfinite(evaluation.base_frechet):
        frechet_before = evaluation.base_frechet
    kl_chain = at("kl_chain", row)
    return Headline(
        where=f"evaluated with {evaluation.solver[column]}, {evaluation.steps[column]:g} steps",
        before=before,
        before_error=before_error,
        after=at("reward_mean", row),
        after_error=at("reward_stderr", row),
        kl_path=at("kl_path", row),
        kl_chain=kl_chain if math.isfinite(kl_chain) else last(run.metric("kl_chain")),
        share_path=float(evaluation.gain_share("path")[row, column]),
        share_chain=float(evaluation.gain_share("chain")[row, column]),
        judge_before=judge_before,
        judge_after=at("judge_accuracy", row),
        frechet_before=frechet_before,
        frechet_after=at("frechet_distance", row),
        **common,
    )
