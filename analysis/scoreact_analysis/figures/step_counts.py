"""Reward at each number of sampling steps: does a policy trained at one hold at others? Paper, Figures 1 and 7."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from scoreact_analysis.figures import chart
from scoreact_analysis.run_file import Evaluation


def column_name(evaluation: Evaluation, column: int) -> str:
    """What a column is: "50 steps", with the solver where several were evaluated."""
    name = f"{evaluation.steps[column]:g} steps"
    return name if len(set(evaluation.solver)) == 1 else f"{name}, {evaluation.solver[column]}"


def reward_over_training(evaluation: Evaluation) -> Figure | None:
    """Evaluated reward against epoch, one line for each step count and solver (paper, Figure 1)."""
    reward, error = evaluation.table("reward_mean"), evaluation.table("reward_stderr")
    drawing = chart.plot("epoch", "reward of the checkpoint")
    order = sorted(range(evaluation.steps.size), key=lambda s: (evaluation.solver[s], evaluation.steps[s]))
    drawn = []
    for rank, column in enumerate(order):
        colour = chart.shade(rank, len(order))
        chart.band(drawing.axes, evaluation.epoch, reward[:, column], error[:, column], rank, colour)
        drawn.append(
            chart.line(
                drawing.axes,
                evaluation.epoch,
                reward[:, column],
                rank,
                column_name(evaluation, column),
                colour,
            )
        )
    chart.legend(drawing.axes, columns=1 if len(order) < 5 else 2)
    return drawing.figure if any(drawn) else None


def reward_against_steps(evaluation: Evaluation, lines: int = 5) -> Figure | None:
    """Evaluated reward against step count, one line a checkpoint (first, last, a few between; paper, Figure 7)."""
    solver = max(sorted(set(evaluation.solver)), key=evaluation.solver.count)
    columns = [s for s in np.argsort(evaluation.steps, kind="stable") if evaluation.solver[s] == solver]
    if len(columns) < 2:
        return None
    reward, error = evaluation.table("reward_mean")[:, columns], evaluation.table("reward_stderr")[:, columns]
    rows = sorted({int(r) for r in np.linspace(0, evaluation.epoch.size - 1, lines).round()})
    drawing = chart.plot(f"sampling steps ({solver})", "reward of the checkpoint")
    drawn = False
    for rank, row in enumerate(rows):
        keep = np.isfinite(reward[row])
        if keep.any():
            drawn = True
            drawing.axes.errorbar(
                evaluation.steps[columns][keep],
                reward[row][keep],
                yerr=np.nan_to_num(error[row][keep]),
                color=chart.shade(rank, len(rows)),
                marker="o",
                markersize=4,
                capsize=2,
                label=f"epoch {evaluation.epoch[row]:g}",
            )
    drawing.axes.set_xscale("log")
    drawing.axes.set_xticks(evaluation.steps[columns], [f"{s:g}" for s in evaluation.steps[columns]])
    drawing.axes.xaxis.set_minor_locator(NullLocator())
    chart.legend(drawing.axes)
    return drawing.figure if drawn else None
