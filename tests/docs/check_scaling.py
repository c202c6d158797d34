"""docs/scaling.md shows what the cost model prints, and its measured part came from the command that it names."""

import itertools
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
MODEL = runpy.run_path(str(ROOT / "tests" / "perf" / "cost_model.py"), run_name="cost_model")


def test_the_predictions_are_those_of_the_model() -> None:
    shown = PAGE.split(MODEL["BEGIN"])[1].split(MODEL["END"])[0]
    assert shown.strip() == MODEL["page"]().strip(), "tests/perf/cost_model.py docs/scaling.md puts them on the page"


def test_the_measured_part_is_there_for_1_2_and_4_ranks() -> None:
    shown = PAGE.split("<!-- measured -->")[1].split("<!-- end of what was measured -->")[0]
    epochs = [line for line in shown.splitlines() if line.startswith("|")][2:5]
    assert [line.split("|")[1].strip() for line in epochs] == ["1", "2", "4"]


def test_a_ring_moves_no_bytes_on_one_gpu_and_nearly_twice_the_gradient_on_many() -> None:
    ring, machine = MODEL["ring"], MODEL["H100"]
    assert ring(1e9, 1, machine) == 0
    assert ring(1e9, 512, machine) == pytest.approx(2e9 / machine.inter, rel=0.01)
    assert ring(1e9, 8, machine) == pytest.approx(2 * 7 / 8 * 1e9 / machine.intra, rel=0.01)


@pytest.mark.parametrize("deterministic", [True, False])
def test_compute_stays_and_communication_grows_with_the_gpus(deterministic: bool) -> None:
    epochs = [MODEL["epoch"](MODEL["SD15"], MODEL["H100"], ranks, deterministic) for ranks in (1, 8, 64, 512)]
    for few, many in itertools.pairwise(epochs):
        assert (few.rollout, few.value, few.update) == (many.rollout, many.value, many.update)
        assert few.reduce < many.reduce and few.exchange < many.exchange and few.total < many.total


def test_the_largest_part_bounds_the_epoch() -> None:
    stored = MODEL["epoch"](MODEL["SD15"], MODEL["H100"], 512, False, True)
    assert stored.bound == "files" and stored.files == max(stored.rollout, stored.value, stored.update, stored.files)


def test_interpolation_meets_the_rows_of_the_table_and_goes_on_in_proportion() -> None:
    rows = [[100.0, 0.0, 1.0, 9.0], [200.0, 0.0, 3.0, 9.0]]
    at = MODEL["interpolated"]
    assert [at(rows, floats, 2) for floats in (50, 100, 150, 200, 400)] == [1, 1, 2, 3, 6]
