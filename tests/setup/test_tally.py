"""runtests' closing line: what counts as passed, failed, skipped."""

import subprocess
import sys
from pathlib import Path

import pytest

TALLY = Path(__file__).parents[2] / "src/setup/tally.py"

GTEST = """[==========] Running 3 tests from 1 test suite.
[       OK ] Kernel.AddsUp (0 ms)
[  SKIPPED ] Kernel.RunsOnTheDevice (0 ms)
[==========] 3 tests from 1 test suite ran. (1 ms total)
[  PASSED  ] 2 tests.
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] Kernel.RunsOnTheDevice
"""
GTEST_FAILED = """[  PASSED  ] 5 tests.
[  FAILED  ] 2 tests, listed below:
[  FAILED  ] Step.IsExact
[  FAILED  ] Step.IsQuick

 2 FAILED TESTS
"""


def tally(tmp_path, cases, *options):
    junit = tmp_path / "tests.xml"
    junit.write_text(f"<testsuite>{cases}</testsuite>")
    done = subprocess.run([sys.executable, TALLY, junit, *options], check=False, capture_output=True, text=True)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def case(name, output="", status="run", inside=""):
    return f'<testcase name="{name}" status="{status}">{inside}<system-out>{output}</system-out></testcase>'


FAILURE = '<failure message=""/>'


@pytest.mark.parametrize(
    "test, closing_line",
    [
        (case("plain"), "1 passed, 0 failed, 0 skipped"),
        (case("plain", status="fail", inside=FAILURE), "0 passed, 1 failed, 0 skipped"),
        (case("gtest", GTEST), "2 passed, 0 failed, 1 skipped"),
        (case("two ranks print", GTEST + GTEST), "2 passed, 0 failed, 1 skipped"),
        (case("gtest", GTEST_FAILED, "fail", FAILURE), "5 passed, 2 failed, 0 skipped"),
        (case("crash", "[ RUN      ] Step.IsExact", "fail", FAILURE), "0 passed, 1 failed, 0 skipped"),
        (case("crash at the end", "[  PASSED  ] 4 tests.", "fail", FAILURE), "4 passed, 1 failed, 0 skipped"),
        (case("pytest", ".....\n5 passed in 0.03s"), "5 passed, 0 failed, 0 skipped"),
        (case("pytest", "== 3 passed, 2 skipped, 1 warning in 71.20s (0:01:11) =="), "3 passed, 0 failed, 2 skipped"),
        (case("pytest", "1 failed, 3 passed, 1 error in 2s", "fail", FAILURE), "3 passed, 2 failed, 0 skipped"),
        (case("gone", status="notrun", inside='<skipped message="SKIP_RETURN_CODE=77"/>'), "0 passed, 0 failed, 1 skipped"),
        (case("gone", status="notrun", inside='<skipped message="Unable to find executable"/>'), "0 passed, 1 failed, 0 skipped"),
        (case("off", status="disabled"), "0 passed, 0 failed, 1 skipped"),
        (case("a", GTEST) + case("b") + case("c", status="fail", inside=FAILURE), "3 passed, 1 failed, 1 skipped"),
    ],
)
def test_closing_line(tmp_path, test, closing_line):
    status, lines = tally(tmp_path, test)
    assert lines[-1] == closing_line
    assert status == (0 if " 0 failed" in closing_line else 1)


def test_skips_are_named_and_count_as_failure_when_asked(tmp_path):
    assert tally(tmp_path, case("unit.kernels", GTEST), "--no-skips") == (
        1,
        ["skipped: unit.kernels: Kernel.RunsOnTheDevice", "2 passed, 0 failed, 1 skipped"],
    )
    reason = "SKIPPED [1] tests/x.py:3: no GPU\n1 skipped in 0.1s"
    assert "skipped: unit.x: tests/x.py:3: no GPU" in tally(tmp_path, case("unit.x", reason))[1]
    assert tally(tmp_path, case("plain"), "--no-skips")[0] == 0
