"""Writes docs/errors.md: what a user sees when something is wrong, by provoking it.

    SCOREACT=build/bin/scoreact .venv/bin/python tests/regression/errors_page.py > docs/errors.md

`test_errors_page.py` holds the page against a new run of this script. Every case runs in a folder of its own that
holds the digit models; what the program prints is taken as it is, but for the name of that folder.
"""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "inputs" / "digits"
TINY = """[run]
name = "tiny"
epochs = 1

[model]
path = "model"

[sample]
num_steps = 2
samples_per_epoch = 4
micro_batch_size = 2

[reward]
kind = "classifier"
path = "classifier"

[train]
minibatch_size = 4
micro_batch_size = 2
num_times = 1

[value]
steps_per_epoch = 1
batch_size = 2

[store]
images_per_epoch = 0
"""


@dataclass(frozen=True)
class Case:
    """One mistake: what is there, what is typed, and in a sentence what to do about it."""

    what: str
    command: str
    advice: str
    prepare: Callable[[Path], None] = lambda folder: None
    shown: str = ""  # a file of the case that the page shows


def write(name: str, text: str) -> Callable[[Path], None]:
    """A file of the case."""
    return lambda folder: (folder / name).write_text(text) and None


def tensors(name: str, **shapes: list[int]) -> Callable[[Path], None]:
    """A safetensors file of zeros."""

    def prepare(folder: Path) -> None:
        header, offset = {}, 0
        for key, shape in shapes.items():
            size = 4
            for extent in shape:
                size *= extent
            header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + size]}
            offset += size
        packed = json.dumps(header).encode()
        (folder / name).write_bytes(struct.pack("<Q", len(packed)) + packed + bytes(offset))

    return prepare


def cut_weights(folder: Path) -> None:
    path = folder / "model" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])


def other_width(folder: Path) -> None:
    path = folder / "model" / "config.json"
    config = json.loads(path.read_text())
    config["block_out_channels"] = [2 * width for width in config["block_out_channels"]]
    path.write_text(json.dumps(config))


def run_once(folder: Path) -> None:
    subprocess.run(
        [program(), "finetune", "deck.toml", "--out", "run", "--quiet"], cwd=folder, check=True, capture_output=True
    )


def damage_checkpoint(folder: Path) -> None:
    run_once(folder)
    weights = folder / "run" / "checkpoints" / "epoch_000001" / "policy.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)


def not_hdf5(folder: Path) -> None:
    (folder / "run").mkdir()
    (folder / "run" / "deck.toml").write_text(TINY)
    (folder / "run" / "run.h5").write_text("copied wrongly\n")


