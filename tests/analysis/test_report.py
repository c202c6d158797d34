"""Pages are complete, self-contained HTML; commands answer with the right exit codes."""

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import h5py
import matplotlib.image
import numpy as np
import pytest
from conftest import write_run, write_value_study
from scoreact_analysis import RunFile, numbers
from scoreact_analysis.__main__ import main
from scoreact_analysis.headline import headline

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Collects what a browser would fetch, element ids, text, and unbalanced tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.referred: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self._attributes(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._attributes(attrs)

    def _attributes(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            value = value or ""
            if name in ("src", "href", "xlink:href", "data", "srcset"):
                (self.referred if value.startswith("#") else self.fetched).append(value)
            self.referred += [f"#{key}" for key in re.findall(r"url\(#([^)]*)\)", value)]
            if name == "id":
                self.ids.append(value)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def checked(path: Path) -> Page:
    """Parse a page and check that it is whole and needs nothing from elsewhere."""
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert page.open == []
    assert all(value.startswith("data:image/png;base64,") for value in page.fetched)
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert len(page.ids) == len(set(page.ids))
    assert {key[1:] for key in page.referred} <= set(page.ids)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    return page


def test_the_report_of_a_run_is_complete(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run_dir)]) == 0
    assert capsys.readouterr().out.strip() == str(run_dir / "report.html")
    page = checked(run_dir / "report.html")
    assert page.tags.count("svg") == 14
    assert page.tags.count("img") == 6  # before, now, and a strip of four
    for words in (
        "digits-ctrl",
        "finished, 8 epochs",
        "Judge accuracy",
        "Share of possible gain",
        "Reward against samples",
        "Step counts over training",
        "Cost of an epoch",
        "First ratio",
        "libtorch",
        "kl_weight = 0.1",
    ):
        assert words in page.words, words


def test_headline_numbers_are_those_of_the_evaluation(run_dir: Path) -> None:
    run = RunFile(run_dir)
    found = headline(run)
    evaluation = run.evaluation
    assert evaluation is not None
    assert found.where == "evaluated with euler_maruyama, 10 steps"  # as the deck samples
    assert found.before == evaluation.table("reward_mean")[0, 1]
    assert found.after == evaluation.table("reward_mean")[-1, 1]
    assert found.after_error == 0.03
    assert found.judge_before == 0.604
    assert found.kl_chain == 7.0


def test_headline_without_evaluation_comes_from_the_rollouts(tmp_path: Path) -> None:
    run = RunFile(write_run(tmp_path / "r", evaluated=False))
    found = headline(run)
    assert found.before == run.metric("reward_mean")[0]
    assert found.after == run.metric("reward_mean")[-1]
    assert np.isnan(found.share_chain)


def test_embedded_images_are_the_files_bytes(run_dir: Path) -> None:
    main(["report", str(run_dir)])
    page = checked(run_dir / "report.html")
    first = base64.b64decode(page.fetched[0].removeprefix("data:image/png;base64,"))
    assert first == (run_dir / "images/epoch_000000.png").read_bytes()


def test_wide_grids_stand_above_each_other(run_dir: Path, tmp_path: Path) -> None:
    for path in (run_dir / "images").glob("*.png"):
        matplotlib.image.imsave(path, np.full((20, 90, 3), 0.5))
    main(["report", str(run_dir)])
    assert 'class="images wide"' in (run_dir / "report.html").read_text()
    main(["picture", str(run_dir), "--out", str(tmp_path / "picture.png")])
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_prompts_stand_below_the_pictures(run_dir: Path) -> None:
    assert RunFile(run_dir).prompts == []
    with h5py.File(run_dir / "run.h5", "r+") as file:
        file["prompts"] = ["a red <heart>", "a fox"]
    main(["report", str(run_dir)])
    assert "row by row: a red &lt;heart&gt;; a fox." in (run_dir / "report.html").read_text()


def test_peak_memory_is_the_largest_over_restarts(run_dir: Path) -> None:
    with h5py.File(run_dir / "run.h5", "r+") as file:
        file["resources/host_memory_peak"] = [np.nan, 2.5e9, 3.14e9, 3.14e9, 1.2e9, 1.3e9, 1.3e9, 1.3e9]
    main(["report", str(run_dir)])
    assert "Peak memory3.14 GBon the host, of rank 0" in checked(run_dir / "report.html").words


@pytest.mark.parametrize("recorded", [None, np.full(8, np.nan)])
def test_a_run_without_peak_memory_has_no_line_for_it(run_dir: Path, recorded: np.ndarray | None) -> None:
    if recorded is not None:
        with h5py.File(run_dir / "run.h5", "r+") as file:
            file["resources/host_memory_peak"] = recorded
    assert main(["report", str(run_dir)]) == 0
    assert "Peak memory" not in checked(run_dir / "report.html").words


def test_a_run_that_has_just_begun_has_a_report(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "r", epochs=1, planned=30, evaluated=False, trajectories=False, images=False)
    assert main(["report", str(run_dir)]) == 0
    assert "1 of 30 epochs" in checked(run_dir / "report.html").words


