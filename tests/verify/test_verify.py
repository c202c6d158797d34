"""scoreact verify as a user runs it: one run, its table as JSON and its file."""

import json
import os
import pathlib
import subprocess

import h5py
import numpy as np
import pytest

PROGRAM = os.environ["SCOREACT"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], pathlib.Path]:
    folder = tmp_path_factory.mktemp("verify")
    done = subprocess.run(
        [PROGRAM, "verify", "--json", "--out", str(folder)], capture_output=True, text=True, timeout=800, check=False
    )
    return done, folder


def rows_of(run: tuple[subprocess.CompletedProcess[str], pathlib.Path]) -> list[dict]:
    return json.loads(run[0].stdout)["rows"]


def test_every_check_passes(run) -> None:
    failed = [row for row in rows_of(run) if not row["pass"]]
    assert run[0].returncode == 0, (failed, run[0].stderr)
    assert not failed


def test_rows_say_what_their_z_says(run) -> None:
    for row in rows_of(run):
        assert set(row) == {"name", "estimate", "exact", "stderr", "z", "pass"}
        assert row["pass"] == (abs(row["z"]) <= 4), row
        if row["stderr"] > 0:  # z allows a little more for rounding, so it can only be smaller
            assert abs(row["z"]) <= abs(row["estimate"] - row["exact"]) / row["stderr"] * (1 + 1e-9), row


def test_z_of_the_gradient_rows_is_spread_as_chance_would_have_it(run) -> None:
    z = np.array([row["z"] for row in rows_of(run) if row["name"].startswith("dJ/dtheta") and row["stderr"] > 1e-4])
    assert len(z) > 500
    assert 0.7 < z.std() < 1.3
    assert abs(z.mean()) < 0.3  # rows of one rollout are correlated


@pytest.mark.parametrize("solver", ["ddim", "ddpm", "euler_maruyama", "heun_sde", "dpmpp_2m", "dpmpp_2m_sde"])
@pytest.mark.parametrize(
    "grid", ["leading", "trailing", "linspace", "uniform", "quadratic", "log_snr", "karras", "stratified"]
)
def test_every_solver_is_checked_on_every_grid(run, solver: str, grid: str) -> None:
    names = [row["name"] for row in rows_of(run)]
    here = [name for name in names if name.startswith(f"dJ/dtheta: {solver} {grid} ")]
    wanted = ["pathwise", "policy_gradient finite_difference", "policy_gradient gradient", "policy_gradient increment"]
    for estimator in [*wanted, "clipped finite_difference", "clipped gradient", "clipped increment"]:
        assert any(f"score: {estimator}" in name for name in here), estimator
        # no ratio where a step has no noise, no single Gaussian where there are two stages
        if solver not in ("heun_sde", "dpmpp_2m"):
            assert any(f"transition: {estimator}" in name for name in here), estimator


def test_file_holds_the_same_rows(run) -> None:
    rows = rows_of(run)
    with h5py.File(run[1] / "verify.h5") as file:
        assert file.attrs["format"] == "scoreact-verify"
        assert [name.decode() for name in file["name"][:]] == [row["name"] for row in rows]
        np.testing.assert_allclose(file["estimate"][:], [row["estimate"] for row in rows])
        np.testing.assert_allclose(file["exact"][:], [row["exact"] for row in rows])
