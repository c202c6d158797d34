#!/usr/bin/env bash
# Builds the preset `fuzz` and gives every reader (or those named) to libFuzzer for so many seconds each. What it learns stays in
# build-fuzz/corpus/<reader> for the next time; what it finds lies in build-fuzz/findings/<reader>.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} == --help || ! ${1:-} =~ ^[0-9]+$ ]]; then
  echo "usage: tests/fuzz/run_fuzzers.sh SECONDS [READER...]"
  echo "readers: $(basename -s _fuzz.cpp -a tests/fuzz/*_fuzz.cpp | tr '\n' ' ')"
  echo "exit code 0: nothing found, 1: findings, 77: no clang with libFuzzer here"
  [[ ${1:-} == --help ]] && exit 0 || exit 64
fi
seconds=$1
shift
readers=("$@")
((${#readers[@]})) || mapfile -t readers < <(basename -s _fuzz.cpp -a tests/fuzz/*_fuzz.cpp)

if ! echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
  clang++ -x c++ -fsanitize=fuzzer,address,undefined -o /dev/null - 2>/dev/null; then
  echo "clang with libFuzzer not found (Debian: clang libclang-rt-14-dev)"
  exit 77
fi
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz

# Scratch files in memory where that is possible; crashed programs leave theirs, so all go together.
TMPDIR=$(mktemp -d -p "$([[ -w /dev/shm ]] && echo /dev/shm || echo "${TMPDIR:-/tmp}")")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

found=0
for reader in "${readers[@]}"; do
  learnt=build-fuzz/corpus/$reader findings=build-fuzz/findings/$reader
  mkdir -p "$learnt" "$findings"
  rm -f "$findings"/*
  options=(-max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=3000 -malloc_limit_mb=1000
    -artifact_prefix="$findings/" -print_final_stats=1)
  [[ ! -f tests/fuzz/$reader.dict ]] || options+=(-dict="tests/fuzz/$reader.dict")
  # The HDF5 library dies of some inputs itself: go on after each, and sort them afterwards.
  [[ $reader != hdf5 ]] || options+=(-fork=1 -ignore_crashes=1 -ignore_ooms=1 -ignore_timeouts=1)
  echo "== $reader, $seconds s"
  build-fuzz/bin/fuzz_"$reader" "${options[@]}" "$learnt" "tests/fuzz/corpus/$reader" >"$findings.log" 2>&1 || true
  runs=$(grep -Eo '^#[0-9]+|number_of_executed_units: [0-9]+' "$findings.log" | grep -Eo '[0-9]+' | sort -n | tail -n 1)
  number=$(find "$findings" -type f | wc -l)
  echo "$reader: ${runs:-0} inputs, $number findings"
  if ((${runs:-0} == 0)); then tail -n 20 "$findings.log"; found=1; fi
  if ((number > 0)) && [[ $reader == hdf5 && -x build/bin/replay_hdf5 ]]; then
    build/bin/replay_hdf5 --tolerate libhdf5 "$findings" || found=1
  elif ((number > 0)); then
    grep -E -A 12 'ERROR: |runtime error|terminate called|not true of' "$findings.log" | head -n 60 || true
    found=1
  fi
done
exit "$found"
