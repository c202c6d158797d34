"""How well the value function predicts the return, over training and design by design (paper, Figure 2)."""

import numpy as np
from matplotlib.figure import Figure

from scoreact_analysis.figures import chart
from scoreact_analysis.run_file import RunFile
from scoreact_analysis.value_study import ValueStudy


def value_error(run: RunFile) -> Figure | None:
    """Mean squared error of the value function against epochs."""
    if not run.has("value_mse"):
        return None
    drawing = chart.plot("epoch", "value error (mean square)")
    chart.line(drawing.axes, run.metric("epoch"), run.metric("value_mse"), 0)
    chart.log_scale(drawing.axes, [run.metric("value_mse")])
    return drawing.figure


def designs_over_epochs(study: ValueStudy) -> Figure:
    """Test error of each design while it is fitted; dotted: error on the trajectories it was fitted to."""
    drawing = chart.plot("epoch of the fit", "test error (mean square)", height=3.6)
    for index, design in enumerate(study.designs):
        epochs = np.arange(1, design.test_mse.size + 1, dtype=np.float64)
        chart.line(drawing.axes, epochs, design.test_mse, index, design.formula)
        drawing.axes.plot(
            np.arange(1, design.train_mse.size + 1),
            design.train_mse,
            ":",
            color=chart.series_colour(index),
            linewidth=1,
            alpha=0.8,
        )
    chart.log_scale(drawing.axes, [design.test_mse for design in study.designs])
    chart.legend(drawing.axes)
    return drawing.figure


def designs_over_noise(study: ValueStudy) -> Figure:
    """Test error of each design against noise time tau: 0 is data, 1 is noise."""
    drawing = chart.plot("noise time τ (0 = data, 1 = noise)", "test error (mean square)", height=3.6)
    order = np.argsort(study.tau)
    for index, design in enumerate(study.designs):
        chart.line(drawing.axes, study.tau[order], design.per_time[order], index, design.formula)
    chart.log_scale(drawing.axes, [design.per_time for design in study.designs])
    chart.legend(drawing.axes)
    return drawing.figure
