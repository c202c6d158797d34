"""Makes the golden ids of the tokenizers with transformers, and the small vocabularies that the tests read.

    python tests/golden/make_tokenizer_golden.py write tests/data BPE       # what is committed
    python tests/golden/make_tokenizer_golden.py many OUT BPE COUNT [VOCAB] # COUNT random texts each, for a comparison by hand:
    SCOREACT_TOKENIZER_CASES=OUT build/bin/test_text --gtest_also_run_disabled_tests --gtest_filter='*ManyCases*'

BPE is bpe_simple_vocab_16e6.txt.gz of CLIP (in the Python package open_clip_torch, MIT licence). `write` keeps those of its
merges that take part when the golden texts are split, under their own ids: the result is the same as with all of them.
VOCAB is vocab.txt of bert-base-uncased; without it WordPiece pieces are learnt from the texts themselves, as for `write`.
Needs transformers (not needed by the build or the tests).
"""

from __future__ import annotations

import gzip
import json
import random
import sys
import tempfile
import unicodedata
from pathlib import Path

from tokenizers import BertWordPieceTokenizer
from transformers import CLIPTokenizer
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

ADDED = ["[DEC]", "[ENC]"]

TEXTS = [
    "",
    " \t\n",
    "a photo of an astronaut riding a horse on mars",
    "a photo of a cat",
    "Hello, World! It's 2024.",
    "café naïve",
    "cafe\u0301 nai\u0308ve \u212bngstr\u00f6m A\u030angstrom",
    "日本語 text",
    "🙂",
    "don't stop 123abc",
    "A painting of a squirrel eating a burger",
    "a painting of an ocean with clouds and birds, day time, low depth field effect",
    "Hello, World! It's café naïve 日本 unbelievableness",
    "CAT!!! rock 'n' roll 'S 'Ll we'VE they're I'm he'd '' 's",
    "İSTANBUL Straße ΣΊΣΥΦΟΣ Жёлтый ǅ ﬁ Ⅳ ½ ٣ ①",
    "한국어 \u1112\u1161\u11ab각\u11a8 क्षि नमस्ते ไทย",
    "a\u00a0b\u2003c\u3000d\u2028e\u0085f\u000bg\u200bh\ufeffi\u00adj\u0000k\ufffdl",
    "👩‍👩‍👧‍👦 👍🏽 🇫🇷 ☃️ ™ © — “quoted” … ‽ ¿ ¡ $5^2_x`~|",
    "<|endoftext|>cat <|startoftext|>dog <|ENDOFTEXT|>! !<|endoftext|>! <|endoftext <|StartOfText|>'s",
    "[SEP] [sep] [CLS]x[MASK][PAD] [DEC] [ENC]oded [UNK] [UNKNOWN]",
    "supercalifragilisticexpialidocious " * 12,
    "x" * 101 + " " + "y" * 100,
    "e\u0301\u0327\u0301 \u0301a \u1e9b\u0323 \u0958 \u2126 \ufb1d \U0002f800 \uf900",
    "snake_case CamelCase semi;colon a/b\\c #hash @at 100% 3.14 1,000 50mm f/1.8",
]


def clip_files(bpe: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """vocab.json and merges.txt of Hugging Face from the file of openai/CLIP."""
    lines = gzip.open(bpe, "rt", encoding="utf-8").read().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    characters = [chr(byte) for byte in printable] + [chr(256 + n) for n in range(len(others))]
    tokens = characters + [c + "</w>" for c in characters] + ["".join(pair) for pair in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    assert len(tokens) == 49408
    return {token: n for n, token in enumerate(tokens)}, merges


def save_clip(folder: Path, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    special = {"bos_token": "<|startoftext|>"} | {f"{role}_token": "<|endoftext|>" for role in ("eos", "pad", "unk")}
    (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=1) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 77}) + "\n")


def taking_part(tokenizer, merges: list[tuple[str, str]], texts: list[str]) -> set[tuple[str, str]]:
    """Every pair with a rank that is met when the words of the texts are merged, chosen or not."""
    ranks = {pair: n for n, pair in enumerate(merges)}
    met: set[tuple[str, str]] = set()
    backend = tokenizer.backend_tokenizer
    for text in texts:
        normal = backend.normalizer.normalize_str(text)
        for piece, _ in backend.pre_tokenizer.pre_tokenize_str(normal):
            word = [*piece[:-1], piece[-1] + "</w>"]
            while True:
                pairs = {pair for pair in zip(word, word[1:]) if pair in ranks}
                met |= pairs
                if not pairs:
                    break
                first, second = min(pairs, key=ranks.__getitem__)
                merged, i = [], 0
                while i < len(word):
                    both = word[i : i + 2] == [first, second]
                    merged.append(first + second if both else word[i])
                    i += 2 if both else 1
                word = merged
    return met


def learn_wordpiece(texts: list[str], file: Path, size: int) -> None:
    trainer = BertWordPieceTokenizer(lowercase=True)
    trainer.train_from_iterator(texts, vocab_size=size, min_frequency=1, show_progress=False)
    tokens = sorted(trainer.get_vocab(), key=trainer.get_vocab().__getitem__)
    file.write_text("".join(token + "\n" for token in tokens), encoding="utf-8")


