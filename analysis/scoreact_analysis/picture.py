"""A picture for a README: samples before and after with the reward curve between them, as one PNG."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scoreact_analysis.errors import AnalysisError, ExitCode, missing
from scoreact_analysis.figures import chart, images
from scoreact_analysis.headline import headline
from scoreact_analysis.numbers import plain
from scoreact_analysis.run_file import RunFile


def before_and_after(run: RunFile) -> Figure:
    """Image grids of the first and the last epoch beside the reward curve; AnalysisError without two grids."""
    files = run.images()
    if len(files) < 2:
        raise missing(f"{run.directory / 'images'}: needs at least two image grids, found {len(files)}")
    summary = headline(run)
    height, width = images.pixels(files[0][1]).shape[:2]
    with mpl.rc_context(chart.STYLE | {"font.size": 10.0}):
        figure = Figure(figsize=(11, 3.9), dpi=160, layout="constrained", facecolor=chart.PAPER)
        if width <= 2 * height:
            left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1.15, 1])
        else:  # wide grids above each other
            parts = figure.subplot_mosaic([["before", "curve"], ["after", "curve"]], width_ratios=[2.2, 1])
            left, middle, right = parts["before"], parts["curve"], parts["after"]
        _show(left, files[0][1], f"before: reward {plain(summary.before)}")
        _show(right, files[-1][1], f"after {files[-1][0]} epochs: reward {plain(summary.after)}")
        x, y = run.metric("samples_total"), run.metric("reward_mean")
        chart.band(middle, x, y, run.metric("reward_stderr"), 0)
        chart.line(middle, x, y, 0)
        middle.set_xlabel("samples drawn")
        middle.set_title("reward", loc="left", fontsize=11)
        middle.xaxis.set_major_formatter(lambda value, _: chart.short_count(value))
    return figure


def _show(axes: Axes, path: Path, title: str) -> None:
    axes.imshow(np.clip(images.pixels(path), 0, 1), interpolation="nearest")
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_axis_off()


def write_picture(directory: Path, out: Path) -> Path:
    """Write the picture of a run as PNG."""
    figure = before_and_after(RunFile(directory))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with mpl.rc_context(chart.STYLE):
            figure.savefig(out, format="png")
    except OSError as error:
        raise AnalysisError(ExitCode.IO, f"{out}: cannot write ({error.strerror or error})") from error
    return out
