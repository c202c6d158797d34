# What quickstart and runtests share: install what is missing, configure, build.
# Sourced by both, from the repository root; nothing here runs by itself. Every step looks first,
# so that a second call costs seconds.
# shellcheck shell=bash

packages=(g++ cmake ninja-build ccache pkg-config git libopenmpi-dev openmpi-bin libhdf5-openmpi-dev hdf5-tools
  libtomlplusplus-dev libcli11-dev nlohmann-json3-dev libfmt-dev libpng-dev libjpeg62-turbo-dev zlib1g-dev
  python3-venv)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev clang-format shellcheck)
wheels=(h5py numpy matplotlib pillow)
test_wheels=(pytest mypy ruff jsonschema PyYAML)

# LibTorch is the C++ part of the torch wheel. Of the many packages that the wheel depends on, its CPU
# library loads these two; torch_cuda loads the next three beside what a CUDA toolkit brings.
torch_wheels=(torch==2.11.0 nvidia-cuda-runtime==13.0.96 nvidia-cuda-cupti==13.0.85)
torch_cuda_wheels=(nvidia-cusparselt-cu13==0.8.0 nvidia-nvshmem-cu13==3.4.5 nvidia-cufile==1.15.1.6)

log=build/setup.log

say() { printf '== %s\n' "$*"; }

fail() {
  printf '%s: %s\n' "$(basename "$0")" "$1" >&2
  exit "${2:-1}"
}

# step WHAT COMMAND...: one line with the time taken. What the command prints goes to the log, and its end to
# the screen if the command fails.
step() {
  local what=$1 start=$SECONDS status
  shift
  printf '== %s ... ' "$what"
  printf '\n== %s\n' "$what" >>"$log"
  set +e
  (set -e; "$@") >>"$log" 2>&1 </dev/null
  status=$?
  set -e
  if ((status)); then
    printf 'failed after %d s; the end of %s:\n' $((SECONDS - start)) "$log"
    tail -n 30 "$log"
    exit "$status"
  fi
  printf '%d s\n' $((SECONDS - start))
}

# live WHAT COMMAND...: the same for long commands whose output the user wants to see as it comes.
live() {
  local what=$1 start=$SECONDS
  shift
  say "$what"
  "$@" || fail "$what: exit code $?" $?
  say "$what: $((SECONDS - start)) s"
}

# on_prefix_path PATTERN: does a folder of CMAKE_PREFIX_PATH hold such a file?
on_prefix_path() {
  local folder folders
  IFS=: read -ra folders <<<"${CMAKE_PREFIX_PATH:-}"
  for folder in "${folders[@]}"; do
    if compgen -G "$folder/$1" >/dev/null; then return 0; fi
  done
  return 1
}

torch_is_given() { [[ -n ${Torch_ROOT:-} ]] || on_prefix_path include/torch/csrc/api/include/torch/torch.h; }
kokkos_is_given() { [[ -n ${Kokkos_ROOT:-} ]] || on_prefix_path 'lib*/cmake/Kokkos/KokkosConfig.cmake'; }
gpu_is_visible() { nvidia-smi -L 2>/dev/null | grep -q '^GPU'; }

# missing_packages NAME...: those that dpkg doesn't know as installed, one a line.
missing_packages() {
  comm -23 <(printf '%s\n' "$@" | sort -u) \
    <(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | awk '$2 == "installed" {print $1}' | sort -u)
}

# The package lists of a fresh container are empty or stale: then update them, and try once more.
apt_install() {
  local root=()
  ((EUID == 0)) || root=(sudo)
  local install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@")
  "${install[@]}" || { "${root[@]}" apt-get update && "${install[@]}"; }
}

install_packages() {
  local missing
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system: going on with what is there; Debian's names for what is needed: $*"
    return
  fi
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]} == 0)); then
    say "system packages: all there"
  elif ((EUID != 0)) && ! command -v sudo >/dev/null; then
    say "neither root nor sudo: going on without ${missing[*]}"
  else
    step "system packages: installing ${missing[*]}" apt_install "${missing[@]}"
  fi
}

