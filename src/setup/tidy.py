#!/usr/bin/env python3
"""clang-tidy (.clang-tidy, every warning an error) over the sources of a configured build folder.

    src/setup/tidy.py [-p BUILD] [-j JOBS] [--list] [FILE|FOLDER ...]

Compiles nothing of ours and needs no built BUILD (default: build-tidy), only a configured one that compiles each source alone
(cmake --preset tidy). The sources are those that BUILD compiles, or what of them lies under the arguments. `cmake --build --preset tidy` calls this for every source that
has changed, or whose headers have, since it was last clean.

Two things beside clang-tidy keep a source with LibTorch's headers at seconds instead of minutes: clang's own
precompiled header in the place of g++'s, and the plugin tidy_scope.cpp. Debian: apt-get install clang clang-tidy
libclang-14-dev.

Exit code 0: clean, 1: warnings (also where clang cannot read a source), 64: usage, 66: something is not there.
"""

import argparse
import concurrent.futures
import fcntl
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GXX_ONLY = {"-fpch-preprocess", "-Winvalid-pch"}


class MissingError(Exception):
    """Something that has to be installed or made first."""


class Tools:
    """The programs of one LLVM: clang-tidy, and clang++ and the headers beside it."""

    def __init__(self) -> None:
        found = shutil.which("clang-tidy-14") or shutil.which("clang-tidy")
        if not found:
            raise MissingError("clang-tidy not found; on Debian: apt-get install clang clang-tidy libclang-14-dev")
        self.tidy = Path(found).resolve()
        self.clang = self.tidy.with_name("clang++")
        self.headers = self.tidy.parents[1] / "include"
        module = self.headers / "clang-tidy/ClangTidyModule.h"
        for needed, package in ((self.clang, "clang"), (module, "libclang-14-dev")):
            if not needed.exists():
                raise MissingError(f"{needed} not found; on Debian: apt-get install {package}")


def newer(target: Path, *sources: Path) -> bool:
    return target.exists() and all(target.stat().st_mtime >= source.stat().st_mtime for source in sources)


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, check=False, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise MissingError(f"{shlex.join(command)}\n{done.stdout}")


def precompiled(words: list[str], folder: Path) -> tuple[list[str], Path | None]:
    """A compile command without what g++ alone understands; its precompiled header becomes ours, FOLDER/TARGET.pch."""
    words = [word for word in words if word not in GXX_ONLY]
    for i, word in enumerate(words[:-1]):
        if word == "-include" and words[i + 1].endswith("/cmake_pch.hxx"):
            header = Path(words[i + 1])
            pch = folder / f"{header.parent.name.removesuffix('.dir')}.pch"
            return [*words[:i], "-include-pch", str(pch), *words[i + 2 :]], header
    return words, None


def prepare(build: Path, tools: Tools) -> Path:
    """Makes the plugin, the precompiled headers and the compile commands for clang in BUILD/tidy where out of date."""
    folder, commands = build / "tidy", build / "compile_commands.json"
    plugin, source = folder / "tidy_scope.so", ROOT / "src/setup/tidy_scope.cpp"
    if not newer(plugin, source, tools.tidy):
        flags = ["-std=c++17", "-O1", "-shared", "-fPIC", "-fno-rtti", "-isystem", str(tools.headers)]
        run([str(tools.clang), *flags, str(source), "-o", str(plugin)], folder)
    written = folder / "compile_commands.json"
    if newer(written, commands, plugin):
        return plugin
    entries = []
    for entry in json.loads(commands.read_text()):
        words, header = precompiled(shlex.split(entry["command"]), folder)
        if entry["file"].endswith("/cmake_pch.hxx.cxx"):
            assert header is not None
            use = words.index("-include-pch")
            options = ["-Wno-pragma-system-header-outside-header", "-fpch-instantiate-templates"]
            given = [*words[1:use], *words[use + 2 : words.index("-o")]]
            make = [str(tools.clang), *given, *options, str(header), "-o", words[use + 1]]
            made = Path(words[use + 1] + ".command")
            if not made.exists() or made.read_text() != shlex.join(make):
                run(make, build)
                made.write_text(shlex.join(make))
        else:
            entries.append({"directory": entry["directory"], "file": entry["file"], "arguments": words})
    written.write_text(json.dumps(entries, indent=1))
    return plugin


def sources_of(build: Path, wanted: list[Path]) -> list[Path]:
    files = {Path(entry["file"]) for entry in json.loads((build / "compile_commands.json").read_text())}
    return sorted(
        file
        for file in files
        if file.is_relative_to(ROOT)
        and not file.is_relative_to(build)
        and (not wanted or any(file == path or file.is_relative_to(path) for path in wanted))
    )


def warnings_of(source: Path, build: Path, tools: Tools, plugin: Path) -> str:
    """What clang-tidy has to say about one source and those of our headers that it includes; empty: clean."""
    scope = [f"--load={plugin}", "--checks=scoreact-own-declarations"]
    command = [str(tools.tidy), *scope, "--warnings-as-errors=*", "--quiet", "-p", str(build / "tidy"), str(source)]
    done = subprocess.run(command, check=False, cwd=ROOT, text=True, capture_output=True)
    if done.returncode == 0:
        return ""
    noise = re.compile(r"^\d+ (warnings?|errors?).*(generated|treated as errors?)\.?$", re.MULTILINE)
    return (noise.sub("", done.stderr).strip() + "\n" + done.stdout).strip() or f"exit code {done.returncode}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-p", dest="build", type=Path, default=ROOT / "build-tidy", metavar="BUILD", help="default: build-tidy")
    parser.add_argument("-j", dest="jobs", type=int, default=1, metavar="JOBS", help="sources at a time, 1.5 GB each")
    parser.add_argument("--list", action="store_true", help="only print the sources")
    parser.add_argument("wanted", nargs="*", type=Path, metavar="FILE|FOLDER")
    try:
        options = parser.parse_args()
    except SystemExit as stop:
        return 64 if stop.code else 0
    build = options.build.resolve()
    try:
        if not (build / "compile_commands.json").exists():
            raise MissingError(f"{build}/compile_commands.json not found; configure first (cmake --preset tidy)")
        sources = sources_of(build, [path.resolve() for path in options.wanted])
        if not sources:
            raise MissingError(f"{build} compiles none of {shlex.join(str(path) for path in options.wanted)}")
        if options.list:
            print("\n".join(str(source.relative_to(ROOT)) for source in sources))
            return 0
        tools = Tools()
        (build / "tidy").mkdir(exist_ok=True)
        with (build / "tidy/.lock").open("w") as lock:  # ninja starts several of us
            fcntl.flock(lock, fcntl.LOCK_EX)
            plugin = prepare(build, tools)
    except MissingError as missing:
        print(f"tidy.py: {missing}", file=sys.stderr)
        return 66
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max(options.jobs, 1)) as pool:
        for report in pool.map(lambda source: warnings_of(source, build, tools, plugin), sources):
            failed += report != ""
            if report:
                print(report, flush=True)
    print(f"{len(sources) - failed} of {len(sources)} sources are clean")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
