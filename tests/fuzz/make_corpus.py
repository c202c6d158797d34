"""Writes the seeds of the fuzzers into tests/fuzz/corpus/<reader>/, small files that use every part of a format.

    .venv/bin/python tests/fuzz/make_corpus.py

Other files in these folders are inputs that fuzzing found; they stay.
"""

import gzip
import json
import struct
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"


def put(reader: str, name: str, content: bytes | str) -> None:
    folder = CORPUS / reader
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def decks() -> None:
    for path in sorted(ROOT.glob("inputs/*/*.toml")):
        lines = path.read_text().splitlines()
        # no comments: they would only give the fuzzer places where changes change nothing
        kept = [line.split("  #")[0].rstrip() for line in lines if line.strip() and not line.startswith("#")]
        put("deck", f"{path.parent.name}_{path.name}", "\n".join(kept) + "\n")
    put(
        "deck",
        "forms.toml",
        'run.name = "d\\u00e9j\\t\\"a\\""\n[run]\nmax_time = \'01:30:00\'\n[prompts]\nlist = ["""a\n b""", \'c\', ]\n'
        "[algorithm]\nexploration = {constant = 1e-2, power = 0.5}\nkl_weight = +1_000.5e-1\n"
        "[model.analytic]\nweights = [0.25, 0.75]\nmeans = [[-1, 2.5], [0x1f, inf]]\nstds = [nan, 1]\n"
        "[a.b]\nc = 1979-05-27T07:32:00Z\n[[d]]\n[[d]]\n",
    )
    put(
        "deck",
        "overrides",
        "[sample]\nnum_steps = 10\n\0sample.solver=ddpm\0train.timestep_fraction=0.5\0run.max_time=01:30:00\0"
        "prompts.list=[1, 'two']\0model.path=~/a b\0sample.num_steps=",
    )
    put("deck", "errors.toml", "[smaple]\nnum_steps = 10\n[sample]\nnum_stesp = 1\nsolver = 'ddmi'\neta = 'x'\nnum_steps = -1\n")


