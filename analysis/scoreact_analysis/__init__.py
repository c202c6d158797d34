"""Reads, draws and checks what a scoreact run leaves behind.

Run files are plain HDF5: this package is a convenience, never needed for a run. See docs/analysis.md.
"""

from scoreact_analysis.errors import AnalysisError
from scoreact_analysis.run_file import Evaluation, RunFile
from scoreact_analysis.trajectories import Block, Trajectories
from scoreact_analysis.value_study import ValueDesign, ValueStudy

__version__ = "0.1.0"

__all__ = [
    "AnalysisError",
    "Block",
    "Evaluation",
    "RunFile",
    "Trajectories",
    "ValueDesign",
    "ValueStudy",
]
