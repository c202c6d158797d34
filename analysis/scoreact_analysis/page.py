"""One self-contained HTML page: no script, no font, no picture from elsewhere; light and dark; fit for a phone."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from matplotlib.figure import Figure

from scoreact_analysis.errors import AnalysisError, ExitCode
from scoreact_analysis.figures import chart
from scoreact_analysis.figures.images import Grid

STYLE_SHEET = Path(__file__).with_name("page.css")


def document(title: str, body: str) -> str:
    """The whole page."""
    style = STYLE_SHEET.read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def header(title: str, subtitle: str, badges: str = "") -> str:
    """Title, its badges, and a line below."""
    return f'<header><h1>{escape(title)}{badges}</h1><p class="subtitle">{escape(subtitle)}</p></header>'


def badge(text: str, kind: str = "") -> str:
    """A small label beside a title; kind is "", "good" or "bad"."""
    return f' <span class="badge {kind}">{escape(text)}</span>'


def tile(label: str, value: str, note: str = "", main: bool = False) -> str:
    """One headline number."""
    return (
        f'<div class="tile{" main" if main else ""}"><div class="label">{escape(label)}</div>'
        f'<div class="value">{escape(value)}</div><div class="note">{escape(note)}</div></div>'
    )


def tiles(items: Sequence[str]) -> str:
    """The row of headline numbers."""
    return f'<div class="tiles">{"".join(items)}</div>'


def figure_card(title: str, figure: Figure | None, key: str, caption: str = "") -> str:
    """A card with a figure; nothing where there is no figure."""
    if figure is None:
        return ""
    return card(title, chart.svg(figure, escape(title, quote=True), key), caption)


def card(title: str, inner: str, caption: str = "") -> str:
    """A card with anything inside (already HTML)."""
    below = f'<p class="caption">{escape(caption)}</p>' if caption else ""
    return f'<section class="card"><h3>{escape(title)}</h3>{inner}{below}</section>'


def section(title: str, cards: Sequence[str], wide: bool = False) -> str:
    """A titled group of cards; nothing if all are empty."""
    shown = [item for item in cards if item]
    if not shown:
        return ""
    return f'<h2>{escape(title)}</h2><div class="cards{" wide" if wide else ""}">{"".join(shown)}</div>'


def block(title: str, inner: str) -> str:
    """A titled part of full width; nothing if empty."""
    return f"<h2>{escape(title)}</h2>{inner}" if inner else ""


def picture(grid: Grid, caption: str) -> str:
    """One embedded image with a caption."""
    kind = ' class="pixelated"' if grid.pixelated else ""
    return (
        f'<figure><img{kind} src="{grid.data_uri}" width="{grid.width}" height="{grid.height}" '
        f'alt="Samples, {escape(caption, quote=True)}"><figcaption>{escape(caption)}</figcaption></figure>'
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], words: bool = False) -> str:
    """A table that scrolls sideways on narrow screens; `words` aligns all of it to the left."""
    kind = ' class="words"' if words else ""
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="card scroll"><table{kind}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def folded(summary: str, inner: str) -> str:
    """Something long that opens on a click."""
    return f"<details><summary>{escape(summary)}</summary>{inner}</details>"


def preformatted(text: str) -> str:
    """Text as it is, e.g. a deck."""
    return f"<pre>{escape(text)}</pre>"


def write(path: Path, text: str) -> None:
    """Write a page in one move, so that a reader never sees half of it."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise AnalysisError(ExitCode.IO, f"{path}: cannot write ({error.strerror or error})") from error
