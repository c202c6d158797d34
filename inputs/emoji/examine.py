#!/usr/bin/env python3
"""Measures what a text-to-image model of emoji can do: a table and two pictures.

    .venv/bin/python inputs/emoji/examine.py --program build/bin/scoreact --model inputs/emoji/model \\
        --judge runs/emoji_judge/model --data runs/emoji_data/second --training runs/emoji_data/first \\
        --pictures docs/images --table docs/studies/emoji_model.md

The judge and its data are of a split of the pictures that the model has not seen. docs/emoji.md, "What the model can
do", says what each column means. Same options, program and weights: same figures.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from augmentation import BACKGROUNDS
from captioned_pictures import Pictures, Subject, is_recoloured, lines_of, number_of_pictures, read_pictures
from concepts import OBJECTS
from contact_sheet import Group, write_sheet
from held_out_split import split_rows
from judgement import Judge, Judgement, Share, judged
from nearest import nearest
from program import Drawing, Program, as_bytes, as_signed

ROOT = Path(__file__).resolve().parents[2]
GUIDANCE = 3.0
OTHER_GUIDANCES = (1.0, 5.0)
MORE_OF_PAIRS = 4  # there are 42 held-out pairs and 472 names
PICTURES_A_PROMPT = 4
HEADINGS = (
    "pictures",
    "count",
    "cosine with own caption",
    "with other names' captions",
    "name (%)",
    "among the first 5 (%)",
    "ground (%)",
    "colour (%)",
    "JPEG (bytes)",
    "RMSE to nearest training picture",
)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    title: str
    judgement: Judgement
    nearest: float  # median over the pictures


class Examination:
    """The model, and all that it is compared with."""

    def __init__(self, options: argparse.Namespace, program: Program) -> None:
        self.options, self.program = options, program
        self.names = lines_of(options.training / "names.txt")
        self.drawn_names = self.names[: options.names_only]
        self.judge = Judge(program, options.judge)
        learnt, _ = split_rows(number_of_pictures(options.training), options.held_out)
        self.training = read_pictures(options.training, learnt).pixels

    def real(self) -> Pictures:
        """What the judge's own training held out."""
        _, held_out = split_rows(number_of_pictures(self.options.data), self.options.held_out)
        return read_pictures(self.options.data, held_out)

    def drawn(self, subjects: list[Subject], each: int, guidance: float = GUIDANCE) -> Pictures:
        how = Drawing(self.options.steps, guidance, self.options.seed)
        prompts = [subject.caption for subject in subjects]
        return Pictures(self.program.draw(self.options.model, prompts, each, how), subjects * each)

    def through_autoencoder(self, pictures: Pictures) -> Pictures:
        """What the decoder makes of the means of the latents."""
        if not pictures.subjects:
            return pictures
        folder = self.options.model / "vae"
        latents = self.program.forward(folder, {"sample": as_signed(pictures.pixels)})["mean"]
        return replace(pictures, pixels=as_bytes(self.program.forward(folder, {"latents": latents})["sample"]))

    def with_other_names(self, pictures: Pictures) -> Pictures:
        """The same pixels, each to show what stands half the list away."""
        count = len(self.names)
        places = [(self.names.index(subject.name) + count // 2) % count for subject in pictures.subjects]
        subjects = [
            replace(subject, name=self.names[place]) for subject, place in zip(pictures.subjects, places, strict=True)
        ]
        return replace(pictures, subjects=subjects)

    def sets(self) -> Iterator[tuple[str, Pictures]]:
        """All that is judged, with a title."""
        real, each = self.real(), self.options.samples
        coloured = [is_recoloured(subject.name, self.names) for subject in real.subjects]
        white = [subject.ground == "white" for subject in real.subjects]
        on_white = real.of(w and not c for w, c in zip(white, coloured, strict=True))
        on_colours = real.of(not w and not c for w, c in zip(white, coloured, strict=True))
        yield "real, white ground", on_white
        yield "real, coloured ground", on_colours
        yield "real, object in another colour, any ground", real.of(coloured)
        yield "real, white ground, through the autoencoder", self.through_autoencoder(on_white)
        yield "real, coloured ground, through the autoencoder", self.through_autoencoder(on_colours)
        plain = [Subject(name, "white") for name in self.drawn_names]
        samples = self.drawn(plain, each)
        yield f"samples, white ground, guidance {GUIDANCE:g}", samples
        yield "the same, under the captions of other names", self.with_other_names(samples)
        for guidance in OTHER_GUIDANCES:
            yield f"samples, white ground, guidance {guidance:g}", self.drawn(plain, each, guidance)
        colours = [ground for ground in BACKGROUNDS if ground != "white"]
        grounded = [Subject(name, colours[n % len(colours)]) for n, name in enumerate(self.drawn_names)]
        yield f"samples, coloured ground, guidance {GUIDANCE:g}", self.drawn(grounded, each)
        pairs = [
            Subject(pair, "white")
            for pair in lines_of(self.options.training / "held_out.txt")
            if OBJECTS[pair.partition(" ")[2]].emoji in self.names
        ][: self.options.names_only]
        yield (
            f"samples, held-out pairs of colour and object, white ground, guidance {GUIDANCE:g}",
            self.drawn(pairs, MORE_OF_PAIRS * each),
        )

    def rows(self) -> Iterator[Row]:
        for title, pictures in self.sets():
            if not pictures.subjects:  # a folder of few pictures
                continue
            _, distance = nearest(pictures.pixels, self.training)
            yield Row(title, judged(pictures, self.judge, self.names), float(np.median(distance)))

    def draw_prompts(self) -> None:
        """emoji_grid.png: pictures of each prompt; emoji_nearest.png: one of them and the nearest training picture."""
        with self.options.prompts.open("rb") as deck:
            prompts: list[str] = tomllib.load(deck)["prompts"]["list"]
        how = Drawing(self.options.steps, GUIDANCE, self.options.seed)
        pixels = self.program.draw(self.options.model, prompts, PICTURES_A_PROMPT, how)
        grid = [Group(prompt, pixels[number :: len(prompts)]) for number, prompt in enumerate(prompts)]
        write_sheet(self.options.pictures / "emoji_grid.png", grid, columns=2)
        first = pixels[: len(prompts)]
        rows, distances = nearest(first, self.training)
        pairs = [
            Group(f"{prompt}\nRMSE {distance:.3f}", np.stack([drawn, self.training[row]]))
            for prompt, drawn, row, distance in zip(prompts, first, rows, distances, strict=True)
        ]
        write_sheet(self.options.pictures / "emoji_nearest.png", pairs, columns=4)


def percent(share: Share | None) -> str:
    return "–" if share is None else f"{100 * share.value:.1f} ± {100 * share.error:.1f}"


def cells(row: Row) -> list[str]:
    one = row.judgement
    cosines = [f"{one.own:.3f}", f"{one.others:.3f}"]
    shares = [percent(share) for share in (one.top1, one.top5, one.ground, one.colour)]
    return [row.title, str(one.count), *cosines, *shares, f"{one.jpeg:.0f}", f"{row.nearest:.3f}"]


def page(rows: list[Row], options: argparse.Namespace, version: str) -> str:
    """The table as a page in Markdown, with the command that made it."""
    command = shlex.join([".venv/bin/python", "inputs/emoji/examine.py", *sys.argv[1:]])
    folder = options.table.resolve().parent

    def link(path: Path) -> str:
        return Path(os.path.relpath(path.resolve(), folder)).as_posix()

    lines = [
        "# Figures of the emoji miniature",
        "",
        "Written by",
        "",
        "```bash",
        command,
        "```",
        "",
        f"with {version}: DDIM, {options.steps} steps, no noise added, seed {options.seed}. What each column means: "
        f"[emoji]({link(ROOT / 'docs/emoji.md')}#what-the-model-can-do). ± is one standard error.",
        "",
        f"| {' | '.join(HEADINGS)} |",
        f"|{' --- |' * len(HEADINGS)}",
        *[f"| {' | '.join(cells(row))} |" for row in rows],
        "",
        f"Four pictures of each prompt of the deck, guidance {GUIDANCE:g}, none chosen:",
        "",
        f"![pictures of 16 prompts]({link(options.pictures / 'emoji_grid.png')})",
        "",
        "The first of each, and beside it the training picture with the smallest root mean square difference:",
        "",
        f"![samples beside the nearest training pictures]({link(options.pictures / 'emoji_nearest.png')})",
    ]
    return "\n".join(lines) + "\n"


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures what a text-to-image model of emoji can do.")
    parser.add_argument("--program", type=Path, required=True, help="scoreact")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model, a StableDiffusionPipeline")
    parser.add_argument("--judge", type=Path, required=True, help="folder of a CLIP that nothing was trained against")
    parser.add_argument("--data", type=Path, required=True, help="folder of the judge's pictures, by prepare.py")
    parser.add_argument("--training", type=Path, required=True, help="folder of the model's pictures, by prepare.py")
    parser.add_argument("--pictures", type=Path, required=True, help="folder for emoji_grid.png and emoji_nearest.png")
    parser.add_argument("--table", type=Path, required=True, help="page in Markdown to write")
    parser.add_argument("--samples", type=int, default=2, help="samples a name (default: 2)")
    parser.add_argument("--steps", type=int, default=25, help="of DDIM (default: 25)")
    parser.add_argument("--seed", type=int, default=0, help="of the noise (default: 0)")
    parser.add_argument(
        "--held-out", type=float, default=0.02, help="data.test_fraction of the decks, model and judge (default: 0.02)"
    )
    prompts = Path(__file__).with_name("text_to_image.toml")
    parser.add_argument(
        "--prompts", type=Path, default=prompts, help=f"deck with prompts.list (default: {prompts.name} beside this)"
    )
    parser.add_argument("--names-only", type=int, metavar="N", help="draw the first N names only, for a trial")
    options = parser.parse_args()
    for folder in (options.model, options.judge, options.data, options.training):
        if not folder.is_dir():
            parser.error(f"{folder}: no such folder")
    return options


def main() -> None:
    options = parsed()
    with tempfile.TemporaryDirectory() as scratch:
        program = Program(options.program, Path(scratch))
        examination = Examination(options, program)
        rows = []
        for row in examination.rows():
            rows.append(row)
            print("  ".join(cells(row)), flush=True)
        examination.draw_prompts()
        version = program.run("--version").splitlines()[0]
        options.table.parent.mkdir(parents=True, exist_ok=True)
        options.table.write_text(page(rows, options, version), encoding="utf-8")
    print(f"{options.table}, {options.pictures}/emoji_grid.png, {options.pictures}/emoji_nearest.png")


if __name__ == "__main__":
    main()