def test_a_run_without_any_epoch_has_a_report(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "r", epochs=0, planned=30, evaluated=False, trajectories=False, images=False)
    assert main(["report", str(run_dir)]) == 0
    assert "0 of 30 epochs" in checked(run_dir / "report.html").words


def test_a_pretraining_run_shows_its_loss_and_no_reward(tmp_path: Path) -> None:
    iteration = np.arange(100.0, 700.0, 100.0)
    with h5py.File(tmp_path / "run.h5", "w") as file:
        file.attrs["format"], file.attrs["kind"] = "scoreact-run", "pretrain"
        file.attrs["deck"] = "[run]\nname = 'base'\n[pretrain]\niterations = 600\n"
        file["metrics/epoch"] = np.arange(1.0, 7.0)
        file["metrics/iteration"], file["metrics/loss"] = iteration, 1 / iteration
    assert main(["report", str(tmp_path)]) == 0
    page = checked(tmp_path / "report.html")
    assert "600 of 600 iterations" in page.words
    assert "Loss" in page.words
    assert "Reward" not in page.words
    assert page.tags.count("svg") == 1


def test_a_first_ratio_other_than_one_is_flagged(run_dir: Path) -> None:
    with h5py.File(run_dir / "run.h5", "r+") as file:
        file["metrics/ratio_first_max_deviation"][3] = 1e-6
    main(["report", str(run_dir)])
    assert "rollout and update differ" in checked(run_dir / "report.html").words


def test_text_from_the_deck_is_escaped(tmp_path: Path) -> None:
    run_dir = write_run(tmp_path / "r", name="<script>alert(1)</script>")
    main(["report", str(run_dir)])
    page = checked(run_dir / "report.html")
    assert "script" not in page.tags


def test_a_value_study_has_a_report_of_its_own(tmp_path: Path) -> None:
    write_value_study(tmp_path)
    assert main(["report", str(tmp_path), "--out", str(tmp_path / "study.html")]) == 0
    page = checked(tmp_path / "study.html")
    assert "RM(x0hat)+F(x0hat), sin (best)" in page.words
    assert page.tags.count("svg") == 2


def test_comparison_groups_seeds_and_states_standard_errors(tmp_path: Path) -> None:
    folders = [
        str(write_run(tmp_path / f"{name}{seed}", f"{name}_seed{seed}", seed, level=level, trajectories=False))
        for name, level in (("ctrl", -0.2), ("ddpo", -0.6))
        for seed in (1, 2, 3)
    ]
    out = tmp_path / "compare.html"
    assert main(["compare", *folders, "--reward", "-1.0", "--out", str(out)]) == 0
    page = checked(out)
    assert page.tags.count("svg") == 6
    rewards = np.array([headline(RunFile(Path(folder))).after for folder in folders[:3]])
    expected = numbers.with_error(float(rewards.mean()), float(rewards.std(ddof=1) / np.sqrt(3)))
    assert expected in page.words
    assert "2 groups, 6 runs: ctrl, ddpo" in page.words
    assert "3 of 3" in page.words


def test_groups_can_be_named(tmp_path: Path) -> None:
    first, second = (str(write_run(tmp_path / str(s), "same", s, trajectories=False, images=False)) for s in (1, 2))
    out = tmp_path / "c.html"
    assert main(["compare", "--group", "wide", first, "--group", "narrow", second, "--out", str(out)]) == 0
    assert "2 groups, 2 runs: wide, narrow" in checked(out).words


def test_the_picture_is_a_png(run_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "docs/quickstart.png"
    assert main(["picture", str(run_dir), "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["report"], 64, "required: RUN_DIR"),
        (["report", "absent"], 66, "absent: no such run folder"),
        (["report", "a", "b", "--out", "c"], 64, "--out takes one RUN_DIR"),
        (["compare", "--out", "c.html"], 64, "name at least one RUN_DIR"),
        (["compare", "--group", "lonely", "--out", "c.html"], 64, "expected at least one RUN_DIR"),
        (["recompute", "absent"], 66, "absent"),
        (["nonsense"], 64, "invalid choice"),
    ],
)
def test_errors_are_one_line_and_an_exit_code(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error


def test_the_module_runs_as_a_program(run_dir: Path) -> None:
    analysis = Path(__file__).resolve().parents[2] / "analysis"
    command = [sys.executable, "-m", "scoreact_analysis", "report", str(run_dir)]
    done = subprocess.run(command, env={"PYTHONPATH": str(analysis)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_numbers_read_well() -> None:
    assert numbers.with_error(-0.12345, 0.0456) == "−0.123 ± 0.046"
    assert numbers.plain(float("nan")) == "–"
    assert numbers.plain(-0.0) == "0.00"
    assert numbers.plain(123.4) == "123"
    assert numbers.duration(125) == "2 min 05 s"
    assert numbers.percent(0.914) == "91.4 %"
