"""One look for all figures, and their way into a page: inline SVG whose colours follow the page's theme.

Figures are drawn in the light colours below. In the SVG each becomes a CSS variable with the light colour as its
fallback, so that the same figure serves dark pages too; text stays text, set in the reader's own font.
"""

import io
import re
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from scoreact_analysis.hdf5 import Floats

INK = "#1c2430"
MUTED = "#667085"
GRID = "#e4e7ec"
PAPER = "#ffffff"
SERIES = ["#2563eb", "#d9610a", "#059669", "#7c3aed", "#dc2663", "#0891b2", "#a16207", "#4d7c0f"]
VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", PAPER: "paper"} | {
    colour: f"series-{index}" for index, colour in enumerate(SERIES)
}
LINE_STYLES = ["-", "--", ":", "-."]

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
    "svg.fonttype": "none",
    "mathtext.default": "regular",
}


@dataclass(frozen=True)
class Plot:
    """A figure and its only axes."""

    figure: Figure
    axes: Axes


def plot(x_label: str, y_label: str, width: float = 4.7, height: float = 3.0) -> Plot:
    """An empty figure with one pair of axes; width and height in inches (about 340 px wide on a phone)."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.margins(x=0.02)
        if x_label.startswith(("samples", "network")):
            axes.xaxis.set_major_formatter(lambda value, _: short_count(value))
        elif x_label.startswith("epoch"):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return Plot(figure, axes)


def short_count(value: float) -> str:
    """A count for an axis: 1500 -> 1.5k."""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{suffix}"
    return f"{value:g}"


def series_colour(index: int) -> str:
    """Colour of the index-th series; colours repeat after eight (see series_style)."""
    return SERIES[index % len(SERIES)]


def series_style(index: int) -> str:
    """Line style of the index-th series: changes when the colours repeat."""
    return LINE_STYLES[index // len(SERIES) % len(LINE_STYLES)]


def shade(index: int, count: int) -> str:
    """The index-th of `count` ordered colours (say, step counts), legible on light and dark."""
    position = 0.5 if count < 2 else index / (count - 1)
    return mpl.colors.to_hex(mpl.colormaps["plasma"](0.12 + 0.66 * position))


def line(axes: Axes, x: Floats, y: Floats, index: int, label: str = "", colour: str | None = None) -> bool:
    """Draw the finite points of a series, short ones with markers. Says whether there was anything to draw."""
    keep = np.isfinite(x) & np.isfinite(y)
    if not keep.any():
        return False
    marker = "o" if keep.sum() <= 12 else ""
    axes.plot(
        x[keep],
        y[keep],
        series_style(index) if colour is None else "-",
        color=colour or series_colour(index),
        marker=marker,
        markersize=4,
        linewidth=1.8,
        label=label or "_hidden",
    )
    return True


def band(axes: Axes, x: Floats, middle: Floats, error: Floats, index: int, colour: str | None = None) -> None:
    """Shade middle +- error where both are finite."""
    keep = np.isfinite(x) & np.isfinite(middle) & np.isfinite(error)
    if keep.sum() > 1:
        axes.fill_between(
            x[keep],
            (middle - error)[keep],
            (middle + error)[keep],
            color=colour or series_colour(index),
            alpha=0.16,
            linewidth=0,
        )


def reference(axes: Axes, y: float, text: str) -> None:
    """A dashed horizontal line with its name; nothing for NaN."""
    if np.isfinite(y):
        axes.axhline(y, color=MUTED, linestyle="--", linewidth=1)
        axes.annotate(
            text,
            (0.99, y),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
            color=MUTED,
        )


def legend(axes: Axes, columns: int = 1) -> None:
    """A legend without frame, if anything has a label."""
    if axes.get_legend_handles_labels()[0]:
        with mpl.rc_context(STYLE):
            axes.legend(ncols=columns, handlelength=1.4, columnspacing=1.2)


def log_scale(axes: Axes, values: list[Floats], which: Literal["x", "y"] = "y") -> None:
    """A logarithmic axis with plain numbers, where all values are positive and span more than a factor of 20."""
    joined = np.concatenate([v[np.isfinite(v)] for v in values]) if values else np.empty(0)
    if not (joined.size and joined.min() > 0 and joined.max() > 20 * joined.min()):
        return
    decades = np.log10(joined.max() / joined.min())
    if which == "x":
        axes.set_xscale("log")
    else:
        axes.set_yscale("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def svg(figure: Figure, title: str, key: str) -> str:
    """The figure as an inline SVG element; `key` keeps its element names apart from other figures of the page."""
    buffer = io.StringIO()
    with mpl.rc_context(STYLE | {"svg.hashsalt": key}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL)
    box = re.search(r'viewBox="[^"]*"', text)
    if box is None:
        raise ValueError("matplotlib wrote an SVG without viewBox")
    text = re.sub(r"<svg[^>]*>", f'<svg {box.group(0)} role="img" aria-label="{title}">', text, count=1)
    text = re.sub(r'\bid="', f'id="{key}-', text)
    text = re.sub(r"url\(#", f"url(#{key}-", text)
    text = re.sub(r'xlink:href="#', f'href="#{key}-', text)
    for colour, variable in VARIABLES.items():
        text = re.sub(colour, f"var(--{variable}, {colour})", text, flags=re.IGNORECASE)
    return text.strip()
