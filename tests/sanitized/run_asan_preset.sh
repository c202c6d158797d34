#!/usr/bin/env bash
# Builds everything with the preset `asan` and runs the unit tests and those of one and two ranks there: what the tests
# sanitized.* leave out because it needs LibTorch. Then a small run, with assertions. Takes the better part of an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [[ ${1:-} == --help ]]; then
  echo "usage: tests/sanitized/run_asan_preset.sh [CTEST_ARGUMENT...]   (default: every C++ unit test, mpi.np1, mpi.np2, and a run)"
  exit 0
fi
selection=("$@")
((${#selection[@]})) || selection=(-R '^(unit\.|mpi\.np[12]$)')

cmake --preset asan -DSCOREACT_ENABLE_CUDA="${SCOREACT_ENABLE_CUDA:-OFF}" >/dev/null
# A compiler at work on a LibTorch header with sanitizers takes up to 3 GB.
jobs=$(awk -v cores="$(unset OMP_NUM_THREADS; nproc)" '/^MemAvailable:/ { n = int($2 / 3000000); print n < 1 ? 1 : n < cores ? n : cores }' /proc/meminfo)
cmake --build --preset asan --parallel "$jobs"
ctest --preset asan -j "$jobs" --output-on-failure "${selection[@]}"
(($# == 0)) || exit 0
run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
ASAN_OPTIONS=detect_leaks=0 build-asan/bin/scoreact finetune inputs/analytic/gaussian.toml --out "$run" --set run.epochs=3 --set sample.num_steps=20 \
  --set train.num_times=10 --set sample.samples_per_epoch=256 --set sample.micro_batch_size=64 --set train.minibatch_size=128 --set train.micro_batch_size=64 \
  --set value.steps_per_epoch=2 --set value.c_out=sin --set store.trajectories=all --set run.save_freq=1