def weights_file(header: str, data: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header.encode() + data


def safetensors() -> None:
    put("safetensors", "python", (ROOT / "tests/data/python.safetensors").read_bytes())
    put(
        "safetensors",
        "askew",
        weights_file(
            '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"F64","shape":[],"data_offsets":[3,11]},'
            '"e":{"dtype":"BF16","shape":[2,0],"data_offsets":[11,11]},"__metadata__":{"format":"pt","x":"\\u00e9"}}  ',
            b"abc" + struct.pack("<d", 1.75),
        ),
    )
    put("safetensors", "empty", weights_file("{}", b""))


def pickles() -> None:
    for path in sorted((ROOT / "tests/data/torch").glob("*.pth")):
        put("torch", path.name, path.read_bytes())


def configs() -> None:
    for name in ("legacy", "class"):
        folder = ROOT / f"tests/data/unet2d_{name}"
        put("json", f"unet_{name}.json", (folder / "config.json").read_bytes())
    put("json", "unet_cifar10.json", (ROOT / "inputs/cifar10/ddpm-cifar10-32/config.json").read_bytes())
    for name in ("lists", "sd1"):
        put("json", f"unet_condition_{name}.json", (ROOT / f"tests/data/unet2d_condition_{name}/config.json").read_bytes())
    put("json", "scheduler.json", (ROOT / "inputs/digits/model/scheduler_config.json").read_bytes())
    put("json", "scheduler_betas.json", json.dumps({"trained_betas": [0.1, 0.2, 0.3], "prediction_type": "v_prediction"}))
    put("json", "scheduler_cosine.json", json.dumps({"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 50}))


def checkpoints() -> None:
    """Sizes and CRCs are those of the files that checkpoint_fuzz.cpp writes with HDF5 1.10; with another version it is a DONE
    whose files are damaged."""
    files = {
        "optimizer.h5": {"bytes": 8212, "crc32": "cd0b186c"},
        "policy.safetensors": {"bytes": 108, "crc32": "5a2cd232"},
        "state.json": {"bytes": 16, "crc32": "1bd6ef35"},
    }
    done = {"format": "scoreact-checkpoint", "format_version": 1, "epoch": 1, "files": files}
    put("checkpoint", "good", json.dumps(done))
    put("checkpoint", "older", json.dumps(done | {"format_version": 0}))
    put("checkpoint", "elsewhere", json.dumps(done | {"files": files | {"../../x": {"bytes": 1, "crc32": "00000000"}}}))


def images() -> None:
    csv = b"0,16,3\r\n8,8,9\n\n 1.5,0,0\n"
    images_idx = struct.pack(">IIII", 0x803, 2, 1, 3) + bytes([0, 255, 51, 0, 0, 255])
    labels_idx = struct.pack(">II", 0x801, 2) + bytes([7, 2])
    record = bytes([4]) + bytes(range(256)) * 12
    for name, content in {"csv": csv, "idx_images": images_idx, "idx_labels": labels_idx, "cifar10": record}.items():
        put("images", name, content)
        put("images", name + ".gz", zipped(content))
    put("images", "two_members.csv.gz", zipped(csv) + zipped(csv))


def pictures() -> None:
    for path in sorted((ROOT / "tests/data/pictures").glob("*.[jp][pn]g")):
        put("pictures", path.name, path.read_bytes())


def arrays() -> None:
    for path in sorted((ROOT / "tests/data/npz").glob("*.npz")):
        put("npz", path.name, path.read_bytes())


def tokenizers() -> None:
    """Small vocabularies that reach every way of writing one; as tests/fuzz/tokenizer_fuzz.cpp takes them apart."""
    start, end = "<|startoftext|>", "<|endoftext|>"
    pieces = ["a", "b", "b</w>", "c</w>", "ab</w>", "\u00c3", "\u00a9</w>", "\u00c3\u00a9</w>", "!</w>", "1</w>", start, end]
    vocabulary = {piece: n for n, piece in enumerate(pieces)}
    merges = "a b</w>\n\u00c3 \u00a9</w>\n"
    text = f"ab c\u00e9 it's ABC 12!? {end} \u212b\u0301"
    special = {"bos_token": {"content": start, "normalized": True}, "eos_token": end, "unk_token": {"content": end}, "pad_token": "!</w>"}

    def join(*parts: object) -> str:
        return "\0".join(part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in parts)

    put("tokenizer", "files", join(vocabulary, "#version: 0.2\r\n" + merges, special, {"model_max_length": 77}, text))
    put("tokenizer", "plain", join(vocabulary, merges, "", {"model_max_length": 1e30, "pad_token": None}, text))
    model = {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": vocabulary, "merges": ["a b</w>", ["\u00c3", "\u00a9</w>"]]}
    put("tokenizer", "tokenizer_json", join({"model": model}, "", "", "", text))
    bert = "[PAD]\n[UNK]\r\n[CLS]\n[SEP]\n[MASK]\na\n##b\ne\n1\n##2\n!\n"
    put("tokenizer", "bert", join(bert, "", "", "", "ab [SEP] \u00e9 12!\u4e00 [DEC]"))


def hdf5(name: str, fill, **options) -> None:
    path = CORPUS / "hdf5" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w", **options) as file:
        fill(file)


def run_file(file: h5py.File) -> None:
    file.attrs["format"] = "scoreact-run"
    file.attrs["format_version"] = np.int64(1)
    file.attrs["deck"] = "[run]\n"
    metrics = file.create_group("metrics")
    for name in ("epoch", "reward_mean"):
        metrics[name] = np.array([1.0, 2.0, 3.0])
        metrics[name].attrs["units"] = "1"
        metrics[name].attrs["long_name"] = name
        metrics[name].dims[0].label = "epoch"
    file.create_group("resources")["restarts"] = np.zeros(3)
    evaluation = file.create_group("evaluation")
    evaluation.attrs["num_samples"] = np.int64(64)
    evaluation["epoch"] = np.array([2, 3], np.int64)
    evaluation["steps"] = np.array([10, 50], np.int64)
    evaluation.create_dataset("solver", data=["ddim", "euler_maruyama"], dtype=h5py.string_dtype())
    for name in ("reward_mean", "reward_stderr", "kl_path"):
        evaluation[name] = np.array([[0.5, np.nan], [1.0, 2.0]])


def trajectories(file: h5py.File, compression: int | None = None) -> None:
    file.attrs["format"] = "scoreact-trajectories"
    file.attrs["format_version"] = np.int64(1)
    file.attrs["s_a"] = 0.5
    options = {"compression": "gzip", "compression_opts": compression} if compression else {}
    x = file.create_dataset("x", data=np.arange(12, dtype=np.float32).reshape(3, 2, 2), **options)
    x.attrs["units"] = "1"
    file["log_prob"] = np.zeros((2, 2))
    file["sample_index"] = np.array([0, 1], np.int64)
    file["tau"] = np.array([1.0, 0.5, 0.0])
    file.create_dataset("prompt", data=["3", "sept"], dtype=h5py.string_dtype())
    file["fixed"] = np.array([b"ab", b"cde"], "S4")


def optimizer(file: h5py.File) -> None:
    file.attrs["format"] = "scoreact-optimizer"
    file["policy/first"] = np.array([0.5, -1.0, 2.0], np.float32)
    file["policy/steps"] = np.array([3], np.int64)


def metadata() -> None:
    """Lines of an imagefolder as tests/fuzz/metadata_fuzz.cpp has its pictures."""
    good = [{"file_name": "a.png", "text": "a fox"}, {"file_name": "b/c.png", "text": "caf\u00e9", "name": "x", "more": [1, None]}]
    bad = [{"file_name": "../a.png", "text": "x"}, {"file_name": "a.png"}, {"file_name": "no.png", "text": "x"}, {"file_name": 1, "text": ""}, 7]
    put("metadata", "good", "".join(json.dumps(line) + "\n" for line in good))
    put("metadata", "mixed", "\r\n".join(json.dumps(line) for line in [*bad, *good]) + "\n\n{")


def main() -> None:
    decks()
    safetensors()
    pickles()
    configs()
    checkpoints()
    images()
    pictures()
    arrays()
    tokenizers()
    metadata()
    hdf5("run.h5", run_file)
    hdf5("run_new.h5", run_file, libver=("v110", "v110"))
    hdf5("trajectories.h5", trajectories)
    hdf5("trajectories_gzip.h5", lambda file: trajectories(file, 4))
    hdf5("optimizer.h5", optimizer)


if __name__ == "__main__":
    main()
