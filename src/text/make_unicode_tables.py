"""Writes src/text/unicode_tables.cpp from Python's unicodedata: the properties that the tokenizers ask for.

    python3 src/text/make_unicode_tables.py > src/text/unicode_tables.cpp

The Unicode version is that of the Python which runs it, and stands in the file. Runs keep it small: ranges for sets, and
[first, last] with a step and a distance for lower case (A-Z is one run, the alternating letters of Latin Extended another).
"""

from __future__ import annotations

import unicodedata

LAST = 0x10FFFF
HANGUL = range(0xAC00, 0xD7A4)  # composed by arithmetic

SETS = {
    "letters": lambda c: unicodedata.category(c).startswith("L"),
    "numbers": lambda c: unicodedata.category(c).startswith("N"),
    "punctuation": lambda c: unicodedata.category(c).startswith("P"),
    "nonspacing_marks": lambda c: unicodedata.category(c) == "Mn",
    "others": lambda c: unicodedata.category(c).startswith("C"),
}


def ranges(holds) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for code in range(LAST + 1):
        if holds(chr(code)):
            if found and found[-1][1] == code - 1:
                found[-1] = (found[-1][0], code)
            else:
                found.append((code, code))
    return found


def lower_runs() -> tuple[list[tuple[int, int, int, int]], list[tuple[int, str]]]:
    """Runs (first, last, step, distance) that do not overlap, and the characters that become several."""
    runs: list[list[int]] = []
    several = []
    for code in range(LAST + 1):
        lower = chr(code).lower()
        if lower == chr(code):
            continue
        if len(lower) > 1:
            several.append((code, lower))
            continue
        distance = ord(lower) - code
        for run in runs[-1:]:
            gap = code - run[1]
            if run[3] == distance and gap in (1, 2) and (run[0] == run[1] or gap == run[2]):
                run[1], run[2] = code, gap
                break
        else:
            runs.append([code, code, 1, distance])
    return [tuple(run) for run in sorted(runs)], several


def combining_classes() -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for code in range(LAST + 1):
        value = unicodedata.combining(chr(code))
        if value == 0:
            continue
        if found and found[-1][1] == code - 1 and found[-1][2] == value:
            found[-1] = (found[-1][0], code, value)
        else:
            found.append((code, code, value))
    return found


def decompositions() -> list[tuple[int, int, int, int]]:
    """(code, first, second or 0, whether first + second compose to code), one canonical step each."""
    found = []
    for code in range(LAST + 1):
        text = unicodedata.decomposition(chr(code))
        if not text or text.startswith("<") or code in HANGUL:
            continue
        parts = [int(part, 16) for part in text.split()]
        assert len(parts) <= 2
        second = parts[1] if len(parts) == 2 else 0
        composes = second != 0 and unicodedata.normalize("NFC", "".join(map(chr, parts))) == chr(code)
        found.append((code, parts[0], second, int(composes)))
    return found


def rows(entries: list[tuple[int, ...]]) -> str:
    lines, line = [], "   "
    for entry in entries:
        text = " {" + ", ".join(hex(n) if n > 9 else str(n) for n in entry) + "},"
        if len(line) + len(text) > 108:
            lines.append(line)
            line = "   "
        line += text
    return "\n".join(lines + [line])


def main() -> None:
    runs, several = lower_runs()
    assert [code for code, _ in several] == [0x130], "unicode.cpp knows one character only that becomes two"
    covered = {code: code + d for first, last, step, d in runs for code in range(first, last + 1, step)}
    assert covered == {c: ord(chr(c).lower()) for c in range(LAST + 1) if chr(c).lower() != chr(c) and c != 0x130}
    print(f"/// Written by src/text/make_unicode_tables.py: Unicode {unicodedata.unidata_version}.")
    print("// clang-format off")
    print('#include "text/unicode_tables.hpp"\n')
    print("namespace scoreact::unicode {\nnamespace {\n")
    for name, holds in SETS.items():
        print(f"const Range {name}_table[] = {{\n{rows(ranges(holds))}\n}};\n")
    for kind, name, entries in (
        ("LowerRun", "lower_runs", runs),
        ("ClassRange", "combining_classes", combining_classes()),
        ("Decomposition", "decompositions", decompositions()),
    ):
        print(f"const {kind} {name}_table[] = {{\n{rows(entries)}\n}};\n")
    print("} // namespace\n")
    for name in SETS:
        print(f"const std::span<const Range> {name}({name}_table);")
    for kind, name in (
        ("LowerRun", "lower_runs"),
        ("ClassRange", "combining_classes"),
        ("Decomposition", "decompositions"),
    ):
        print(f"const std::span<const {kind}> {name}({name}_table);")
    print("\n} // namespace scoreact::unicode")


if __name__ == "__main__":
    main()
