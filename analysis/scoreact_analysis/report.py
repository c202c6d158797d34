"""RUN_DIR/report.html: one run (or value study) on one page."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scoreact_analysis import numbers, page
from scoreact_analysis.errors import missing
from scoreact_analysis.figures import cost, divergence, guards, images, step_counts, training, value_fit
from scoreact_analysis.hdf5 import Floats
from scoreact_analysis.headline import Headline, headline, last, trained_column
from scoreact_analysis.run_file import Evaluation, RunFile
from scoreact_analysis.value_study import ValueStudy

DRAWN = {
    "epoch",
    "iteration",
    "samples_total",
    "network_evaluations",
    "wall_time",
    "epoch_time",
    "rollout_time",
    "value_time",
    "update_time",
    "reward_mean",
    "reward_std",
    "reward_stderr",
    "kl_path",
    "kl_chain",
    "value_mse",
    *(guard.metric for guard in guards.GUARDS),
}
VALUE_STUDY_FILE = "value_study.h5"


def write_report(directory: Path, out: Path | None = None) -> Path:
    """Write the report of a run folder (default: RUN_DIR/report.html) and return its path."""
    if not directory.exists():
        raise missing(f"{directory}: no such run folder")
    folder = directory if directory.is_dir() else directory.parent
    study_path = directory if directory.name == VALUE_STUDY_FILE else folder / VALUE_STUDY_FILE
    target = out or folder / "report.html"
    is_study = study_path.is_file() and (directory == study_path or not (folder / "run.h5").is_file())
    if is_study:
        text = value_study_page(ValueStudy.read(study_path), folder.resolve().name)
    else:
        study = ValueStudy.read(study_path) if study_path.is_file() else None
        text = run_page(RunFile(directory), study)
    page.write(target, text)
    return target


def run_page(run: RunFile, study: ValueStudy | None = None) -> str:
    """The page of a run as HTML text."""
    summary = headline(run)
    parts = [
        page.header(run.name, subtitle(run), status_badges(run)),
        page.tiles(headline_tiles(run, summary)),
        image_part(run),
        page.section("Learning", learning_cards(run), wide=True),
        evaluation_part(run),
        page.section("Other metrics", other_cards(run), wide=True),
        page.section(
            "Cost and value fit",
            [
                page.figure_card(
                    "Cost of an epoch",
                    cost.cost(run),
                    "cost",
                    "Other: reward statistics, checkpoints, pictures, files.",
                ),
                page.figure_card(
                    "Value function",
                    value_fit.value_error(run),
                    "value-error",
                    "Mean squared error to the Monte Carlo return; compare with the variance of the reward.",
                ),
            ],
            wide=True,
        ),
        value_study_part(study) if study else "",
        page.section(
            "Guards",
            [
                page.figure_card(guard.title, guards.guard_figure(run, guard), f"guard-{guard.metric}", guard.meaning)
                for guard in guards.GUARDS
            ],
        ),
        page.block("Provenance", provenance(run)),
    ]
    return page.document(f"{run.name} · scoreact", "\n".join(part for part in parts if part))


def value_study_page(study: ValueStudy, name: str) -> str:
    """The page of a value study without a run."""
    body = page.header(name, "Value study: every design fitted on the same trajectories") + value_study_part(study)
    return page.document(f"{name} · scoreact value study", body)


def subtitle(run: RunFile) -> str:
    """Algorithm, size of the rollout, machine."""
    deck = run.deck_value
    words = [
        str(deck("algorithm.name", "")).upper(),
        str(deck("algorithm.update", "")),
        f"λ = {deck('algorithm.kl_weight')}" if deck("algorithm.kl_weight") is not None else "",
        f"{deck('sample.samples_per_epoch')} samples an epoch" if deck("sample.samples_per_epoch") else "",
        f"{deck('sample.solver', '')} {deck('sample.num_steps', '')} steps".strip(),
        f"seed {deck('run.seed')}" if deck("run.seed") is not None else "",
        f"{run.attributes.get('ranks', '?')} ranks" if run.attributes.get("ranks", "1") != "1" else "",
        run.attributes.get("created", ""),
    ]
    return " · ".join(word for word in words if word and word != "steps")


def status_badges(run: RunFile) -> str:
    """Finished or how far, and whether the first ratio was exact."""
    if run.attributes.get("kind") == "pretrain":
        done = numbers.count(last(run.metric("iteration")))
        return page.badge(f"{done} of {run.deck_value('pretrain.iterations', '?')} iterations")
    badges = (
        page.badge(f"finished, {run.epochs} epochs", "good")
        if run.finished
        else page.badge(f"{run.epochs} of {run.planned_epochs or '?'} epochs")
    )
    deviation = run.metric("ratio_first_max_deviation")
    if np.any(np.nan_to_num(deviation) != 0.0):
        badges += page.badge("rollout and update differ", "bad")
    return badges


def headline_tiles(run: RunFile, found: Headline) -> list[str]:
    """The headline numbers; what is not known is left out."""
    before, after = (
        numbers.with_error(v, e) for v, e in ((found.before, found.before_error), (found.after, found.after_error))
    )
    tiles = []
    if math.isfinite(found.after):
        tiles.append(
            page.tile(
                f"Reward before → after ({found.where})",
                f"{numbers.plain(found.before)} → {numbers.plain(found.after)}",
                f"{before}  →  {after} (standard errors)",
                main=True,
            )
        )
    if math.isfinite(found.judge_after):
        was = f"base {numbers.percent(found.judge_before)}" if math.isfinite(found.judge_before) else ""
        tiles.append(page.tile("Judge accuracy", numbers.percent(found.judge_after), was))
    if math.isfinite(found.frechet_after):
        was = f"base {numbers.plain(found.frechet_before)}" if math.isfinite(found.frechet_before) else ""
        tiles.append(page.tile("Fréchet distance", numbers.plain(found.frechet_after), was))
    if math.isfinite(found.kl_path):
        tiles.append(page.tile("Path KL", f"{numbers.plain(found.kl_path)} nats", "Girsanov"))
    if math.isfinite(found.kl_chain):
        tiles.append(page.tile("Chain KL", f"{numbers.plain(found.kl_chain)} nats", "exact, between the samplers"))
    if math.isfinite(found.share_chain):
        tiles.append(
            page.tile("Share of possible gain", numbers.percent(found.share_chain), "chain KL; 100 % is the limit")
        )
    if math.isfinite(found.share_path):
        limit = "" if run.deck_value("sample.solver") == "euler_maruyama" else "; may exceed 100 %"
        tiles.append(page.tile("Share, path KL", numbers.percent(found.share_path), f"Girsanov KL{limit}"))
    if math.isfinite(found.wall_time):
        per_epoch = found.wall_time / max(run.epochs, 1)
        tiles.append(page.tile("Time", numbers.duration(found.wall_time), f"{numbers.duration(per_epoch)} an epoch"))
    if math.isfinite(found.samples):
        calls = (
            f"{numbers.count(found.network_evaluations)} network evaluations"
            if math.isfinite(found.network_evaluations)
            else ""
        )
        tiles.append(page.tile("Samples drawn", numbers.count(found.samples), calls))
    memory = peak_memory(run)
    if math.isfinite(memory):
        tiles.append(page.tile("Peak memory", f"{numbers.plain(memory / 1e9)} GB", "on the host, of rank 0"))
    return tiles


def peak_memory(run: RunFile) -> float:
    """Bytes of host memory at most; the record begins anew when a run is continued. NaN in runs without it."""
    recorded = run.resources.get("host_memory_peak", np.empty(0))
    finite = recorded[np.isfinite(recorded)]
    return float(finite.max()) if finite.size else math.nan


def image_part(run: RunFile) -> str:
    """Before and after side by side, then a strip over training."""
    files = images.chosen(run.images())
    if not files:
        return ""
    grids = [images.grid(epoch, path) for epoch, path in files]
    wide = " wide" if grids[0].width > 2 * grids[0].height else ""
    shown = page.picture(grids[0], f"epoch {grids[0].epoch}" + (" (before)" if len(grids) > 1 else ""))
    if len(grids) > 1:
        shown += page.picture(grids[-1], f"epoch {grids[-1].epoch} (now)")
    inner = f'<div class="images{wide}">{shown}</div>'
    if len(grids) > 2:
        strip = "".join(page.picture(grid, f"epoch {grid.epoch}") for grid in grids)
        inner += f'<div class="images strip{wide}">{strip}</div>'
    told = f"From left to right, row by row: {'; '.join(run.prompts)}." if run.prompts else ""
    return page.block("Samples", page.card("Same noise and prompts every time", inner, told))


def learning_cards(run: RunFile) -> list[str]:
    """Reward and KL over training."""
    return [
        page.figure_card(
            "Reward against samples",
            training.reward_against_samples(run),
            "reward-samples",
            "Mean over each epoch's rollout; band: standard error.",
        ),
        page.figure_card(
            "Reward against time", training.reward_against_time(run), "reward-time", "The same, by wall time."
        ),
        page.figure_card(
            "KL to the base model",
            divergence.divergence(run),
            "kl",
            "Path KL: the Girsanov sum on the grid. Chain KL: exact, between the two discrete samplers.",
        ),
        page.figure_card(
            "Reward against KL",
            divergence.reward_against_divergence(run),
            "frontier",
            "One dot an epoch. Up and left is better; moving right without rising is drift.",
        ),
    ]


def other_cards(run: RunFile) -> list[str]:
    """Metrics that have no figure of their own, e.g. the loss of a pretraining run."""
    return [
        page.figure_card(
            name.replace("_", " ").capitalize(), training.plain_metric(run, name), f"metric-{name}", run.labels[name]
        )
        for name in run.metric_names
        if name not in DRAWN
    ]


def evaluation_part(run: RunFile) -> str:
    """Reward at each step count, drawn and as a table."""
    evaluation = run.evaluation
    if evaluation is None:
        return ""
    cards = [
        page.figure_card(
            "Step counts over training",
            step_counts.reward_over_training(evaluation),
            "steps-training",
            "Each checkpoint sampled at several step counts.",
        ),
        page.figure_card(
            "Reward against step count",
            step_counts.reward_against_steps(evaluation),
            "steps",
            f"Trained at {run.deck_value('sample.num_steps', '?')} steps. A flat line means: deploy at any step count.",
        ),
    ]
    table = evaluation_table(evaluation, trained_column(run, evaluation))
    return page.section("Evaluation", cards, wide=True) + page.folded("The last checkpoint in numbers", table)


def evaluation_table(evaluation: Evaluation, trained: int) -> str:
    """The last checkpoint, one row a step count and solver; columns that were not evaluated are left out."""
    rewards = evaluation.table("reward_mean")
    optional: list[tuple[str, Floats, Callable[[float], str]]] = [
        ("path KL", evaluation.table("kl_path"), numbers.plain),
        ("chain KL", evaluation.table("kl_chain"), numbers.plain),
        ("share (chain)", evaluation.gain_share("chain"), numbers.percent),
        ("share (path)", evaluation.gain_share("path"), numbers.percent),
        ("judge accuracy", evaluation.table("judge_accuracy"), numbers.percent),
        ("Fréchet", evaluation.table("frechet_distance"), numbers.plain),
    ]
    shown = [item for item in optional if np.isfinite(item[1][-1]).any()]
    rows = []
    for s in range(evaluation.steps.size):
        name = f"{evaluation.solver[s]}, {evaluation.steps[s]:g} steps" + (" (as trained)" if s == trained else "")
        reward = numbers.with_error(float(rewards[-1, s]), float(evaluation.table("reward_stderr")[-1, s]))
        rows.append([name, reward, *(written(float(values[-1, s])) for _, values, written in shown)])
    return page.table([f"epoch {evaluation.epoch[-1]:g}", "reward", *(title for title, _, _ in shown)], rows)


def value_study_part(study: ValueStudy) -> str:
    """The designs drawn, and Table 1 of the paper."""
    best = min(study.designs, key=lambda design: float(design.test_mse[-1]))
    rows = [
        [
            design.formula + (" (best)" if design is best else ""),
            numbers.plain(float(design.test_mse[-1])),
            numbers.plain(float(design.train_mse[-1])) if design.train_mse.size else "–",
            numbers.plain(float(np.mean(design.per_time[study.tau <= 1 / 3]))) if (study.tau <= 1 / 3).any() else "–",
        ]
        for design in study.designs
    ]
    cards = [
        page.figure_card(
            "Fit of each design",
            value_fit.designs_over_epochs(study),
            "designs",
            "Solid: held-out trajectories. Dotted: fitted ones.",
        ),
        page.figure_card(
            "Error by noise time",
            value_fit.designs_over_noise(study),
            "designs-tau",
            "At τ = 1 only the prompt is known.",
        ),
    ]
    columns = ["design", "test error", "training error", "test error, τ ≤ 1/3"]
    return page.section("Value designs", cards, wide=True) + page.block(
        "Mean squared errors", page.table(columns, rows)
    )


def value_range(values: Floats) -> str:
    """The distinct values of a resource, or from where to where if there are many."""
    distinct = np.unique(values[np.isfinite(values)])
    if distinct.size <= 3:
        return ", ".join(f"{value:g}" for value in distinct)
    return f"{distinct[0]:g} to {distinct[-1]:g}"


def provenance(run: RunFile) -> str:
    """Versions, resources and the deck, folded."""
    versions = [[name.replace("_", " "), value] for name, value in run.attributes.items()]
    resources = [
        [run.labels[name], value_range(values)] for name, values in run.resources.items() if np.isfinite(values).any()
    ]
    inner = page.folded("Versions and machine", page.table(["", ""], versions + resources, words=True))
    deck = run.deck_text
    return inner + (page.folded("Deck (effective, defaults included)", page.preformatted(deck)) if deck else "")
