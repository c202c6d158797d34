"""A study as tables for a page: groups of runs that differ by their seed, every number as mean ± standard error.

The tables are Markdown; beside them goes a CSV file with the same quantities run by run, so that every mean can be
traced to its runs.
"""

import csv
import io
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from scoreact_analysis.compare import Groups, first_reach, over_seeds
from scoreact_analysis.errors import AnalysisError, ExitCode
from scoreact_analysis.headline import last, trained_column
from scoreact_analysis.run_file import RunFile

STEP_COUNTS = (10, 25, 50, 100, 200)
REWARD = -0.15
KL_WEIGHT = 0.1


@dataclass(frozen=True)
class Base:
    """What the unchanged model reaches and what fine-tuning could: both belong to a solver, step count and lambda."""

    reward: float = math.nan
    optimum_j: float = math.nan


@dataclass
class Row:
    """One run. Reward units, nats, seconds; NaN where a run has no such number."""

    run: RunFile
    values: dict[str, float] = field(default_factory=dict)


def sampler(run: RunFile) -> tuple[str, int]:
    """Solver and step count of the training."""
    return str(run.deck_value("sample.solver", "")), int(run.deck_value("sample.num_steps", 0))


def bases(runs: list[RunFile], kl_weight: float) -> dict[tuple[str, int], Base]:
    """Base reward and J* for each training sampler, averaged over the runs that were evaluated with this lambda.

    They are estimates of properties of the base model, so a run with another lambda (DDPO has none) may be held
    against them.
    """
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for run in runs:
        evaluation = run.evaluation
        if evaluation is not None and math.isclose(evaluation.kl_weight, kl_weight):
            found.setdefault(sampler(run), []).append((evaluation.base_reward, evaluation.optimum_j))
    return {key: Base(*np.mean(pairs, axis=0)) for key, pairs in found.items()}


def row_of(run: RunFile, base: Base, reward: float, kl_weight: float) -> Row:
    """All quantities of one run."""
    row = Row(run)
    for against in ("samples_total", "wall_time"):
        row.values[f"{against}_to_reward"] = first_reach(run, reward, against)
    seconds = run.metric("epoch_time")
    row.values["epoch_time"] = float(seconds[np.isfinite(seconds)].mean()) if run.has("epoch_time") else math.nan
    row.values["epoch_evaluations"] = last(run.metric("network_evaluations")) / max(run.epochs, 1)
    evaluation = run.evaluation
    if evaluation is None:
        return row
    column = trained_column(run, evaluation)
    trained = {
        name: float(evaluation.table(name)[-1, column])
        for name in ("reward_mean", "judge_accuracy", "frechet_distance", "kl_path", "kl_chain")
    }
    row.values |= trained
    for kind in ("path", "chain"):
        objective = trained["reward_mean"] - kl_weight * trained[f"kl_{kind}"]
        row.values[f"j_{kind}"] = objective
        possible = base.optimum_j - base.reward
        row.values[f"share_{kind}"] = (objective - base.reward) / possible if possible > 0 else math.nan
    solver = evaluation.solver[column]
    for column, steps in enumerate(evaluation.steps):
        if evaluation.solver[column] == solver:
            row.values[f"reward_{steps:.0f}"] = float(evaluation.table("reward_mean")[-1, column])
    return row


def study_rows(groups: Groups, reward: float = REWARD, kl_weight: float = KL_WEIGHT) -> dict[str, list[Row]]:
    """Group name -> one row a run."""
    base = bases([run for runs in groups.values() for run in runs], kl_weight)
    return {
        name: [row_of(run, base.get(sampler(run), Base()), reward, kl_weight) for run in runs]
        for name, runs in groups.items()
    }


Columns = list[tuple[str, Callable[[list[Row]], str]]]


def mean_of(name: str, scale: float = 1.0) -> Callable[[list[Row]], str]:
    """Cell: mean over the runs that have the number."""
    return lambda rows: over_seeds([row.values.get(name, math.nan) for row in rows], scale)


def reached(rows: list[Row]) -> str:
    """Cell: how many of the runs reached the reward."""
    count = sum(math.isfinite(row.values["samples_total_to_reward"]) for row in rows)
    return f"{count} of {len(rows)}"


