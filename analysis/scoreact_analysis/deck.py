"""The effective deck that every file carries as TOML text in its attribute `deck`."""

import tomllib
from pathlib import Path
from typing import Any

from scoreact_analysis.errors import bad_data


def parse(text: str, path: Path) -> dict[str, Any]:
    """The deck as nested tables; `path` is the file it came from, for messages."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise bad_data(f"{path}: attribute 'deck' is not TOML ({error})") from error


def value(deck: dict[str, Any], key: str, default: Any = None) -> Any:
    """One value by its dotted key, e.g. "sample.num_steps"."""
    node: Any = deck
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            return default
        node = node[part]
    return node
