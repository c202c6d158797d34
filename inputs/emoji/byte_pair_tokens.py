"""Tokens of captions as CLIP's tokenizer makes them, from the vocab.json and merges.txt of a model's folder.

A text is cut into words (runs of letters, single numbers, runs of signs, and 's, 't, 're, 've, 'm, 'll, 'd); the bytes
of a word are merged by rank (Sennrich et al. 2016, arXiv:1508.07909, algorithm 1). The names of special tokens are
plain text here: captions have none.
"""

from __future__ import annotations

import itertools
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
END_OF_WORD = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"


def kind_of(character: str) -> str:
    """L letter, N number, Z white space, S anything else."""
    kind = unicodedata.category(character)[0]
    if kind == "Z" or character in "\t\n\v\f\r\x85":
        return "Z"
    return kind if kind in "LN" else "S"


def words_of(text: str) -> Iterator[str]:
    """The words of a text in NFC and small letters; each letter made small by itself, whatever follows it."""
    normal = "".join(character.lower() for character in unicodedata.normalize("NFC", text))
    at = 0
    while at < len(normal):
        end = at + max((len(one) for one in CONTRACTIONS if normal.startswith(one, at)), default=0)
        kind = kind_of(normal[at])
        if end == at:
            end += 1
            while kind != "N" and end < len(normal) and kind_of(normal[end]) == kind:
                end += 1
        if kind != "Z":
            yield normal[at:end]
        at = end


def byte_characters() -> list[str]:
    """The character that stands for each byte in vocab.json: itself if it can be seen, else one from U+0100 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256))
    return [chr(byte) if byte in seen else chr(256 + next(others)) for byte in range(256)]


class Tokenizer:
    """Of a folder with vocab.json and merges.txt; special_tokens_map.json may name the token that pads."""

    def __init__(self, folder: Path) -> None:
        self._ids: dict[str, int] = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
        merges = [line for line in lines if line and not line.startswith("#version")]
        self._ranks = {tuple(line.split(" ")): rank for rank, line in enumerate(merges)}
        self._characters = byte_characters()
        special = folder / "special_tokens_map.json"
        named = json.loads(special.read_text(encoding="utf-8")) if special.is_file() else {}
        pad = named.get("pad_token", END)
        self._pad = self._ids[pad if isinstance(pad, str) else pad["content"]]

    def _merged(self, word: str) -> list[str]:
        """The tokens of a word: always the pair of neighbours of the lowest rank, the leftmost of equals, is merged."""
        symbols = [self._characters[byte] for byte in word.encode()]
        symbols[-1] += END_OF_WORD
        while len(symbols) > 1:
            ranks = [self._ranks.get(pair, len(self._ranks)) for pair in itertools.pairwise(symbols)]
            first = ranks.index(min(ranks))
            if ranks[first] == len(self._ranks):
                break
            symbols[first : first + 2] = ["".join(symbols[first : first + 2])]
        return symbols

    def ids(self, text: str) -> list[int]:
        """Of the text alone, without start and end."""
        return [self._ids[token] for word in words_of(text) for token in self._merged(word)]

    def encode(self, text: str, length: int) -> list[int]:
        """`length` ids: start, the text (cut if it is too long), end, padding."""
        row = [self._ids[START], *self.ids(text)[: length - 2], self._ids[END]]
        return row + [self._pad] * (length - len(row))