def bert(file: Path) -> BertTokenizerLegacy:
    """The one of transformers 4, which BLIP and ImageReward use. The fast one has the categories of an older Unicode version."""
    tokenizer = BertTokenizerLegacy(str(file))
    tokenizer.add_special_tokens({"bos_token": ADDED[0]})
    tokenizer.add_special_tokens({"additional_special_tokens": ADDED[1:]})
    return tokenizer


ALPHABETS = [
    *[("".join(chr(c) for c in range(a, b)), w) for a, b, w in [
        (0x20, 0x7F, 12), (0x00, 0x20, 1), (0xA0, 0x180, 4), (0x180, 0x250, 1), (0x300, 0x370, 2), (0x370, 0x400, 2),
        (0x400, 0x530, 2), (0x590, 0x700, 1), (0x900, 0x980, 1), (0xE00, 0xE80, 1), (0x1100, 0x1200, 1), (0x1E00, 0x2000, 2),
        (0x2000, 0x2070, 3), (0x2070, 0x2190, 2), (0x2460, 0x2500, 1), (0x3000, 0x3100, 2), (0x4E00, 0x4F00, 2),
        (0xAC00, 0xAD00, 1), (0xF900, 0xFB50, 1), (0xFE00, 0xFFFE, 1), (0x1D400, 0x1D800, 1), (0x1F300, 0x1F700, 2),
    ]],
    (" ", 6),
    ("etaoinshrdlu", 20),
]  # fmt: skip
FRAGMENTS = ["<|endoftext|>", "<|startoftext|>", "<|EndOfText|>", "[SEP]", "[DEC]", "[MASK]", "'s", "'LL", "'ve", "the ", " a photo of"]


def random_texts(count: int, seed: int) -> list[str]:
    """Assigned characters only: what a later Unicode version assigns is another category there."""
    choose = random.Random(seed)
    letters, weights = zip(*ALPHABETS)
    anything = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    texts = []
    for _ in range(count):
        parts = []
        for _ in range(choose.randint(1, 12)):
            kind = choose.random()
            if kind < 0.08:
                parts.append(choose.choice(FRAGMENTS))
            elif kind < 0.2:
                parts.append("".join(choose.choices(anything, k=choose.randint(1, 4))))
            else:
                alphabet = choose.choices(letters, weights)[0]
                parts.append("".join(choose.choices(alphabet, k=choose.randint(1, 8))))
        texts.append("".join(c for c in "".join(parts) if unicodedata.category(c) not in ("Cn", "Cs")))
    return texts


def cases(texts: list[str], clip, wordpiece) -> list[dict]:
    """transformers 4 lowers each character by itself before WordPiece; the class of 5 has lost that, and only a final sigma shows it."""
    uncased = [text.replace("\u03a3", "\u03c3") for text in texts]
    return [
        {
            "text": text,
            "clip": clip(text).input_ids[1:-1],
            "clip_77": clip(text, padding="max_length", truncation=True, max_length=77).input_ids,
            "bert": wordpiece(lowered).input_ids[1:-1],
            "bert_35": wordpiece(lowered, padding="max_length", truncation=True, max_length=35).input_ids,
        }
        for text, lowered in zip(texts, uncased)
    ]


def dump(path: Path, found: list[dict]) -> None:
    path.write_text("[\n" + ",\n".join(json.dumps(case) for case in found) + "\n]\n")


def write(out: Path, bpe: str) -> None:
    vocabulary, merges = clip_files(bpe)
    with tempfile.TemporaryDirectory() as folder:
        save_clip(Path(folder), vocabulary, merges)
        full = CLIPTokenizer.from_pretrained(folder)
    texts = TEXTS + random_texts(60, seed=1)
    learn_wordpiece(texts * 2, out / "wordpiece_vocab.txt", 700)
    found = cases(texts, full, bert(out / "wordpiece_vocab.txt"))
    met = taking_part(full, merges, texts)
    kept_merges = [pair for pair in merges if pair in met]
    names = {token for pair in kept_merges for token in (*pair, "".join(pair))}
    kept = {t: n for t, n in vocabulary.items() if n < 512 or n >= 49406 or t in names}
    save_clip(out / "clip_tokenizer", kept, kept_merges)
    dump(out / "tokenizer_cases.json", found)
    print(f"{len(found)} cases, {len(kept)} tokens, {len(kept_merges)} merges")


def many(out: Path, bpe: str, count: int, vocabulary_file: str | None) -> None:
    out.mkdir(parents=True, exist_ok=True)
    save_clip(out / "clip_tokenizer", *clip_files(bpe))
    texts = random_texts(count, seed=2)
    vocabulary = out / "wordpiece_vocab.txt"
    if vocabulary_file:
        vocabulary.write_bytes(Path(vocabulary_file).read_bytes())
    else:
        learn_wordpiece(texts, vocabulary, 20000)
    dump(out / "tokenizer_cases.json", cases(texts, CLIPTokenizer.from_pretrained(out / "clip_tokenizer"), bert(vocabulary)))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]), sys.argv[3])
    else:
        many(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5] if len(sys.argv) > 5 else None)
