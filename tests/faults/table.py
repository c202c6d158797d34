"""Writes what the tests of faults counted into a document: python tests/faults/table.py build/faults docs/faults.md

Every test script leaves a JSON file of (fault, outcome, times) in the first folder; the table goes between the two
marks in the document. A script that failed is refused: a table shows what was seen to work.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

BEGIN, END = "<!-- table begins -->", "<!-- table ends -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of JSON files")
    parser.add_argument("document", type=Path)
    arguments = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    notes: list[str] = []
    for path in sorted(arguments.results.glob("*.json")):
        content = json.loads(path.read_text())
        if content["failed"]:
            print(f"{path}: {content['failed']} tests failed (seed {content['seed']}): no table", file=sys.stderr)
            return 1
        for row in content["rows"]:
            counts[row["fault"], row["outcome"]] += row["times"]
        notes += content["notes"]
    if not counts:
        print(f"{arguments.results}: no results; ./runtests faults --long makes them", file=sys.stderr)
        return 1
    kills = sum(times for (fault, _), times in counts.items() if fault.startswith("SIGKILL to"))
    points = sum(times for (fault, _), times in counts.items() if fault.startswith("killed"))
    lines = [
        f"{sum(counts.values())} faults, of them {kills} SIGKILLs at random moments and {points} at chosen file "
        "operations:",
        "",
        "| fault | times | outcome |",
        "|---|---|---|",
        *(f"| {fault} | {times} | {outcome} |" for (fault, outcome), times in sorted(counts.items())),
        "",
        *(f"* {note}" for note in notes),
    ]
    before, _, rest = arguments.document.read_text().partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        print(f"{arguments.document}: expected the marks {BEGIN} and {END}", file=sys.stderr)
        return 1
    arguments.document.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
