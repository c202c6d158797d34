"""Typed access to HDF5: the only module that touches h5py.

Files are opened without a lock and for reading only, so that looking at a run never disturbs it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from scoreact_analysis.errors import bad_data, missing

Floats = NDArray[np.float64]


@contextmanager
def opened(path: Path, expected_format: str | None) -> Iterator[Any]:
    """Open `path`; missing file, not HDF5, or a root attribute `format` other than expected: AnalysisError."""
    if not path.is_file():
        raise missing(f"{path}: no such file")
    try:
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise bad_data(f"{path}: not a readable HDF5 file ({first_line(error)})") from error
    with file:
        if expected_format is not None:
            found = text(file.attrs.get("format", "none"))
            if found != expected_format:
                raise bad_data(f"{path}: expected format '{expected_format}', found '{found}'")
        try:
            yield file
        except OSError as error:
            raise bad_data(f"{path}: damaged HDF5 data ({first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def text(value: object) -> str:
    """An attribute or string element as text, whatever HDF5 string kind it has."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, np.ndarray):
        return ", ".join(text(item) for item in value.ravel().tolist())
    return str(value)


def attributes(node: Any) -> dict[str, str]:
    """All attributes of a group or dataset as text, sorted by name."""
    return {name: text(node.attrs[name]) for name in sorted(node.attrs)}


def number(node: Any, name: str) -> float:
    """A scalar numeric attribute; NaN where it is absent."""
    if name not in node.attrs:
        return float("nan")
    try:
        return float(np.asarray(node.attrs[name], dtype=np.float64).reshape(-1)[0])
    except (ValueError, IndexError) as error:
        raise bad_data(f"{node.file.filename}: attribute '{name}' is not a number") from error


def floats(group: Any, name: str, dimensions: int) -> Floats:
    """A whole numeric dataset as float64 with the given number of dimensions."""
    return converted(dataset(group, name, dimensions), ...)


def converted(source: Any, selection: Any) -> Floats:
    """A selection of a numeric dataset as float64."""
    try:
        return np.asarray(source[selection], dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise bad_data(f"{source.file.filename}: dataset '{source.name}' does not hold numbers") from error


def strings(group: Any, name: str) -> list[str]:
    """A one-dimensional string dataset."""
    return [text(item) for item in dataset(group, name, 1)[...].tolist()]


def dataset(group: Any, name: str, dimensions: int | None = None) -> Any:
    """The dataset itself (unread), checked to exist and to have the given number of dimensions."""
    if name not in group or not isinstance(group[name], h5py.Dataset):
        raise bad_data(f"{group.file.filename}: no dataset '{join(group, name)}'")
    found = group[name]
    if dimensions is not None and found.ndim != dimensions:
        raise bad_data(
            f"{group.file.filename}: dataset '{join(group, name)}' has {found.ndim} dimensions, expected {dimensions}"
        )
    return found


def subgroups(group: Any) -> list[str]:
    """Names of the groups inside a group, in creation or name order."""
    return [name for name in group if isinstance(group[name], h5py.Group)]


def datasets(group: Any) -> list[str]:
    """Names of the datasets inside a group."""
    return [name for name in group if isinstance(group[name], h5py.Dataset)]


def join(group: Any, name: str) -> str:
    """The full path of `name` in `group`."""
    return f"{group.name.rstrip('/')}/{name}"
