"""The one error that reaches the user: a clear line and the exit code that scripts test.

The codes are those of the scoreact program (after sysexits.h).
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes shared with the scoreact program."""

    DONE = 0
    CHECK_FAILED = 1
    USAGE = 64
    BAD_DATA = 65
    MISSING = 66
    IO = 74


class AnalysisError(Exception):
    """Says what was named, what was expected and what was found."""

    def __init__(self, code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def missing(message: str) -> AnalysisError:
    """A file or folder that the user named is not there (exit 66)."""
    return AnalysisError(ExitCode.MISSING, message)


def bad_data(message: str) -> AnalysisError:
    """A file is there but does not hold what it should (exit 65)."""
    return AnalysisError(ExitCode.BAD_DATA, message)


def usage(message: str) -> AnalysisError:
    """The command line makes no sense (exit 64)."""
    return AnalysisError(ExitCode.USAGE, message)
