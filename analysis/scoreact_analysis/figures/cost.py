"""Where the time of an epoch goes: rollout, value fit, policy update, everything else."""

import numpy as np
from matplotlib.figure import Figure

from scoreact_analysis.figures import chart
from scoreact_analysis.hdf5 import Floats
from scoreact_analysis.run_file import RunFile

PARTS = (("rollout_time", "rollout"), ("value_time", "value fit"), ("update_time", "policy update"))


def parts(run: RunFile) -> dict[str, Floats]:
    """Seconds an epoch by part, [epochs] each; "other" is what the epoch took beyond them."""
    found = {label: np.nan_to_num(run.metric(name)) for name, label in PARTS}
    known = np.sum(list(found.values()), axis=0)
    found["other"] = np.clip(np.nan_to_num(run.metric("epoch_time")) - known, 0.0, None)
    return found


def cost(run: RunFile) -> Figure | None:
    """Seconds of each epoch, stacked by part, with the share of each part in the legend."""
    if not (run.has("epoch_time") or run.has("rollout_time")):
        return None
    seconds = parts(run)
    total = sum(float(values.sum()) for values in seconds.values())
    if total <= 0.0:
        return None
    drawing = chart.plot("epoch", "seconds an epoch")
    colours = [chart.SERIES[0], chart.SERIES[2], chart.SERIES[1], chart.MUTED]
    bottom = np.zeros(run.epochs)
    for (label, values), colour in zip(seconds.items(), colours, strict=True):
        share = f"{label} {100 * values.sum() / total:.0f} %"
        drawing.axes.bar(run.metric("epoch"), values, bottom=bottom, width=0.85, color=colour, alpha=0.85, label=share)
        bottom += values
    drawing.axes.set_ylim(0, 1.28 * float(np.percentile(bottom, 99)))
    chart.legend(drawing.axes, columns=2)
    return drawing.figure