SECTIONS: dict[str, list[Case]] = {
    "Bad decks": [
        Case(
            "Unknown keys, wrong types, values out of range: all errors of a deck at once, with line and column.",
            "scoreact finetune deck.toml --set sample.eta=9",
            "Correct what is named; `scoreact help deck` prints every key with its type and range.",
            write("deck.toml", '[run]\nepochs = 0\nsede = 1\n\n[train]\nlearning_rate = "fast"\nclip_range = 3\n'),
            "deck.toml",
        ),
        Case(
            "Text that is not TOML.",
            "scoreact finetune deck.toml",
            "The place is where reading stopped.",
            write("deck.toml", '[model]\npath = "model\n'),
            "deck.toml",
        ),
        Case(
            "Two keys that exclude each other.",
            "scoreact finetune deck.toml",
            "Drop one; `--set` of one of them drops the other by itself.",
            write(
                "deck.toml", TINY.replace("num_times = 1", "num_times = 1\nclip_range = 0.1\nclip_range_mean = 1e-4")
            ),
        ),
        Case(
            "Settings that make no sense together.",
            "scoreact finetune deck.toml --set sample.eta=0",
            "A deterministic sampler has no noise that could be the policy.",
        ),
        Case(
            "A name that does not exist.",
            "scoreact finetune deck.toml --set sample.solver=dimm --set algorithm.name=ppo",
            "",
        ),
        Case(
            "Samples that cannot be shared out.",
            "mpirun -n 4 scoreact finetune deck.toml",
            "Said before anything is computed, by one rank.",
        ),
    ],
    "Missing files": [
        Case("No such deck.", "scoreact finetune dekc.toml", ""),
        Case(
            "A model folder that is not there.",
            "scoreact finetune deck.toml --set model.path=modle",
            "Paths in a deck start at the deck, those of `--set` at the working directory.",
        ),
        Case(
            "A reward's weights that are not there.",
            "scoreact finetune deck.toml --set reward.path=judge",
            "",
        ),
        Case(
            "A folder that is no run.",
            "scoreact evaluate model",
            "",
        ),
        Case("Nothing to inspect.", "scoreact inspect run.h5", ""),
        Case(
            "Analysis of a run that stored no trajectories.",
            "python -m scoreact_analysis recompute run",
            "",
            run_once,
        ),
    ],
    "Wrong shapes and damaged files": [
        Case(
            "Weights of another network than config.json describes.",
            "scoreact finetune deck.toml",
            "",
            other_width,
        ),
        Case(
            "A weight file that is cut off.",
            "scoreact finetune deck.toml",
            "Copy it again.",
            cut_weights,
        ),
        Case(
            "Initial noise of a wrong shape.",
            "scoreact sample model --init-latents noise.safetensors --out pictures",
            "",
            tensors("noise.safetensors", latents=[4, 3, 8, 8]),
        ),
        Case(
            "Inputs of a network under another name.",
            "scoreact forward model --inputs in.safetensors --out out.safetensors",
            "",
            tensors("in.safetensors", image=[1, 1, 8, 8]),
        ),
        Case(
            "A file that is neither HDF5 nor safetensors.",
            "scoreact inspect deck.toml",
            "",
        ),
        Case(
            "A run file that is none.",
            "scoreact inspect run",
            "",
            not_hdf5,
        ),
    ],
    "Runs": [
        Case(
            "A stopped run with another deck.",
            "scoreact finetune deck.toml --out run --set train.learning_rate=1e-5",
            "A run is continued with its own deck only; its length and what it stores may change.",
            run_once,
        ),
        Case(
            "No checkpoint that could be continued.",
            "scoreact finetune deck.toml --out run --set run.epochs=2",
            "A damaged checkpoint is passed over when an older one is sound.",
            damage_checkpoint,
        ),
    ],
    "Command line": [
        Case("A command that does not exist.", "scoreact finetun deck.toml", ""),
        Case("An option that does not exist.", "scoreact finetune deck.toml --chekc", ""),
        Case("A value of the wrong kind.", "scoreact evaluate run --steps 10,x", ""),
    ],
}

HEAD = """# Errors

What a user sees when something is wrong. Every message says what was expected and what was found, on standard error,
from one rank; the exit code tells a job script what kind of error it was:

| exit code | meaning |
|---|---|
| 0 | done |
| 75 | stopped early with a good checkpoint: the same command continues |
| 64 | wrong command line |
| 65 | bad deck or bad data |
| 66 | an input is missing |
| 70 | internal error, or numbers that are not finite |
| 74 | a file cannot be written or read, or other ranks did not come |
| 1 | a check that was asked for failed (`verify`, `goldens`, `recompute`) |

This page is written by `tests/regression/errors_page.py`, which provokes each error in a folder with `deck.toml` and
the digit models `model` and `classifier`; a test holds it against the program. Full disks, killed ranks and dead nodes:
[faults](faults.md).
"""


def program() -> str:
    """The program, by its whole path."""
    return str(Path(os.environ["SCOREACT"]).resolve())


def provoke(case: Case) -> tuple[str, int, str]:
    """What the command prints and its exit code; the text of the shown file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model in ("model", "classifier"):
            shutil.copytree(DIGITS / model, folder / model)
        (folder / "deck.toml").write_text(TINY)
        case.prepare(folder)
        words = case.command.split()
        if words[0] == "mpirun":
            words[1:1] = ["--oversubscribe"]
        words = [program() if word == "scoreact" else word for word in words]
        words[0] = sys.executable if words[0] == "python" else words[0]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "analysis")}
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        # beside the program, mpirun has something to say
        lines = [line for line in done.stderr.splitlines() if words[0] != "mpirun" or line.startswith("scoreact")]
        shown = (folder / case.shown).read_text() if case.shown else ""
        printed = "\n".join(lines).replace(str(folder.resolve()) + "/", "").replace(str(folder) + "/", "")
        return re.sub(r'"crc32":"\w+"', '"crc32":"..."', printed), done.returncode, shown


def page() -> str:
    """The whole page."""
    blocks = [HEAD]
    for title, cases in SECTIONS.items():
        blocks.append(f"## {title}\n")
        for case in cases:
            printed, code, shown = provoke(case)
            file = "".join(f"    | {line}".rstrip() + "\n" for line in shown.splitlines())
            text = "".join(f"    {line}\n" for line in printed.splitlines())
            blocks.append(
                f"**{case.what}** {case.advice}".rstrip()
                + f"\n\n{file}    $ {case.command}\n{text}    exit code {code}\n"
            )
    return "\n".join(blocks)


if __name__ == "__main__":
    print(page(), end="")
