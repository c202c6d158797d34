"""Counts what ctest ran and prints `P passed, F failed, S skipped` as the last line.

A ctest test that is a GoogleTest or pytest program counts by its own cases, so that one skipped case among
many passed ones is seen; any other test counts as one. Exit code 1 if something failed, or, with --no-skips,
was skipped.
"""

import argparse
import re
import sys
from typing import NamedTuple
from xml.etree import ElementTree

GTEST_TOTAL = re.compile(r"^\[ +(PASSED|FAILED|SKIPPED) +\] (\d+) tests?[.,]", re.MULTILINE)
GTEST_SKIPPED = re.compile(r"^\[ +SKIPPED +\] (\w\S*\.\S+)(?: \(\d+ ms\))?$", re.MULTILINE)
PYTEST_TOTAL = re.compile(r"^=*\s*((?:\d+ \w+(?:, )?)+) in [\d.]+s", re.MULTILINE)
PYTEST_SKIPPED = re.compile(r"^SKIPPED \[\d+\] (.+)$", re.MULTILINE)


class Count(NamedTuple):
    passed: int = 0
    failed: int = 0
    skipped: int = 0


def cases_inside(output: str) -> Count:
    """What the program itself counted; all zero if it is no GoogleTest and no pytest program."""
    # Several ranks may print the same total: the largest counts, not the sum.
    gtest: dict[str, int] = {}
    for kind, number in GTEST_TOTAL.findall(output):
        gtest[kind] = max(gtest.get(kind, 0), int(number))
    if gtest:
        return Count(gtest.get("PASSED", 0), gtest.get("FAILED", 0), gtest.get("SKIPPED", 0))
    totals = PYTEST_TOTAL.findall(output)
    if not totals:
        return Count()
    pytest = {kind: int(number) for number, kind in re.findall(r"(\d+) (\w+)", totals[-1])}
    failed = sum(pytest.get(kind, 0) for kind in ("failed", "error", "errors"))
    return Count(pytest.get("passed", 0), failed, pytest.get("skipped", 0))


def count_test(case: ElementTree.Element) -> tuple[Count, list[str]]:
    """Count and names of what was skipped, for one ctest test."""
    name = case.get("name", "")
    output = case.findtext("system-out") or ""
    inside = cases_inside(output)
    if case.find("failure") is not None or case.get("status") == "fail":
        return inside._replace(failed=max(inside.failed, 1)), []
    if case.get("status") == "disabled":
        return Count(skipped=1), [f"{name}: disabled"]
    skipped = case.find("skipped")
    if skipped is not None and inside.skipped == 0:
        # ctest also says "skipped" of a program that it didn't find; that is a failure.
        if re.search(r"SKIP_", skipped.get("message", "")):
            lines = output.strip().splitlines()
            return Count(skipped=1), [f"{name}: {lines[-1] if lines else 'no reason given'}"]
        return Count(failed=1), []
    if inside == Count():
        return Count(passed=1), []
    reasons = sorted(set(GTEST_SKIPPED.findall(output)) | set(PYTEST_SKIPPED.findall(output)))
    return inside, [f"{name}: {reason}" for reason in reasons] if inside.skipped else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("junit", help="what ctest --output-junit wrote")
    parser.add_argument("--no-skips", action="store_true", help="a skipped test fails the run")
    arguments = parser.parse_args()
    total = Count()
    for case in ElementTree.parse(arguments.junit).getroot().iter("testcase"):
        count, skipped = count_test(case)
        total = Count(*(a + b for a, b in zip(total, count)))
        if count.failed:
            print(f"failed: {case.get('name')}")
        for line in skipped:
            print(f"skipped: {line}")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed or (arguments.no_skips and total.skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
