"""The cost model of docs/scaling.md: seconds of an epoch on P GPUs, part by part, and what bounds it.

    .venv/bin/python tests/perf/cost_model.py [docs/scaling.md | build/scaling.json]

prints the predictions, or puts them on the page, or prints the model beside what weak_scaling.py measured. Formulas
and symbols are explained there; every figure below is an assumption with its source, none was measured on a GPU by us.
`tests/docs/check_scaling.py` holds the page against this program.
"""

import itertools
import json
import math
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- predicted -->", "<!-- end of what was predicted -->"


@dataclass(frozen=True)
class Machine:
    """One GPU and what connects it; bytes and seconds."""

    name: str
    flops: float  # a second, dense, in the precision of the networks
    efficiency: float  # of that, reached by convolutions and attention
    launch: float  # seconds to launch one operation of a network, eagerly
    memory: float  # bytes a second of the GPU's memory, for kernels that only stream
    intra: float  # bytes a second of one GPU to its node, one direction
    inter: float  # bytes a second of one GPU to other nodes, one direction
    host: float  # bytes a second that a rank exchanges by MPI from host memory
    add: float  # bytes a second that one core adds up
    latency: float  # seconds of one message between nodes
    disk: float  # bytes a second of the file system, all ranks together
    gpus_per_node: int = 8


# NVIDIA H100 SXM5 data sheet: 989 TFLOP/s bf16, dense; memory 3.35 TB/s; NVLink 900 GB/s both directions together. One
# NDR InfiniBand port (400 Gbit/s) a GPU, as in a DGX H100. Assumed: 40 % of the peak, 80 % of memory and links, a core
# adds 8 GB/s, MPI moves 10 GB/s a rank, a message takes 5 us, LibTorch launches an operation in 8 us, files take
# 20 GB/s.
H100 = Machine(
    name="H100",
    flops=989e12,
    efficiency=0.4,
    launch=8e-6,
    memory=0.8 * 3.35e12,
    intra=0.8 * 450e9,
    inter=0.8 * 50e9,
    host=10e9,
    add=8e9,
    latency=5e-6,
    disk=20e9,
)


@dataclass(frozen=True)
class Work:
    """What an epoch of a deck asks for."""

    name: str
    samples: int  # b, of one GPU and epoch
    steps: int  # N
    times: int  # K of them are trained
    updates: int  # U
    guidance: int  # network evaluations a score: 2 with classifier-free guidance
    flops: float  # of one network evaluation of one sample, forward
    reward_flops: float  # of decoding and rewarding one sample
    gradient: float  # bytes of the trained parameters' gradient
    state: int  # numbers in a sample
    operations: int  # of the network, one launch each; a backward pass has twice as many
    micro_batch: int  # samples in a network call of the rollout; an update's call has them at all K times
    exchanges: int = 56  # small collectives of an epoch with 4 updates, counted in a run of inputs/digits/ctrl.toml
    stored_arrays: int = 5  # x, action, mu, mu_pre, value_gradient


# Stable Diffusion 1.5: U-Net 339 and decoder 1240 GMAC a picture of 512 x 512 (BK-SDM, arXiv:2305.15798), that is 0.68
# and 2.5 TFLOP; LoRA of rank 4 on its attention: 797184 parameters. ImageReward (ViT-L and BERT): 0.15 TFLOP. The U-Net
# runs some 1500 operations a call.
SD15 = Work(
    name="SD 1.5 + LoRA",
    samples=8,
    steps=50,
    times=8,
    updates=4,
    guidance=2,
    flops=0.68e12,
    reward_flops=2.65e12,
    gradient=4 * 797184,
    state=4 * 64 * 64,
    operations=1500,
    micro_batch=8,
)
SD15_FULL = replace(SD15, name="SD 1.5, all 860 M", gradient=4 * 859.5e6)

# The digit U-Net of inputs/digits: 164689 parameters; 3.4 million multiplications in its weights a picture of 8 x 8.
DIGITS = Work(
    name="digits",
    samples=256,
    steps=50,
    times=8,
    updates=4,
    guidance=1,
    flops=7e6,
    reward_flops=1e6,
    gradient=4 * 164689,
    state=64,
    operations=150,
    micro_batch=64,
)


def network(work: Work, machine: Machine, evaluations: float, calls: float) -> float:
    """Seconds of forward evaluations in so many calls: as fast as arithmetic allows, but no call below the launches."""
    return max(
        evaluations * work.flops / (machine.flops * machine.efficiency), calls * work.operations * machine.launch
    )


def ring(size: float, ranks: int, machine: Machine) -> float:
    """One all-reduce on the devices: 2 (P - 1) / P of the bytes over the slowest link, and its latencies."""
    if ranks == 1:
        return 0.0
    link = machine.intra if ranks <= machine.gpus_per_node else machine.inter
    return 2 * (ranks - 1) / ranks * size / link + 2 * math.log2(ranks) * machine.latency


def tree(size: float, ranks: int, machine: Machine) -> float:
    """The fixed tree of sums on the host: log2 P exchanges with a partner, each followed by an addition."""
    levels = math.ceil(math.log2(ranks))
    return levels * (size / machine.host + size / machine.add + machine.latency)


