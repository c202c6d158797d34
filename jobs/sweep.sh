#!/usr/bin/env bash
# Submits a sweep and its comparison: see --help.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'HELP'
usage: jobs/sweep.sh TABLE OUT_DIR [SBATCH_OPTION ...] [-- SCOREACT_OPTION ...]

Submits one job array, an element for each run of TABLE (name, deck, KEY=VALUE ..., separated by tabs;
inputs/digits/sweep.tsv is one), each into OUT_DIR/NAME, and a job that waits for all of them and writes
OUT_DIR/comparison.html. Paths are relative to the root of the repository. The same command continues a sweep:
finished runs are left alone.

  SBATCH_OPTION     for the array, for example --time=04:00:00 or --ntasks=4; for at most 8 runs at a time
                    --array=1-N%8
  SCOREACT_OPTION   for every run, for example --set run.epochs=10

SCOREACT_SITE in the environment names the site file (jobs/site.sh), which may export SBATCH_ACCOUNT and
others for both jobs. Prints the numbers of the two jobs. Exit code 0: submitted; 64: wrong command line; 65: the
table is wrong; 66: no table; else that of sbatch.
HELP
}

fail() {
  printf 'sweep.sh: %s\n' "$1" >&2
  exit "$2"
}

[[ ${1:-} != --help && ${1:-} != -h ]] || { usage && exit 0; }
[[ -n ${1:-} && -n ${2:-} && $1 != -* && $2 != -* ]] || fail "expected TABLE and OUT_DIR; --help shows the options" 64
table=$1 out=$2
shift 2
for_sbatch=()
while (($#)) && [[ $1 != -- ]]; do
  for_sbatch+=("$1")
  shift
done
(($# == 0)) || shift

# shellcheck source=jobs/sweep_table.sh
source jobs/sweep_table.sh
read_table "$table"
site=${SCOREACT_SITE:-jobs/site.sh}
[[ -f $site ]] || fail "no site file $site (SCOREACT_SITE)" 66
# shellcheck source=jobs/site.sh
source "$site"

mkdir -p "$out"
array=$(sbatch --parsable --array="1-${#names[@]}" --output="$out/%A_%a.log" "${for_sbatch[@]}" jobs/sweep.slurm "$table" "$out" "$@")
array=${array%%;*} # a number, or number;cluster
collect=$(sbatch --parsable --dependency="afterany:$array" --output="$out/collect_%j.log" jobs/collect.slurm "$table" "$out")
printf 'array %s: %d runs into %s; then job %s: %s/comparison.html\n' "$array" "${#names[@]}" "$out" "${collect%%;*}" "$out"
