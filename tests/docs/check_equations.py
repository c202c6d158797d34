"""The pages stay true: names in docs/equations.md exist, links lead somewhere, code blocks use known options."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EQUATIONS = ROOT / "docs/equations.md"
PAGES = [*sorted(ROOT.glob("docs/**/*.md")), *sorted(ROOT.glob("*.md"))]
SOURCES = ("hpp", "cpp", "py")
FILE = r"[\w./-]+\.(?:hpp|cpp|py|toml|sh|slurm|md|txt)"


def backticked(text: str) -> list[str]:
    """Everything in single backticks outside of code blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M))


@cache
def source(path: Path) -> str:
    """A file without its comments, so that a name in a comment does not count."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".cpp", ".hpp"):
        text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    return text


def defines(path: Path, name: str) -> bool:
    """Whether a file defines (or declares) a function, method or type of this name."""
    text, exact = source(path), re.escape(name)
    if path.suffix == ".py":
        return re.search(rf"^(?:def|class) {exact}\b", text, re.M) is not None
    if re.search(rf"^\s*(?:class|struct|enum class) {exact}\b|^{exact}::{exact}\s*\(", text, re.M):
        return True
    # A definition has its type before it on the line; a call stands alone, after `return`, or inside an expression.
    type_before = r"[ \t]*(?!return\b|else\b|throw\b|case\b)[\w:]+(?:<[^;=()]*>)?(?: [\w:]+(?:<[^;=()]*>)?)*[ &*]+"
    return re.search(rf"^{type_before}(?:scoreact::)?{exact}\s*\(", text, re.M) is not None


@cache
def unit_tests() -> frozenset[str]:
    """Suite.Name of every GoogleTest in the tree."""
    found = set()
    for path in ROOT.glob("tests/**/*_test.cpp"):
        for suite, name in re.findall(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", source(path), re.M):
            found.add(f"{suite}.{name}")
    return frozenset(found)


def fault_of(name: str) -> str | None:
    """What is wrong with one name of docs/equations.md; None for what is right or is no name of ours."""
    if match := re.fullmatch(rf"({FILE})::(\w+)", name):
        path, wanted = ROOT / match[1], match[2]
        return None if path.is_file() and defines(path, wanted) else f"{name}: no such test"
    if match := re.fullmatch(rf"({FILE})(?::([\w:]+))?", name):
        path, wanted = ROOT / match[1], match[2]
        if not path.is_file():
            return f"{name}: no such file"
        return None if wanted is None or defines(path, wanted) else f"{name}: the file does not define {wanted}"
    if re.fullmatch(r"[A-Z]\w*\.[A-Z]\w*", name):
        return None if name in unit_tests() else f"{name}: no such test"
    return None


def test_every_name_in_the_table_of_equations_exists() -> None:
    faults = [fault for name in backticked(EQUATIONS.read_text()) if (fault := fault_of(name))]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    "name",
    [
        "src/rl/no_such_file.cpp:learn",
        "src/rl/ctrl.cpp:no_such_function",
        "src/rl/ctrl.cpp:attach_pretrained",  # only called there
        "src/rl/ctrl.cpp:Ctrl::forget",
        "PathKl.IsWhateverYouLike",
        "tests/verify/test_verify.py::test_nothing",
        "inputs/digits/no_such_deck.toml",
    ],
)
def test_a_wrong_name_is_noticed(name: str) -> None:
    assert fault_of(name)


def rows() -> list[list[str]]:
    """Cells of all table rows of the page."""
    lines = [line for line in EQUATIONS.read_text().splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def test_every_equation_of_the_paper_has_a_row() -> None:
    first_cells = [row[0] for row in rows()]
    numbers = [int(number) for cell in first_cells for number in re.findall(r"(?<![\w.])\d+(?![\w.])", cell)]
    figures = numbers[-9:]
    tables_end = len(numbers) - 10  # figures 1 to 9 come last, "after 25" and "section 4" are no equations
    assert figures == list(range(1, 10))
    assert tables_end > 0
    for number in range(1, 62):
        assert number in numbers, f"equation {number} has no row"
    for title in (
        "Theorem 3.1",
        "Theorem 4.1",
        "Lemma 4.2",
        "Assumption 4.3",
        "Theorem 4.4",
        "Theorem B.1",
        "Lemma B.2",
        "Table 1",
    ):
        assert any(title in cell for cell in first_cells), f"{title} has no row"


def test_every_row_has_code_and_a_test_or_says_why_not() -> None:
    for row in rows():
        if row[0] in ("paper", "---") or set(row[0]) == {"-"}:
            continue
        assert len(row) == 4, row
        excused = re.search(r"definition:|proof step:|not in this version|not known|for the estimates", row[2])
        assert "`" in row[2] or excused, f"{row[0]}: names no code"
        assert "`" in row[3] or excused, f"{row[0]}: names no test"


def anchors(path: Path) -> set[str]:
    """GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path, text: str) -> list[str]:
    """Relative links of a page that lead nowhere."""
    broken = []
    outside_code = re.sub(r"^```.*?^```|`[^`\n]*`", "", text, flags=re.S | re.M)
    for target in re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", outside_code):
        link = target[0] or target[1]
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    assert not broken_links(page, page.read_text())


def test_a_broken_link_is_noticed() -> None:
    assert broken_links(EQUATIONS, "[a](mathematics.md) [b](no_page.md) [c](mathematics.md#no-such)") == [
        "no_page.md",
        "mathematics.md#no-such",
    ]