def table(groups: dict[str, list[Row]], columns: Columns) -> list[str]:
    """Markdown lines; columns that are empty everywhere are left out."""
    cells = {name: [cell(rows) for _, cell in columns] for name, rows in groups.items()}
    keep = [c for c in range(len(columns)) if any(row[c] != "–" for row in cells.values())]
    titles = ["runs", "seeds", *(columns[c][0] for c in keep)]
    body = [[name, str(len(groups[name])), *(row[c] for c in keep)] for name, row in cells.items()]
    return [f"| {' | '.join(line)} |" for line in [titles, ["---"] * len(titles), *body]]


def markdown(groups: dict[str, list[Row]], reward: float, kl_weight: float) -> str:
    """The page."""
    runs = [row.run for rows in groups.values() for row in rows]
    versions = sorted({f"{run.attributes.get('version', '?')} ({run.attributes.get('git', '?')})" for run in runs})
    by_sampler = bases(runs, kl_weight)
    limits = [
        f"{solver}, {steps} steps: base reward {base.reward:.3f}, J\\* {base.optimum_j:.3f}"
        for (solver, steps), base in sorted(by_sampler.items())
    ]
    outcome: Columns = [
        ("reward", mean_of("reward_mean")),
        ("judge (%)", mean_of("judge_accuracy", 100.0)),
        ("Fréchet", mean_of("frechet_distance")),
        ("path KL (nat)", mean_of("kl_path")),
        ("chain KL (nat)", mean_of("kl_chain")),
        ("J, path KL", mean_of("j_path")),
        ("share, path KL (%)", mean_of("share_path", 100.0)),
        ("J, chain KL", mean_of("j_chain")),
        ("share, chain KL (%)", mean_of("share_chain", 100.0)),
    ]
    cost: Columns = [
        (f"samples to {reward:g}", mean_of("samples_total_to_reward")),
        (f"seconds to {reward:g}", mean_of("wall_time_to_reward")),
        ("reached", reached),
        ("seconds an epoch", mean_of("epoch_time")),
        ("network evaluations an epoch", mean_of("epoch_evaluations")),
    ]
    steps: Columns = [(f"{count} steps", mean_of(f"reward_{count}")) for count in STEP_COUNTS]
    lines = [
        "# Results of the study",
        "",
        "Written by `python -m scoreact_analysis study-table`; the numbers of each run stand in the CSV file "
        "of the same name beside this page. ± is the standard error over seeds.",
        "",
        f"scoreact {', '.join(versions)}. λ = {kl_weight:g} for J and the shares of all runs. "
        + ("; ".join(limits) + "." if limits else "No run was evaluated with this λ: no shares."),
        "",
        "## At the training solver and step count, last checkpoint",
        "",
        *table(groups, outcome),
        "",
        "## Cost",
        "",
        "Until the mean reward of an epoch's rollout first reaches the level; means over the runs that did.",
        "",
        *table(groups, cost),
        "",
        "## Reward at other step counts, last checkpoint",
        "",
        *table(groups, steps),
        "",
    ]
    return "\n".join(lines)


def comma_separated(groups: dict[str, list[Row]]) -> str:
    """One line a run, full precision; empty where there is no number."""
    names = sorted({name for rows in groups.values() for row in rows for name in row.values})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", "seed", "epochs", *names])
    for group, rows in groups.items():
        for row in rows:
            numbers = [row.values.get(name, math.nan) for name in names]
            texts = ["" if math.isnan(number) else repr(float(number)) for number in numbers]
            writer.writerow([group, row.run.deck_value("run.seed", ""), row.run.epochs, *texts])
    return text.getvalue()


def write_study_table(groups: Groups, out: Path, reward: float = REWARD, kl_weight: float = KL_WEIGHT) -> Path:
    """Write `out` (Markdown) and the CSV file of the same name."""
    rows = study_rows(groups, reward, kl_weight)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.with_suffix(".csv").write_text(comma_separated(rows), encoding="utf-8")
        out.write_text(markdown(rows, reward, kl_weight), encoding="utf-8")
    except OSError as error:
        raise AnalysisError(ExitCode.IO, f"{out}: cannot write ({error.strerror})") from error
    return out
