"""Figures show the numbers of the file, and there is no figure where there are no numbers."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from conftest import write_run, write_value_study
from matplotlib.figure import Figure
from scoreact_analysis import RunFile, ValueStudy
from scoreact_analysis.figures import chart, cost, divergence, guards, images, seeds, step_counts, training, value_fit


def lines(figure: Figure | None) -> dict[str, np.ndarray]:
    """Label -> [points, 2] of all lines of the first axes."""
    assert figure is not None
    return {str(line.get_label()): np.asarray(line.get_xydata()) for line in figure.axes[0].get_lines()}


def test_reward_is_drawn_against_samples_and_time(run_dir: Path) -> None:
    run = RunFile(run_dir)
    for figure, against in (
        (training.reward_against_samples(run), "samples_total"),
        (training.reward_against_time(run), "wall_time"),
    ):
        (points,) = lines(figure).values()
        assert (points[:, 0] == run.metric(against)).all()
        assert (points[:, 1] == run.metric("reward_mean")).all()


def test_the_reward_band_is_one_standard_error_wide(run_dir: Path) -> None:
    run = RunFile(run_dir)
    figure = training.reward_against_samples(run)
    assert figure is not None
    corners = figure.axes[0].collections[0].get_paths()[0].vertices
    top = np.array([corners[corners[:, 0] == x, 1].max() for x in run.metric("samples_total")])
    assert np.allclose(top, run.metric("reward_mean") + run.metric("reward_stderr"))


def test_both_kls_are_drawn(run_dir: Path) -> None:
    drawn = lines(divergence.divergence(RunFile(run_dir)))
    assert (drawn["path KL (Girsanov)"][:, 1] == RunFile(run_dir).metric("kl_path")).all()
    assert (drawn["chain KL (exact)"][:, 1] == RunFile(run_dir).metric("kl_chain")).all()


def test_each_step_count_is_a_line_over_training(run_dir: Path) -> None:
    evaluation = RunFile(run_dir).evaluation
    assert evaluation is not None
    drawn = lines(step_counts.reward_over_training(evaluation))
    assert [label for label in drawn if not label.startswith("_")] == ["10 steps", "25 steps", "50 steps", "100 steps"]
    assert (drawn["50 steps"][:, 1] == evaluation.table("reward_mean")[:, 2]).all()


def test_each_checkpoint_is_a_line_over_step_counts(run_dir: Path) -> None:
    evaluation = RunFile(run_dir).evaluation
    assert evaluation is not None
    figure = step_counts.reward_against_steps(evaluation)
    assert figure is not None
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["epoch 0", "epoch 4", "epoch 8"]
    assert figure.axes[0].get_xscale() == "log"


def test_parts_of_the_cost_add_up_to_the_epoch(run_dir: Path) -> None:
    run = RunFile(run_dir)
    parts = cost.parts(run)
    assert np.allclose(sum(parts.values()), run.metric("epoch_time"))
    assert cost.cost(run) is not None


def test_every_guard_is_drawn(run_dir: Path) -> None:
    run = RunFile(run_dir)
    for guard in guards.GUARDS:
        (points,) = lines(guards.guard_figure(run, guard)).values()
        assert (points[:, 1] == run.metric(guard.metric)).all()


def test_what_is_all_nan_is_not_drawn(run_dir: Path) -> None:
    with h5py.File(run_dir / "run.h5", "r+") as file:
        file["metrics/value_mse"][...] = np.nan
        del file["metrics/kl_path"], file["metrics/kl_chain"]
    run = RunFile(run_dir)
    assert value_fit.value_error(run) is None
    assert divergence.divergence(run) is None
    assert divergence.reward_against_divergence(run) is None


def test_value_designs_are_drawn_by_epoch_and_by_noise_time(tmp_path: Path) -> None:
    study = ValueStudy.read(write_value_study(tmp_path) / "value_study.h5")
    drawn = lines(value_fit.designs_over_epochs(study))
    by_noise = lines(value_fit.designs_over_noise(study))
    assert len(study.designs) == 4
    for design in study.designs:
        assert (drawn[design.formula][:, 1] == design.test_mse).all()
        assert (by_noise[design.formula][:, 0] == study.tau).all()
    assert "RM(x0hat)+F(x), sin" in drawn


def test_curves_of_seeds_carry_mean_and_standard_error(tmp_path: Path) -> None:
    runs = [RunFile(write_run(tmp_path / str(seed), seed=seed, trajectories=False, images=False)) for seed in (1, 2, 3)]
    found = seeds.curve(runs, "samples_total", "reward_mean")
    assert found is not None
    rewards = np.stack([run.metric("reward_mean") for run in runs])
    assert np.allclose(found.mean, rewards.mean(axis=0))
    assert np.allclose(found.error, rewards.std(axis=0, ddof=1) / np.sqrt(3))


def test_seeds_of_different_length_are_compared_where_all_have_values(tmp_path: Path) -> None:
    runs = [
        RunFile(write_run(tmp_path / str(epochs), epochs=epochs, trajectories=False, images=False)) for epochs in (5, 8)
    ]
    found = seeds.curve(runs, "epoch", "reward_mean")
    assert found is not None
    assert found.x.tolist() == [1, 2, 3, 4, 5]


def test_svg_follows_the_theme_and_loads_nothing(run_dir: Path) -> None:
    figure = training.reward_against_samples(RunFile(run_dir))
    assert figure is not None
    text = chart.svg(figure, "Reward", "key")
    assert "var(--series-0, #2563eb)" in text
    assert "http" not in text
    assert 'aria-label="Reward"' in text
    assert ">samples drawn</text>" in text


@pytest.mark.parametrize(("width", "expected"), [(800, 800), (3000, 1000)])
def test_large_grids_are_averaged_down(width: int, expected: int) -> None:
    image = np.tile(np.linspace(0, 1, width, dtype=np.float32)[None, :, None], (30, 1, 3))
    small = images.averaged_down(image, 1024)
    assert small.shape[1] == expected
    assert abs(small.mean() - image.mean()) < 1e-4
