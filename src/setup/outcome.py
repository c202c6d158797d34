"""Prints in a few words what fine-tuning changed in a run directory: the mean reward before and after."""

import sys
from pathlib import Path

from scoreact_analysis.headline import headline
from scoreact_analysis.run_file import RunFile

found = headline(RunFile(Path(sys.argv[1])))
print(f"mean reward {found.before:.3f} -> {found.after:.3f} ({found.where})")
