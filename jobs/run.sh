# What the job scripts share: the site's environment, how ranks are started, stopping in time and going on in the next job.
# Sourced from the root of the repository; nothing here runs by itself. The way of a training job (docs/cluster.md):
#   the ranks end with 0                    the job is done
#   notice of the time limit (USR1)         passed on to the ranks, which write a checkpoint and end with 75
#   they end with 75                        the job goes back into the queue and continues there
#   one is killed (128 and more)            the same, if there is a checkpoint of this job's
#   anything else                           the job ends with that exit code
# shellcheck shell=bash

fail() { # MESSAGE EXIT_CODE
  printf '%s: %s\n' "${SLURM_JOB_NAME:-jobs}" "$1" >&2
  exit "$2"
}

site=${SCOREACT_SITE:-jobs/site.sh}
[[ -f $site ]] || fail "no site file $site (SCOREACT_SITE)" 66
# shellcheck source=jobs/site.sh
source "$site"

program=$(command -v "${SCOREACT:-build/bin/scoreact}") ||
  fail "no program ${SCOREACT:-build/bin/scoreact}; ./quickstart --build-only builds it, SCOREACT names another (docs/cluster.md)" 66
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1} # the same number in every job of a run: other threads, other bits

# srun ends the other ranks so many seconds after the first one ended: they would wait for one that was killed. Not --kill-on-bad-exit:
# it sends SIGTERM to ranks that are just ending with the same code, which after a notice, or before they have started, makes it 143.
export SLURM_WAIT=${SLURM_WAIT:-60}

# The one place that decides how ranks are started: sets `launch`.
choose_launcher() { # TASKS
  local cpus=${SLURM_CPUS_PER_TASK:-1}
  launch=()
  if [[ ${SCOREACT_LAUNCHER:-auto} != auto ]]; then
    read -ra launch <<<"$SCOREACT_LAUNCHER"
  elif [[ -n ${SLURM_JOB_ID:-} ]] && srun --mpi=list 2>&1 | grep -qw pmix; then
    # srun no longer takes over the job's --cpus-per-task by itself
    launch=(srun --mpi=pmix --cpu-bind=cores --ntasks="$1" --cpus-per-task="$cpus")
  elif (($1 > 1)); then
    launch=(mpirun -n "$1" --map-by "slot:PE=$cpus" --bind-to core)
  fi
}

# The tasks that were asked for; says when they are not one a GPU.
job_tasks() {
  local tasks=${SLURM_NTASKS:-1} gpus=$((${SLURM_GPUS_ON_NODE:-0} * ${SLURM_JOB_NUM_NODES:-1}))
  ((gpus == 0 || gpus == tasks)) ||
    printf '%s: %d tasks for %d GPUs; one a GPU is meant: --ntasks-per-node equal to --gpus-per-node\n' \
      "${SLURM_JOB_NAME:-jobs}" "$tasks" "$gpus" >&2
  printf '%d' "$tasks"
}

# When the job ends, in Unix seconds, which the program stops in time for: Slurm 22.05 doesn't say it in the environment.
if [[ -n ${SLURM_JOB_ID:-} && -z ${SLURM_JOB_END_TIME:-} ]]; then
  end=$(scontrol --oneliner show job "$SLURM_JOB_ID" 2>/dev/null | grep -o ' EndTime=[0-9][^ ]*') &&
    SLURM_JOB_END_TIME=$(date -d "${end# EndTime=}" +%s) && export SLURM_JOB_END_TIME
fi

noticed=no child=""
notice() {
  noticed=yes
  [[ -z $child ]] || kill -USR1 "$child" 2>/dev/null # srun and mpirun hand it to the ranks
}
trap notice USR1

# ranks TASKS ARGUMENT...: `scoreact ARGUMENT...` on so many ranks; sets `status`. Bash runs a trap only between commands, hence the
# background: `wait` ends at once when the notice comes.
ranks() {
  local tasks=$1 left again
  shift
  choose_launcher "$tasks"
  "${launch[@]}" "$program" "$@" &
  child=$!
  status=0
  wait "$child" || status=$?
  if [[ $noticed == yes ]]; then
    for ((left = ${SCOREACT_GRACE:-90}; left > 0; left--)); do
      kill -0 "$child" 2>/dev/null || break
      sleep 1
    done
    kill -TERM "$child" 2>/dev/null # the second signal: no more waiting for the end of the epoch
    again=0
    wait "$child" || again=$?
    ((again == 127)) || status=$again # 127: it had ended before the notice, with `status`
  fi
  child=""
}

# state_of FILE: another one once it has been written anew.
state_of() { stat -c '%i %y' "$1" 2>/dev/null || true; }

