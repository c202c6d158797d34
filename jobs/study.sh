#!/usr/bin/env bash
# A study: every deck of a folder over several seeds, evaluated at several step counts. See --help.
set -euo pipefail
cd "$(dirname "$0")/.."

inputs=inputs/digits
decks=(ctrl ctrl_paper ctrl_released ddpo)
seeds=(1 2 3 4 5)
out=runs/study
steps=10,25,50,100,200
training_steps=(own)
label=
changes=()
program=${SCOREACT:-build/bin/scoreact}

usage() {
  cat <<HELP
usage: jobs/study.sh [--inputs DIR] [--decks "NAME ..."] [--seeds "N ..."] [--steps N,...] [--training-steps "N ..."]
                     [--set SECTION.KEY=VALUE]... [--label TEXT] [--out DIR] [--help]

Runs INPUTS/NAME.toml for each seed, one run after another on one rank with one thread, into DIR/NAME_seedN,
and evaluates each. A run that is finished is skipped and one that was interrupted continues, so the same
command line goes on where it stopped. One line a run; what the program prints goes to RUN_DIR.log.

  --inputs DIR               the folder of the decks; $inputs
  --decks "NAME ..."         instead of: ${decks[*]}
  --seeds "N ..."            instead of: ${seeds[*]}
  --steps N,...              of the evaluation, instead of: $steps
  --training-steps "N ..."   trains with so many steps, into DIR/NAME<N>_seedN; own: the deck's, into DIR/NAME_seedN
  --set SECTION.KEY=VALUE    another value for every run; names the study with --label
  --label TEXT               runs go into DIR/NAME_TEXT_seedN
  --out DIR                  instead of: $out
  --help                     this text

SCOREACT in the environment names the program (build/bin/scoreact). Afterwards:
  PYTHONPATH=analysis .venv/bin/python -m scoreact_analysis study-table $out/*_seed*/ --out docs/studies/NAME.md

Exit code 0: all runs are done; 1: some failed (the others are done); 64: wrong command line; 66: no program;
75: stopped early, call again.
HELP
}

while (($#)); do
  case $1 in
    --help | -h) usage && exit 0 ;;
    --inputs | --decks | --seeds | --steps | --training-steps | --set | --label | --out)
      if [[ -z ${2:-} ]]; then
        echo "study.sh: $1 wants a value; --help shows the options" >&2
        exit 64
      fi
      case $1 in
        --inputs) inputs=$2 ;;
        --steps) steps=$2 ;;
        --set) changes+=(--set "$2") ;;
        --label) label=_$2 ;;
        --decks) read -ra decks <<<"$2" ;;
        --seeds) read -ra seeds <<<"$2" ;;
        --training-steps) read -ra training_steps <<<"$2" ;;
        --out) out=$2 ;;
      esac
      shift ;;
    *)
      echo "study.sh: unknown option '$1'; --help shows the options" >&2
      exit 64 ;;
  esac
  shift
done
for deck in "${decks[@]}"; do
  if [[ ! -f $inputs/$deck.toml ]]; then
    echo "study.sh: no deck $inputs/$deck.toml" >&2
    exit 64
  fi
done
if [[ ! -x $program ]]; then
  echo "study.sh: no program $program; ./quickstart --build-only builds it" >&2
  exit 66
fi

export OMP_NUM_THREADS=1
mkdir -p "$out"
failed=0

# one_run DECK STEPS SEED
one_run() {
  local deck=$1 training=$2 seed=$3 name=$1 start=$SECONDS status=0
  local own=(--set run.seed="$seed" --set run.save_freq=0 --set store.images_per_epoch=0)
  if [[ $training != own ]]; then
    name=$deck$training
    own+=(--set sample.num_steps="$training")
  fi
  name+=$label
  local run=$out/${name}_seed$seed
  if [[ -f $run/study.done ]]; then
    printf '%s: done before\n' "$run"
    return
  fi
  {
    "$program" finetune "$inputs/$deck.toml" --out "$run" --set run.name="$name" "${own[@]}" "${changes[@]}" &&
      "$program" evaluate "$run" --steps "$steps"
  } >>"$run.log" 2>&1 || status=$?
  if ((status == 75)); then
    printf '%s: stopped early\n' "$run"
    exit 75
  elif ((status)); then
    printf '%s: failed with exit code %d: %s\n' "$run" "$status" "$(tail -n 1 "$run.log")"
    failed=1
  else
    touch "$run/study.done"
    printf '%s: done in %d s\n' "$run" $((SECONDS - start))
  fi
}

for training in "${training_steps[@]}"; do
  for seed in "${seeds[@]}"; do # seeds outside, so that every deck has some early
    for deck in "${decks[@]}"; do one_run "$deck" "$training" "$seed"; done
  done
done
exit "$failed"
