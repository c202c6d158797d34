"""Several runs on one page: groups of runs that differ by their seed, means with standard errors, one table."""

import math
from pathlib import Path

import numpy as np

from scoreact_analysis import numbers, page
from scoreact_analysis.figures import seeds
from scoreact_analysis.headline import headline
from scoreact_analysis.run_file import RunFile

Groups = dict[str, list[RunFile]]


def grouped(runs: list[RunFile]) -> Groups:
    """Runs by name without the trailing _seedN, in the order given."""
    groups: Groups = {}
    for run in runs:
        groups.setdefault(run.group, []).append(run)
    return groups


def write_comparison(groups: Groups, out: Path, reward: float | None = None) -> Path:
    """Write the comparison; `reward` is a level whose cost in samples and seconds the table states."""
    page.write(out, comparison_page(groups, reward))
    return out


def over_seeds(values: list[float], scale: float = 1.0) -> str:
    """Mean over the finite values, times `scale`, with its standard error (none for one seed)."""
    finite = scale * np.array([value for value in values if math.isfinite(value)])
    if finite.size == 0:
        return "–"
    error = float(finite.std(ddof=1) / math.sqrt(finite.size)) if finite.size > 1 else math.nan
    return numbers.with_error(float(finite.mean()), error)


def first_reach(run: RunFile, reward: float, against: str) -> float:
    """Samples (or seconds) at which the rollouts' mean reward first reaches a level; NaN if never."""
    rows = np.flatnonzero(run.metric("reward_mean") >= reward)
    return float(run.metric(against)[rows[0]]) if rows.size else math.nan


def comparison_table(groups: Groups, reward: float | None) -> str:
    """One row a group."""
    columns = [
        "group",
        "seeds",
        "reward before",
        "reward after",
        "path KL",
        "chain KL",
        "share, chain KL (%)",
        "judge (%)",
        "Fréchet",
        "seconds an epoch",
        "network evaluations",
    ]
    if reward is not None:
        columns += [f"samples to {reward:g}", f"seconds to {reward:g}", "reached"]
    rows = []
    for name, runs in groups.items():
        found = [headline(run) for run in runs]
        one = found[0] if len(found) == 1 else None  # one seed: the error within the run is all there is
        row = [
            name,
            str(len(runs)),
            numbers.with_error(one.before, one.before_error) if one else over_seeds([h.before for h in found]),
            numbers.with_error(one.after, one.after_error) if one else over_seeds([h.after for h in found]),
            over_seeds([h.kl_path for h in found]),
            over_seeds([h.kl_chain for h in found]),
            over_seeds([h.share_chain for h in found], 100.0),
            over_seeds([h.judge_after for h in found], 100.0),
            over_seeds([h.frechet_after for h in found]),
            over_seeds([h.wall_time / max(run.epochs, 1) for h, run in zip(found, runs, strict=True)]),
            numbers.count(float(np.mean([h.network_evaluations for h in found]))),
        ]
        if reward is not None:
            samples = [first_reach(run, reward, "samples_total") for run in runs]
            seconds = [first_reach(run, reward, "wall_time") for run in runs]
            reached = sum(math.isfinite(value) for value in samples)
            row += [over_seeds(samples), over_seeds(seconds), f"{reached} of {len(runs)}"]
        rows.append(row)
    keep = [c for c in range(len(columns)) if any(row[c] != "–" for row in rows)]
    return page.table([columns[c] for c in keep], [[row[c] for c in keep] for row in rows])


def comparison_page(groups: Groups, reward: float | None = None) -> str:
    """The page as HTML text."""
    total = sum(len(runs) for runs in groups.values())
    band = "Band: standard error over seeds."
    overlay = seeds.overlay
    cards = [
        page.figure_card(
            "Reward against samples",
            overlay(groups, "samples_total", "reward_mean", "samples drawn", "reward", reward),
            "samples",
            band,
        ),
        page.figure_card(
            "Reward against time",
            overlay(groups, "wall_time", "reward_mean", "wall time (s)", "reward", reward),
            "time",
            band,
        ),
        page.figure_card(
            "Path KL",
            overlay(groups, "epoch", "kl_path", "epoch", "path KL (nats)"),
            "kl-path",
            "Girsanov sum on the grid.",
        ),
        page.figure_card(
            "Chain KL",
            overlay(groups, "epoch", "kl_chain", "epoch", "chain KL (nats)"),
            "kl-chain",
            "Exact, between the discrete samplers.",
        ),
        page.figure_card("Reward against KL", seeds.frontier(groups), "frontier", "One dot an epoch and run."),
        page.figure_card(
            "Reward at each step count",
            seeds.step_count_overlay(groups),
            "steps",
            "Last evaluated checkpoint; bars: standard error over seeds (within the run for one seed).",
        ),
    ]
    listing = [
        [name, run.name, str(run.deck_value("run.seed", "–")), f"{run.epochs}", str(run.source)]
        for name, runs in groups.items()
        for run in runs
    ]
    body = [
        page.header("Comparison", f"{len(groups)} groups, {total} runs: " + ", ".join(groups)),
        comparison_table(groups, reward),
        '<p class="caption">± is the standard error over seeds; for one seed, of the evaluation or the rollout.</p>',
        page.section("Curves", cards, wide=True),
        page.block("Runs", page.table(["group", "run", "seed", "epochs", "folder"], listing, words=True)),
    ]
    return page.document("Comparison · scoreact", "\n".join(body))