# ranks_that TEST ARGUMENT... -- TASKS ...: `ranks`, and once more where they ended with 0 but `TEST ARGUMENT...` doesn't hold: srun of
# Slurm 22.05 ends with 0, too, when a busy node could not start its tasks ("task 0 launch failed").
ranks_that() {
  local holds=()
  while [[ $1 != -- ]]; do holds+=("$1") && shift; done
  shift
  ranks "$@"
  if [[ $status == 0 && $noticed == no ]] && ! "${holds[@]}"; then
    printf '%s: nothing was done: the tasks were not started; once more\n' "${SLURM_JOB_NAME:-jobs}" >&2
    sleep 5
    ranks "$@"
    if ((status == 0)) && ! "${holds[@]}"; then status=70; fi
  fi
}
is_trained() { [[ -e $1/policy || " ${*:2} " == *" --check "* ]]; } # RUN_DIR OPTION...
is_changed() { [[ $(state_of "$1") != "$2" ]]; }                     # FILE STATE

# Back into the queue. An element of an array is named by array and index: the plain number of the last one is that of the whole array.
requeue() { # WHY
  local job=${SLURM_JOB_ID:-}
  [[ -z ${SLURM_ARRAY_TASK_ID:-} ]] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID
  [[ -n $job ]] || fail "$1; the same command goes on" 75
  printf '%s: %s; job %s goes back into the queue\n' "${SLURM_JOB_NAME:-jobs}" "$1" "$job"
  scontrol requeue "$job" || fail "this cluster doesn't let job $job requeue itself; submit the same command again to go on" 75
  exit 75
}

# newest_checkpoint RUN_DIR: the DONE that a run goes on from; not `latest`, which is a moment later there. Without
# any, the pattern itself, which is as good as a name here.
newest_checkpoint() {
  local complete=("$1"/checkpoints/epoch_*/DONE)
  printf '%s\n' "${complete[-1]}"
}

# train DECK RUN_DIR OPTION...: returns when the run is finished; otherwise the job ends here.
train() {
  local run=$2 before got_on=no
  before=$(newest_checkpoint "$run")
  ranks_that is_trained "$run" "${@:3}" -- "$(job_tasks)" finetune "$1" --out "$run" "${@:3}"
  [[ $(newest_checkpoint "$run") == "$before" ]] || got_on=yes
  if ((status == 0)); then
    return
  elif ((status == 75 || status >= 128)) && [[ -e $run/stop ]]; then
    fail "stopped by $run/stop; submit the same command again to go on" 75
  elif ((status == 75)); then
    requeue "stopped early with a checkpoint"
  elif [[ $noticed == yes && $got_on == yes ]]; then
    requeue "stopped at the time limit (exit code $status); $run goes on from its last checkpoint"
  elif [[ $noticed == yes ]]; then
    fail "no checkpoint within the time limit; a longer --time, an earlier notice (--signal) or a smaller run.save_freq is needed" "$status"
  elif ((status >= 128)) && [[ $got_on == yes ]]; then # else it would die in the same place for ever
    requeue "finetune was killed (exit code $status); $run goes on from its last checkpoint"
  fi
  fail "finetune ended with exit code $status" "$status"
}

# evaluate RUN_DIR OPTION...: sets `status`.
evaluate() { ranks_that is_changed "$1/run.h5" "$(state_of "$1/run.h5")" -- "$(job_tasks)" evaluate "$@"; }

# analysis ARGUMENT...: the Python side; fails with 66 where there is none.
analysis() {
  local python=${SCOREACT_PYTHON:-.venv/bin/python}
  command -v "$python" >/dev/null || fail "no Python $python (SCOREACT_PYTHON in $site)" 66
  PYTHONPATH=analysis${PYTHONPATH:+:$PYTHONPATH} "$python" -m scoreact_analysis "$@"
}

# report RUN_DIR: its page, where there is a Python for it.
report() {
  if command -v "${SCOREACT_PYTHON:-.venv/bin/python}" >/dev/null; then
    analysis report "$1"
  else
    printf '%s: no report: no Python %s (SCOREACT_PYTHON in %s)\n' "${SLURM_JOB_NAME:-jobs}" "${SCOREACT_PYTHON:-.venv/bin/python}" "$site"
  fi
}

# train_and_show DECK RUN_DIR OPTION...: train, then the evaluation and the page of the run; a `--check` ends after itself.
train_and_show() {
  local run=$2
  train "$@"
  [[ " ${*:3} " != *" --check "* ]] || return 0
  evaluate "$run"
  [[ $status == 0 || $noticed == no ]] || requeue "no time left for the evaluation"
  ((status == 0)) || fail "evaluate ended with exit code $status" "$status"
  report "$run"
}
