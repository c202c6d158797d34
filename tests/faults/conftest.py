"""One seed for everything random in these tests, printed for repeating a failure; a table of faults and outcomes."""

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_run import DIGITS, GAUSSIAN, LONG, Case, Tell, finish

# the long form looks for new faults; the ordinary one must not fail by chance
SEED = int(os.environ.get("SCOREACT_FAULTS_SEED", time.time_ns() % 1_000_000_000 if LONG else 1))
OUTCOMES: Counter[tuple[str, str]] = Counter()
NOTES: list[str] = []


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers of one test; the same for the same SCOREACT_FAULTS_SEED."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def tell() -> Tell:
    """Counts what came of a fault."""

    def count(fault: str, outcome: str, times: int = 1) -> None:
        OUTCOMES[fault, outcome] += times

    return count


@pytest.fixture
def note() -> Callable[[str], None]:
    """A line for the summary."""
    return NOTES.append


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The run of a case on one rank without any fault, made once for each length."""
    folder = tmp_path_factory.mktemp("undisturbed")

    def run(case: Case, epochs: int | None = None) -> Path:
        out = folder / f"{case.deck.stem}_{epochs or case.epochs}"
        if not out.exists():
            finish(case.command(out, run__epochs=epochs or case.epochs))
        return out

    return run


@pytest.fixture(params=[GAUSSIAN, DIGITS], ids=lambda case: case.deck.stem)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    write = terminalreporter.write_line
    write(f"seed {SEED}: SCOREACT_FAULTS_SEED={SEED} repeats these faults")
    for line in NOTES:
        write(line)
    for (fault, outcome), times in sorted(OUTCOMES.items()):
        write(f"{times:5d}  {fault}: {outcome}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Leaves the table where table.py finds it."""
    folder = os.environ.get("SCOREACT_FAULTS_OUT")
    scripts = sorted({item.path.stem for item in session.items})
    if folder and OUTCOMES:
        rows = [{"fault": fault, "outcome": outcome, "times": n} for (fault, outcome), n in sorted(OUTCOMES.items())]
        Path(folder).mkdir(parents=True, exist_ok=True)
        name = "+".join(scripts) + ("-long" if LONG else "")
        content = {"seed": SEED, "failed": session.testsfailed, "notes": NOTES, "rows": rows}
        (Path(folder) / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