# A python3 that can make an environment for the torch wheel; the system's own if the first on PATH can't.
make_environment() {
  local python
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && "$python" -m venv --clear .venv; then return; fi
  done
  echo "no python3 (>= 3.11) with venv: on Debian install python3-venv"
  return 1
}

# missing_wheels NAME[==VERSION]...: those that .venv lacks, one a line.
missing_wheels() {
  .venv/bin/python - "$@" <<'PYTHON'
import sys
from importlib.metadata import PackageNotFoundError, version

for wanted in sys.argv[1:]:
    name, _, exact = wanted.partition("==")
    try:
        found = version(name)
    except PackageNotFoundError:
        found = ""
    if not found or (exact and found.split("+")[0] != exact):
        print(wanted)
PYTHON
}

# install_wheels WHAT PIP_OPTION WHEEL...
install_wheels() {
  local what=$1 option=$2 missing
  shift 2
  mapfile -t missing < <(missing_wheels "$@")
  if ((${#missing[@]} == 0)); then
    say "$what: all there"
  else
    step "$what: installing ${missing[*]}" .venv/bin/python -m pip install --disable-pip-version-check "$option" "${missing[@]}"
  fi
}

# Where OMP_NUM_THREADS is set, nproc alone gives that.
cores() (unset OMP_NUM_THREADS; nproc)

# A compiler at work on a dozen files with LibTorch takes up to 2 GB.
build_jobs() {
  awk -v cores="$(cores)" '/^MemAvailable:/ {
    jobs = int($2 / 2000000)
    print jobs < 1 ? 1 : jobs < cores ? jobs : cores
  }' /proc/meminfo
}

# set_up TESTS [PACKAGE...]: installs and configures; TESTS is ON or OFF; packages beside the usual ones.
set_up() {
  local tests=$1 cuda=${SCOREACT_ENABLE_CUDA:-OFF} wanted=("${packages[@]}" "${@:2}") python=("${wheels[@]}")
  [[ $tests == OFF ]] || { wanted+=("${test_packages[@]}"); python+=("${test_wheels[@]}"); }
  kokkos_is_given || wanted+=(libtrilinos-kokkos-dev)
  [[ -n ${SCOREACT_ENABLE_CUDA:-} ]] || ! gpu_is_visible || cuda=AUTO
  mkdir -p build
  : >"$log"

  install_packages "${wanted[@]}"
  .venv/bin/python -c '' 2>/dev/null || step "Python environment .venv" make_environment
  install_wheels "Python packages" --prefer-binary "${python[@]}"
  if torch_is_given; then
    say "LibTorch: yours (Torch_ROOT or CMAKE_PREFIX_PATH)"
  else
    [[ $cuda == OFF ]] || torch_wheels+=("${torch_cuda_wheels[@]}")
    install_wheels "LibTorch" --no-deps "${torch_wheels[@]}"
  fi
  # A build that has the tests keeps them: turning them off would delete what is built.
  if grep -qs '^SCOREACT_BUILD_TESTS:BOOL=ON' build/CMakeCache.txt; then tests=ON; fi
  # CMake keeps to what it found; it looks again where the user names other places than at the last call.
  local places="${Torch_ROOT:-}|${Kokkos_ROOT:-}|${CMAKE_PREFIX_PATH:-}" forget=()
  [[ ! -e build/places || $places == "$(<build/places)" ]] || forget=(-U 'TORCH_*' -U Kokkos_DIR)
  step "configuring build/ (CUDA: $cuda)" \
    cmake --preset default -DSCOREACT_ENABLE_CUDA="$cuda" -DSCOREACT_BUILD_TESTS="$tests" "${forget[@]}"
  printf '%s' "$places" >build/places
}

# build TARGET
build() {
  live "building $1 ($(build_jobs) at a time)" cmake --build build --parallel "$(build_jobs)" --target "$1"
}

# A laptop, a container as root, a node with fewer cores than ranks: mpirun runs in all of them.
mpi_environment() {
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
  export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1
  export OMPI_MCA_btl_vader_single_copy_mechanism=none # containers forbid process_vm_readv
  export HWLOC_COMPONENTS=-gl                          # hwloc would try to open an X display
}
