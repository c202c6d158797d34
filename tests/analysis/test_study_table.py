"""study-table: groups over seeds, lambda of all runs, and numbers that can be traced to their runs."""

import csv
import math
from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import write_run
from scoreact_analysis import RunFile
from scoreact_analysis.__main__ import main
from scoreact_analysis.compare import grouped
from scoreact_analysis.study_table import bases, study_rows


def study(folder: Path, seeds: int = 3) -> list[Path]:
    """A group with lambda = 0.1 and one without, `seeds` runs each."""
    runs = []
    for seed in range(1, seeds + 1):
        for name, level in (("ctrl", -0.1), ("ddpo", -0.3)):
            directory = folder / f"{name}_seed{seed}"
            runs.append(write_run(directory, name=name, seed=seed, level=level, trajectories=False, images=False))
            if name == "ddpo":
                with h5py.File(directory / "run.h5", "r+") as file:
                    file["evaluation"].attrs["kl_weight"] = 0.0
                    file["evaluation"].attrs["optimum_j"] = math.nan
    return runs


def tables(page: Path) -> list[dict[str, dict[str, str]]]:
    """The Markdown tables of a page: name of the row -> title -> cell."""
    found: list[list[list[str]]] = []
    previous = ""
    for line in page.read_text().splitlines():
        if line.startswith("|"):
            if not previous.startswith("|"):
                found.append([])
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        previous = line
    return [{row[0]: dict(zip(lines[0], row, strict=True)) for row in lines[2:]} for lines in found]


def test_cells_are_mean_and_standard_error_over_seeds(tmp_path: Path) -> None:
    runs = study(tmp_path)
    page = tmp_path / "page.md"
    assert main(["study-table", *map(str, runs), "--out", str(page)]) == 0
    outcome, cost, steps = tables(page)
    assert set(outcome) == set(cost) == set(steps) == {"ctrl", "ddpo"}
    assert outcome["ctrl"]["seeds"] == "3"
    rewards = []
    for run in runs:
        with h5py.File(run / "run.h5") as file:
            if "ctrl" in run.name:
                rewards.append(file["evaluation/reward_mean"][-1, list(file["evaluation/steps"]).index(10)])
    mean, error = np.mean(rewards), np.std(rewards, ddof=1) / np.sqrt(3)
    for cell in (outcome["ctrl"]["reward"], steps["ctrl"]["10 steps"]):  # trained with 10 steps
        shown_mean, shown_error = (float(part.replace("−", "-")) for part in cell.split("±"))
        assert shown_mean == pytest.approx(mean, abs=0.5 * error)
        assert shown_error == pytest.approx(error, rel=0.5)
    assert outcome["ctrl"]["judge (%)"].startswith("95")
    assert "200 steps" not in steps["ctrl"]  # nobody evaluated it


def test_shares_of_all_runs_are_held_against_one_optimum(tmp_path: Path) -> None:
    groups = grouped([RunFile(run) for run in study(tmp_path)])
    base = bases([run for runs in groups.values() for run in runs], 0.1)
    assert list(base) == [("euler_maruyama", 10)]
    rows = study_rows(groups)
    for name in ("ctrl", "ddpo"):
        for row in rows[name]:
            values = row.values
            assert values["j_chain"] == pytest.approx(values["reward_mean"] - 0.1 * 7)
            assert values["share_chain"] == pytest.approx((values["j_chain"] + 2) / (-0.12 + 2))
            assert values["share_path"] > values["share_chain"]


def test_without_a_run_of_that_lambda_there_are_no_shares(tmp_path: Path) -> None:
    groups = grouped([RunFile(run) for run in study(tmp_path, seeds=1)])
    for rows in study_rows(groups, kl_weight=0.2).values():
        assert math.isnan(rows[0].values["share_chain"])
        assert math.isfinite(rows[0].values["j_chain"])


def test_a_level_that_is_never_reached_says_so(tmp_path: Path) -> None:
    runs = study(tmp_path)
    page = tmp_path / "page.md"
    assert main(["study-table", *map(str, runs), "--out", str(page), "--reward", "-0.5"]) == 0
    cost = tables(page)[1]
    assert cost["ctrl"]["reached"] == "3 of 3"
    rows = study_rows(grouped([RunFile(run) for run in runs]), reward=-0.5)
    first = rows["ctrl"][0]
    epoch = np.flatnonzero(first.run.metric("reward_mean") >= -0.5)[0]
    assert first.values["samples_total_to_reward"] == first.run.metric("samples_total")[epoch]
    assert first.values["wall_time_to_reward"] == first.run.metric("wall_time")[epoch]
    assert main(["study-table", *map(str, runs), "--out", str(page), "--reward", "5"]) == 0
    assert tables(page)[1]["ctrl"]["reached"] == "0 of 3"
    assert "samples to 5" not in tables(page)[1]["ctrl"]


def test_the_csv_has_every_run_at_full_precision(tmp_path: Path) -> None:
    runs = study(tmp_path, seeds=2)
    assert main(["study-table", *map(str, runs), "--out", str(tmp_path / "page.md")]) == 0
    with (tmp_path / "page.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [(line["group"], line["seed"]) for line in lines] == [(n, s) for n in ("ctrl", "ddpo") for s in "12"]
    for line in lines:
        assert all(math.isfinite(float(text)) for name, text in line.items() if name != "group" and text), line
    rows = study_rows(grouped([RunFile(run) for run in runs]))
    assert float(lines[0]["frechet_distance"]) == rows["ctrl"][0].values["frechet_distance"]


def test_a_run_without_evaluation_still_has_its_cost(tmp_path: Path) -> None:
    run = write_run(tmp_path / "ctrl_seed1", name="ctrl", evaluated=False, trajectories=False, images=False)
    page = tmp_path / "page.md"
    assert main(["study-table", str(run), "--out", str(page)]) == 0
    outcome, cost, _ = tables(page)
    assert set(outcome["ctrl"]) == {"runs", "seeds"}
    assert float(cost["ctrl"]["network evaluations an epoch"]) == 240


def test_a_missing_run_is_one_line_and_exit_code_66(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["study-table", str(tmp_path / "none"), "--out", str(tmp_path / "page.md")]) == 66
    assert capsys.readouterr().err.count("\n") == 1