@dataclass(frozen=True)
class Keys:
    """Deck keys as docs/decks.md lists them."""

    sections: dict[str, set[str]]

    def knows(self, section: str, key: str) -> bool:
        """Whether the section has the key; a table of a section is one of its keys."""
        return key in self.sections.get(section, set()) or f"{section}.{key}" in self.sections


@cache
def deck_keys() -> Keys:
    """The keys, by section."""
    sections: dict[str, set[str]] = {}
    current = ""
    for line in (ROOT / "docs/decks.md").read_text().splitlines():
        if match := re.fullmatch(r"## \[([\w.]+)\]", line):
            current = match[1]
            sections[current] = set()
        elif (match := re.match(r"\| `(\w+)` \|", line)) and current:
            sections[current].add(match[1])
        elif line.startswith("## "):
            current = ""
    return Keys(sections)


@cache
def known_options() -> frozenset[str]:
    """Every long option that a program or script of ours takes; read where it is declared."""
    declared = {"--help", "--version"}
    for path in ROOT.glob("drivers/*.cpp"):
        declared |= set(re.findall(r"add_(?:option|flag)\(\"(?:-\w,)?(--[\w-]+)", source(path)))
    for path in (*ROOT.glob("analysis/**/*.py"), *ROOT.glob("inputs/**/*.py")):
        declared |= set(re.findall(r"\"(--[\w-]+)\"", source(path)))
    for path in (*ROOT.glob("jobs/*"), ROOT / "quickstart", ROOT / "runtests"):
        declared |= set(re.findall(r"^\s+(--[\w-]+)(?=[ )|])", path.read_text(), re.M))
        declared |= set(re.findall(r"(--[\w-]+)(?: \||\))", path.read_text()))
    declared |= set(re.findall(r"(--[\w-]+)", (ROOT / "drivers/help.cpp").read_text()))
    return frozenset(declared)


def commands(text: str) -> list[str]:
    """Shell lines of a page's code blocks, fenced or indented, that call something of ours; continued lines joined."""
    fenced = re.findall(r"^```(?:sh|bash|console|shell|text)?\n(.*?)^```", text, flags=re.S | re.M)
    without_fences = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    blocks = [*fenced, "\n".join(re.findall(r"^ {4}\S.*(?:\n {5,}\S.*)*", without_fences, flags=re.M))]
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    ours = r"(?:.*\s)?(?:\S*/)?(?:scoreact|quickstart|runtests|study\.sh)\s|.*scoreact_analysis\s"
    return [line.partition(" #")[0] for line in lines if re.match(ours, line.partition(" #")[0] + " ")]


def faults_of_commands(text: str) -> list[str]:
    """Unknown options and deck keys in the shell lines of a page."""
    faults = []
    for line in commands(text):
        own = re.sub(r"^.*?(?=(?:\S*/)?(?:scoreact|quickstart|runtests|study\.sh)\b)", "", line)
        faults += [
            f"{line}: {option}" for option in re.findall(r"(?<=\s)--[\w-]+", own) if option not in known_options()
        ]
        for section, key in re.findall(r"--set[ =][\"']?([\w.]+)\.(\w+)\s*=", own):
            if not deck_keys().knows(section, key):
                faults.append(f"{line}: {section}.{key}")
    return faults


def faults_of_decks(text: str) -> list[str]:
    """Unknown sections and keys in the TOML blocks of a page."""
    faults = []
    for block in re.findall(r"^```toml\n(.*?)^```", text, flags=re.S | re.M):
        section = ""
        for line in block.splitlines():
            if match := re.match(r"\[([\w.]+)\]", line):
                section = match[1]
                if section not in deck_keys().sections:
                    faults.append(f"[{section}]")
            elif (match := re.match(r"([\w.]+)\s*=", line)) and not deck_keys().knows(section, match[1]):
                faults.append(f"{section}.{match[1]}")
    return faults


RIGHT_PAGES = [page for page in PAGES if page.name != "errors.md"]  # which shows wrong commands on purpose


@pytest.mark.parametrize("page", RIGHT_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_blocks_use_known_options_and_deck_keys(page: Path) -> None:
    text = page.read_text()
    assert not faults_of_commands(text) + faults_of_decks(text)


def test_unknown_options_and_keys_are_noticed() -> None:
    page = (
        "    scoreact finetune deck.toml --speed 3 --set run.nonsense=1 --set run.seed=2\n\n"
        "```toml\n[run]\nseed = 1\nsede = 2\n[nowhere]\n```\n"
    )
    assert [fault.rsplit(": ", 1)[-1] for fault in faults_of_commands(page)] == ["--speed", "run.nonsense"]
    assert faults_of_decks(page) == ["run.sede", "[nowhere]"]


def test_keys_named_in_the_text_of_readme_exist() -> None:
    """`section.key` in backticks; other dotted names (files, attributes) do not begin with a section's name."""
    readme = ROOT / "README.md"
    if not readme.is_file():
        pytest.skip("no README.md")
    names = re.findall(r"`(\w+(?:\.\w+)+)(?: = [^`]*)?`", readme.read_text())
    files = re.compile(r".*\.(?:toml|h5|md|py|cpp|hpp|html|json|png)$")
    for name in names:
        section, _, key = name.rpartition(".")
        if section.split(".")[0] in deck_keys().sections and not files.fullmatch(name):
            assert deck_keys().knows(section, key), f"README.md: {name}"
