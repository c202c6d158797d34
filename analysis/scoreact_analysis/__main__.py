"""Command line: python -m scoreact_analysis {report,compare,recompute,picture,study-table} ..."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from scoreact_analysis import compare, picture, recompute, report, study_table
from scoreact_analysis.errors import AnalysisError, ExitCode, usage
from scoreact_analysis.run_file import RunFile


class Parser(argparse.ArgumentParser):
    """Answers a wrong command line with one line and exit code 64, as the scoreact program does."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of leaving with argparse's own exit code 2."""
        raise usage(f"{message} (see {self.prog} --help)")


def parser() -> Parser:
    """All commands and options."""
    top = Parser(prog="scoreact_analysis", description="Reads, draws and checks the run files of scoreact.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("report", help="write RUN_DIR/report.html, one self-contained page a run")
    command.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR")
    command.add_argument("--out", type=Path, metavar="FILE", help="another place for the page (one run only)")

    command = commands.add_parser("compare", help="several runs on one page, averaged over seeds")
    command.add_argument("runs", nargs="*", type=Path, metavar="RUN_DIR", help="grouped by run.name without _seedN")
    command.add_argument(
        "--group",
        nargs="+",
        action="append",
        default=[],
        metavar=("NAME", "RUN_DIR"),
        help="an explicit group (repeatable)",
    )
    command.add_argument(
        "--reward", type=float, metavar="R", help="also state samples and seconds until this mean reward"
    )
    command.add_argument("--out", type=Path, required=True, metavar="FILE")

    command = commands.add_parser(
        "recompute", help="recompute KLs, log-probabilities and rewards from stored trajectories"
    )
    command.add_argument("run", type=Path, metavar="RUN_DIR", help="a run folder or one trajectory file")
    command.add_argument(
        "--tolerance",
        type=float,
        default=recompute.TOLERANCE,
        help="largest relative deviation (%(default)g)",
    )

    command = commands.add_parser("picture", help="a PNG for a README: samples before and after, and the reward curve")
    command.add_argument("run", type=Path, metavar="RUN_DIR")
    command.add_argument("--out", type=Path, required=True, metavar="FILE")

    command = commands.add_parser("study-table", help="Markdown tables of a study, mean and standard error over seeds")
    command.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR", help="grouped by run.name without _seedN")
    command.add_argument("--out", type=Path, required=True, metavar="FILE.md", help="a CSV file goes beside it")
    command.add_argument("--reward", type=float, default=study_table.REWARD, help="level to reach (%(default)g)")
    command.add_argument(
        "--kl-weight", type=float, default=study_table.KL_WEIGHT, help="lambda of J for all runs (%(default)g)"
    )
    return top


def run_command(arguments: list[str]) -> ExitCode:
    """Run one command; raises AnalysisError."""
    options = parser().parse_args(arguments)
    if options.command == "report":
        if options.out is not None and len(options.runs) > 1:
            raise usage("--out takes one RUN_DIR; without it each run gets its own report.html")
        for directory in options.runs:
            print(report.write_report(directory, options.out))
    elif options.command == "compare":
        groups = compare.grouped([RunFile(directory) for directory in options.runs])
        for name, *directories in options.group:
            if not directories:
                raise usage(f"--group {name}: expected at least one RUN_DIR after the name")
            groups.setdefault(name, []).extend(RunFile(Path(directory)) for directory in directories)
        if not groups:
            raise usage("compare: name at least one RUN_DIR or --group")
        print(compare.write_comparison(groups, options.out, options.reward))
    elif options.command == "recompute":
        result = recompute.recompute(options.run, options.tolerance)
        print(recompute.listing(result))
        return ExitCode.DONE if result.passed else ExitCode.CHECK_FAILED
    elif options.command == "study-table":
        groups = compare.grouped([RunFile(directory) for directory in options.runs])
        print(study_table.write_study_table(groups, options.out, options.reward, options.kl_weight))
    else:
        print(picture.write_picture(options.run, options.out))
    return ExitCode.DONE


def main(arguments: list[str] | None = None) -> int:
    """Entry point: an error is one clear line on standard error and its exit code."""
    try:
        return int(run_command(sys.argv[1:] if arguments is None else arguments))
    except AnalysisError as error:
        print(f"scoreact_analysis: error: {error}", file=sys.stderr)
        return int(error.code)


if __name__ == "__main__":
    sys.exit(main())
