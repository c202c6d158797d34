"""Quantities that tell a healthy run from a broken one: clipping, policy KL, gradient norm, first ratio."""

from dataclasses import dataclass

from matplotlib.figure import Figure

from scoreact_analysis.figures import chart
from scoreact_analysis.run_file import RunFile


@dataclass(frozen=True)
class Guard:
    """One guarded metric and how to read it."""

    metric: str
    title: str
    meaning: str
    log: bool = False


GUARDS = (
    Guard(
        "clip_fraction",
        "Clip fraction",
        "Share of likelihood ratios outside the clip range; above 0.5 little is learned.",
    ),
    Guard(
        "policy_kl",
        "Policy KL",
        "KL of the new policy from the rollout's policy, nats an epoch; jumps announce a collapse.",
        True,
    ),
    Guard("grad_norm", "Gradient norm", "Before clipping by max_grad_norm.", True),
    Guard(
        "ratio_first_max_deviation",
        "First ratio",
        "Largest |ratio − 1| before the first optimiser step of an epoch. "
        "Must be 0: rollout and update agree bit for bit.",
    ),
    Guard(
        "advantage_std",
        "Advantage spread",
        "Standard deviation of the advantage rate before standardisation.",
        True,
    ),
    Guard("learning_rate", "Learning rate", "At the end of the epoch."),
)


def guard_figure(run: RunFile, guard: Guard) -> Figure | None:
    """One guarded metric against epochs, None where it is not recorded."""
    if not run.has(guard.metric):
        return None
    drawing = chart.plot("epoch", "", height=2.5)  # the card's title says what it is
    chart.line(drawing.axes, run.metric("epoch"), run.metric(guard.metric), 3)
    if guard.log:
        chart.log_scale(drawing.axes, [run.metric(guard.metric)])
    if guard.metric == "clip_fraction":
        drawing.axes.set_ylim(bottom=0)
    if guard.metric == "ratio_first_max_deviation" and not run.metric(guard.metric).any():
        drawing.axes.set_ylim(-1e-7, 1e-6)
    return drawing.figure
