"""Distance from the base model: path KL (Girsanov) and exact chain KL, and reward against what it cost in KL.

docs/mathematics.md section 4: both are KLs between the laws of whole paths, in nats.
"""

from matplotlib.figure import Figure

from scoreact_analysis.figures import chart
from scoreact_analysis.run_file import RunFile

KINDS = (("kl_path", "path KL (Girsanov)"), ("kl_chain", "chain KL (exact)"))


def divergence(run: RunFile) -> Figure | None:
    """kl_path and kl_chain against epochs."""
    drawing = chart.plot("epoch", "KL (nats)")
    drawn = [
        chart.line(drawing.axes, run.metric("epoch"), run.metric(name), index, label)
        for index, (name, label) in enumerate(KINDS)
    ]
    chart.legend(drawing.axes)
    return drawing.figure if any(drawn) else None


def reward_against_divergence(run: RunFile) -> Figure | None:
    """Reward against path KL, epoch by epoch: high and left is good; far right is reward hacking."""
    if not (run.has("kl_path") and run.has("reward_mean")):
        return None
    drawing = chart.plot("path KL (nats)", "reward")
    keep = run.metric("kl_path") >= 0
    x, y = run.metric("kl_path")[keep], run.metric("reward_mean")[keep]
    drawing.axes.plot(x, y, color=chart.GRID, linewidth=1, zorder=1)
    points = drawing.axes.scatter(x, y, c=run.metric("epoch")[keep], cmap="plasma", s=14, zorder=2, vmax=_late(run))
    bar = drawing.figure.colorbar(points, ax=drawing.axes, pad=0.02)
    bar.set_label("epoch", color=chart.MUTED)
    bar.ax.tick_params(colors=chart.MUTED, length=0)
    bar.outline.set_visible(False)
    return drawing.figure


def _late(run: RunFile) -> float:
    # The palest tenth of the colour map cannot be told from a white page.
    return float(run.metric("epoch")[-1]) * 1.15 + 1e-9
