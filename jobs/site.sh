# What is particular to one cluster. Every job script reads this file first (jobs/run.sh), and so does jobs/sweep.sh before it submits.
# Edit it, or copy it and `export SCOREACT_SITE=/path/to/the/copy`. As it stands it fits a tree that `./quickstart --build-only` built.
# What each variable means: docs/cluster.md.
# shellcheck shell=bash

# The environment that scoreact was built in, for example one of
#   module load gcc/12 openmpi/4.1 hdf5/1.14-mpi cuda/13
#   source /path/to/spack/share/spack/setup-env.sh && spack env activate /path/to/scoreact
#   source /path/to/spack/share/spack/setup-env.sh && spack load scoreact

# The program, a path or a name on PATH (`scoreact` once it is installed), and a Python with h5py, numpy and matplotlib for reports.
export SCOREACT=${SCOREACT:-build/bin/scoreact}
export SCOREACT_PYTHON=${SCOREACT_PYTHON:-.venv/bin/python}

# How ranks are started: auto takes `srun --mpi=pmix` where this Slurm has it and mpirun where not. Other words are taken as they are:
#   export SCOREACT_LAUNCHER="srun --mpi=pmi2 --cpu-bind=cores"
export SCOREACT_LAUNCHER=${SCOREACT_LAUNCHER:-auto}

# Seconds that a run gets to finish its epoch and write a checkpoint after Slurm's notice of the time limit; then it is stopped and goes
# on from the last checkpoint. Less than the notice (--signal=B:USR1@120 in the job scripts).
export SCOREACT_GRACE=${SCOREACT_GRACE:-90}

# Nodes of different kinds: the same instructions on all of them, without which the bits depend on where a rank runs; slower on new ones.
#   export ATEN_CPU_CAPABILITY=avx2 MKL_CBWR=COMPATIBLE ONEDNN_MAX_CPU_ISA=AVX2

# Options of sbatch that are the same for all jobs here; these have an effect where sbatch is called, so in jobs/sweep.sh or your shell.
#   export SBATCH_ACCOUNT=project SBATCH_PARTITION=gpu
