"""Reward while training: against samples (data efficiency) and against wall time (cost); paper, Figures 3 and 9."""

from matplotlib.figure import Figure

from scoreact_analysis.figures import chart
from scoreact_analysis.run_file import RunFile


def reward_against_samples(run: RunFile) -> Figure | None:
    """Mean reward of each epoch's rollout, +- standard error, against samples drawn so far."""
    return _reward(run, "samples_total", "samples drawn")


def reward_against_time(run: RunFile) -> Figure | None:
    """The same against wall time."""
    return _reward(run, "wall_time", "wall time (s)")


def plain_metric(run: RunFile, name: str) -> Figure | None:
    """Any metric against epochs, None where it has no values."""
    if not run.has(name):
        return None
    drawing = chart.plot("epoch", "", height=2.5)
    chart.line(drawing.axes, run.metric("epoch"), run.metric(name), 0)
    chart.log_scale(drawing.axes, [run.metric(name)])
    return drawing.figure


def _reward(run: RunFile, against: str, x_label: str) -> Figure | None:
    if not (run.has("reward_mean") and run.has(against)):
        return None
    drawing = chart.plot(x_label, "reward")
    x, y = run.metric(against), run.metric("reward_mean")
    chart.band(drawing.axes, x, y, run.metric("reward_stderr"), 0)
    chart.line(drawing.axes, x, y, 0)
    return drawing.figure
