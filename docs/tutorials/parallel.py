# %% tags=["remove-cell"]
# Copyright (c) 2026 the mfresnet authors
# SPDX-License-Identifier: MIT

# %% [markdown]
# # Several processes, clusters
#
# Put `mpirun -n N` before the command. The mesh is shared out, and so are the rows of a table. The iterates
# do not depend on the number of ranks beyond rounding.

# %%
import os
import subprocess
import sys
from pathlib import Path

CASE = """
title = "A Gaussian to a point"

[mesh]
cells = [12, 12]
lower = [-3.0, -3.0]
upper = [3.0, 3.0]

[network]
layers = 2

[[classes]]
density = { kind = "gaussian", mean = [-0.5, 0.0], covariance = [[0.12, 0.0], [0.0, 0.12]] }
target = [0.5, 0.5]

[training]
gradient_tolerance = 1e-2

[output]
fields = false
pictures = false
"""
Path("point.toml").write_text(CASE)


def shell(*line):
    """Run a command and show what it finds; what it says meanwhile is left out."""
    # a notebook may itself be a process of MPI: its children start anew
    ours = (
        "OMPI_COMM",
        "OMPI_APP",
        "OMPI_FILE",
        "OMPI_ARGV",
        "OMPI_COMMAND",
        "PMIX",
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    done = subprocess.run(
        line, capture_output=True, text=True, check=False, env=env
    )
    print(
        "$", *(Path(word).name if word == sys.executable else word for word in line)
    )
    print(done.stdout if done.returncode == 0 else done.stderr)


mfresnet = [sys.executable, "-m", "mfresnet"]
for ranks in ("1", "2"):
    rest = f"run point.toml --out results/ranks_{ranks} --overwrite"
    shell("mpirun", "-n", ranks, *mfresnet, *rest.split())

# %%
import json

one, two = (
    json.loads(Path(f"results/ranks_{n}/run.json").read_text()) for n in (1, 2)
)
values = [report["objective"]["total"] for report in (one, two)]
print(values, "relative difference", f"{abs(values[1] / values[0] - 1.0):.1e}")

# %% [markdown]
# ## In a script
#
# The library is collective: every rank makes the same calls and gets the same numbers. What is printed is
# the business of rank 0.

# %%
SCRIPT = """
from mpi4py import MPI

import mfresnet

J = mfresnet.ReducedFunctional(mfresnet.load("point.toml"))
value, cells = J.value(J.theta0), J.problem.space.n_owned_cells
cells = MPI.COMM_WORLD.gather(cells)
if MPI.COMM_WORLD.rank == 0:
    print(f"J = {value:.12f}, cells of the ranks: {cells}")
"""
Path("value.py").write_text(SCRIPT)
for ranks in ("1", "2"):
    shell("mpirun", "-n", ranks, sys.executable, "value.py")

# %% [markdown]
# ## How many ranks?
#
# A rank pays as long as it has a few thousand degrees of freedom: in the plane two ranks are of little
# use, in space they are. [Performance](../performance.md) has what was measured.
#
# - One thread a rank: `OMP_NUM_THREADS=1`, which `docker/run` sets.
# - **Memory** is shared out as well. `resources.memory = "64 GB"` is that of the whole run; layers beyond
#   it are carried forward again, with the same bits, see [Memory](../memory.md).
# - **Stopping.** TERM, INT and USR1 stop a run where it can leave its work; `--resume` goes on, bit for
#   bit. For Slurm:
#
# ```bash
# #SBATCH --ntasks=32 --time=04:00:00 --signal=USR1@120 --requeue
# resume=; if [ -d results/case/checkpoint ]; then resume=--resume; fi
# srun --mpi=pmix mfresnet run case.toml --out results/case $resume
# ```
#
#   `srun` hands USR1 on to the ranks two minutes before the end; the exit status is 75 then.
# - **Containers.** `docker build --target release` makes an image with the kernels compiled beforehand for
#   common cells and degrees and every level of processors, as a cluster needs it.
# - **Caches.** Kernels are compiled at their first use into `XDG_CACHE_HOME`; on a cluster let that be a
#   place that all nodes see.