@dataclass(frozen=True)
class Epoch:
    """Seconds of the parts of an epoch."""

    rollout: float
    value: float
    update: float
    kernels: float
    reduce: float
    exchange: float
    files: float

    @property
    def total(self) -> float:
        """Everything, one after the other."""
        return sum(self.parts.values())

    @property
    def parts(self) -> dict[str, float]:
        """All of them by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def bound(self) -> str:
        """The largest part."""
        return max(self.parts, key=lambda name: self.parts[name])


def epoch(work: Work, machine: Machine, ranks: int, deterministic: bool, stored: bool = False) -> Epoch:
    """The model; a backward pass costs two forward passes."""
    samples, guided = work.samples, work.guidance
    calls = samples / work.micro_batch
    rollout = network(work, machine, samples * work.steps * guided, calls * work.steps)
    rollout += samples * work.reward_flops / (machine.flops * machine.efficiency)
    rows = samples * work.times * guided
    value = network(work, machine, (1 + 3) * rows, 4 * calls)  # pretrained mean; V and its gradient by the state
    update = network(work, machine, 3 * rows, 3 * max(calls, work.updates))
    # a step streams state, score, action and next state; a trained row some six arrays; AdamW five of the parameters
    streamed = 4 * work.state * samples * (4 * work.steps + 6 * work.times) + 5 * work.updates * work.gradient
    kernels = streamed / machine.memory + (4 * work.steps * calls + 20 * work.updates) * machine.launch
    one = tree(work.gradient, ranks, machine) if deterministic else ring(work.gradient, ranks, machine)
    exchange = work.exchanges * math.log2(max(2, ranks)) * machine.latency * (ranks > 1)
    size = 4 * work.state * samples * ranks * (work.stored_arrays * work.steps + 1) if stored else 0
    return Epoch(rollout, value, update, kernels, work.updates * one, exchange, size / machine.disk)


def table(work: Work, deterministic: bool, stored: bool) -> str:
    """Predictions at 1, 8, 64 and 512 GPUs with the same samples on each."""
    lines = [
        f"| GPUs | samples | {' | '.join(field.name for field in fields(Epoch))} | epoch s | efficiency | bound by |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|",
    ]
    one = epoch(work, H100, 1, deterministic, stored)
    for ranks in (1, 8, 64, 512):
        found = epoch(work, H100, ranks, deterministic, stored)
        cells = " | ".join(f"{part:.3g}" for part in found.parts.values())
        share = f"{100 * one.total / found.total:.0f} %"
        lines.append(f"| {ranks} | {work.samples * ranks} | {cells} | {found.total:.3g} | {share} | {found.bound} |")
    return "\n".join(lines)


def page() -> str:
    """The predictions of docs/scaling.md."""
    blocks = []
    for work, deterministic, stored in (
        (SD15, True, False),
        (SD15, False, True),
        (SD15_FULL, False, False),
        (SD15_FULL, True, False),
        (DIGITS, True, False),
    ):
        how = "fixed tree of sums" if deterministic else "NCCL"
        files = ", every trajectory stored" if stored else ""
        blocks.append(f"**{work.name}**, {how}{files}\n\n{table(work, deterministic, stored)}")
    return "\n\n".join(blocks) + "\n"


def interpolated(rows: list[list[float]], floats: float, column: int) -> float:
    """Seconds of an exchange of so many floats from the table of bench_collectives."""
    known = sorted(rows)
    if floats <= known[0][0]:
        return known[0][column]
    for low, high in itertools.pairwise(known):
        if floats <= high[0]:
            share = (floats - low[0]) / (high[0] - low[0])
            return low[column] + share * (high[column] - low[column])
    return known[-1][column] * floats / known[-1][0]


def against(measured: dict[str, Any]) -> str:
    """The model with what one rank measured, held against the epochs of more ranks."""
    lines = [
        "| ranks | rollout | model | value | model | update | model | in collectives | model |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    one = measured["epochs"][0]
    forward = one["rollout_time"] / (one["samples"] / one["ranks"] * one["steps"])  # of one sample
    for row in measured["epochs"]:
        ranks = int(row["ranks"])
        crowded = max(1.0, ranks / measured["cores"])
        samples = row["samples"] / ranks
        rows = samples * row["times"] * forward * crowded
        exchanges = 0.0
        if table := measured["exchanges"].get(str(ranks)):
            exchanges = DIGITS.exchanges * table[0][3] + row["updates"] * interpolated(table, DIGITS.gradient / 4, 2)
        found = (row["rollout_time"], row["value_time"], row["update_time"], row["communication_time"])
        modelled = (samples * row["steps"] * forward * crowded, 4 * rows, 3 * rows, exchanges)
        cells = " | ".join(f"{a:.3g} | {b:.3g}" for a, b in zip(found, modelled, strict=True))
        lines.append(f"| {ranks} | {cells} |")
    return "\n".join(lines) + "\n"


def put_on(file: Path) -> None:
    """Replace the predictions on a page."""
    before, rest = file.read_text().split(BEGIN)
    file.write_text(before + BEGIN + "\n\n" + page() + "\n" + END + rest.split(END)[1])


if __name__ == "__main__":
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if given and given.suffix == ".md":
        put_on(given)
    else:
        print(against(json.loads(given.read_text())) if given else page(), end="")
