"""Several runs in one picture: one line a group of seeds, mean +- standard error (paper, Figure 9)."""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from scoreact_analysis.figures import chart
from scoreact_analysis.hdf5 import Floats
from scoreact_analysis.run_file import RunFile


@dataclass(frozen=True)
class Curve:
    """Mean and standard error over seeds (NaN for one seed) at each x."""

    x: Floats
    mean: Floats
    error: Floats


def mean_and_error(values: Floats) -> tuple[Floats, Floats]:
    """Mean and standard error over the first axis (seeds), NaN error for one seed."""
    mean = values.mean(axis=0)
    if values.shape[0] < 2:
        return mean, np.full_like(mean, np.nan)
    return mean, values.std(axis=0, ddof=1) / np.sqrt(values.shape[0])


def curve(runs: list[RunFile], x_name: str, y_name: str) -> Curve | None:
    """One metric against another over the seeds of a group, where all of them have values.

    Each run is interpolated onto one axis: that of the run with the fewest points, over the range that all runs cover.
    """
    pairs = []
    for run in runs:
        x, y = run.metric(x_name), run.metric(y_name)
        keep = np.isfinite(x) & np.isfinite(y)
        if not keep.any():
            return None
        pairs.append((x[keep], y[keep]))
    low, high = max(x[0] for x, _ in pairs), min(x[-1] for x, _ in pairs)
    shortest = min((x for x, _ in pairs), key=lambda x: x.size)
    axis = shortest[(shortest >= low) & (shortest <= high)]
    if low <= high:
        axis = np.unique(np.concatenate([axis, [low, high]]))
    if axis.size == 0:
        return None
    mean, error = mean_and_error(np.stack([np.interp(axis, x, y) for x, y in pairs]))
    return Curve(axis, mean, error)


def overlay(
    groups: dict[str, list[RunFile]],
    x_name: str,
    y_name: str,
    x_label: str,
    y_label: str,
    threshold: float | None = None,
) -> Figure | None:
    """A metric against another, one line and band a group; a dashed line at `threshold`."""
    drawing = chart.plot(x_label, y_label, height=3.2)
    curves = []
    for index, (name, runs) in enumerate(groups.items()):
        found = curve(runs, x_name, y_name)
        if found is not None:
            curves.append(found.mean)
            chart.band(drawing.axes, found.x, found.mean, found.error, index)
            chart.line(drawing.axes, found.x, found.mean, index, name)
    if not curves:
        return None
    if y_name.startswith("kl_"):
        chart.log_scale(drawing.axes, [values[values > 0] for values in curves])
    if threshold is not None:
        chart.reference(drawing.axes, threshold, f"{threshold:g}".replace("-", "−"))
    chart.legend(drawing.axes)
    return drawing.figure


def frontier(groups: dict[str, list[RunFile]]) -> Figure | None:
    """Reward against path KL, one dot an epoch and run: what each group pays for its reward."""
    drawing = chart.plot("path KL (nats)", "reward", height=3.2)
    drawn: list[Floats] = []
    for index, (name, runs) in enumerate(groups.items()):
        x = np.concatenate([run.metric("kl_path") for run in runs])
        y = np.concatenate([run.metric("reward_mean") for run in runs])
        keep = np.isfinite(x) & np.isfinite(y) & (x > 0)
        if keep.any():
            drawn.append(x[keep])
            drawing.axes.scatter(
                x[keep], y[keep], s=9, alpha=0.6, color=chart.series_colour(index), label=name, linewidth=0
            )
    chart.log_scale(drawing.axes, drawn, "x")
    chart.legend(drawing.axes)
    return drawing.figure if drawn else None


def final_reward_at_steps(runs: list[RunFile]) -> dict[tuple[str, float], tuple[float, float]]:
    """(solver, steps) -> mean and standard error over seeds of the last evaluated reward, where all seeds have it.

    With one seed the error is that of the evaluation itself.
    """
    tables: list[dict[tuple[str, float], tuple[float, float]]] = []
    for run in runs:
        evaluation = run.evaluation
        if evaluation is None:
            return {}
        reward, error = evaluation.table("reward_mean"), evaluation.table("reward_stderr")
        found = {}
        for column, (solver, steps) in enumerate(zip(evaluation.solver, evaluation.steps, strict=True)):
            rows = np.flatnonzero(np.isfinite(reward[:, column]))
            if rows.size:
                found[(solver, float(steps))] = (
                    float(reward[rows[-1], column]),
                    float(error[rows[-1], column]),
                )
        tables.append(found)
    common = [key for key in tables[0] if all(key in table for table in tables)]
    if len(tables) == 1:
        return {key: tables[0][key] for key in common}
    summary = {}
    for key in common:
        mean, error_of_mean = mean_and_error(np.array([[table[key][0]] for table in tables]))
        summary[key] = (float(mean[0]), float(error_of_mean[0]))
    return summary


def step_count_overlay(groups: dict[str, list[RunFile]]) -> Figure | None:
    """Final reward against sampling steps, one line a group and solver."""
    drawing = chart.plot("sampling steps", "reward of the last checkpoint", height=3.2)
    ticks: set[float] = set()
    line = 0
    for name, runs in groups.items():
        summary = final_reward_at_steps(runs)
        solvers = sorted({solver for solver, _ in summary})
        for solver in solvers:
            steps = np.array(sorted(count for found, count in summary if found == solver))
            mean = np.array([summary[(solver, float(count))][0] for count in steps])
            error = np.array([summary[(solver, float(count))][1] for count in steps])
            drawing.axes.errorbar(
                steps,
                mean,
                yerr=np.nan_to_num(error),
                color=chart.series_colour(line),
                linestyle=chart.series_style(line),
                marker="o",
                markersize=4,
                capsize=2,
                label=name if len(solvers) == 1 else f"{name}, {solver}",
            )
            ticks |= set(steps.tolist())
            line += 1
    if not ticks:
        return None
    drawing.axes.set_xscale("log")
    drawing.axes.set_xticks(sorted(ticks), [f"{tick:g}" for tick in sorted(ticks)])
    drawing.axes.xaxis.set_minor_locator(NullLocator())
    chart.legend(drawing.axes)
    return drawing.figure
