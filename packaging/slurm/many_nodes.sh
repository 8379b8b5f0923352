#!/usr/bin/env bash
#SBATCH --job-name=mfresnet
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=32
#SBATCH --cpus-per-task=1
#SBATCH --exclusive
#SBATCH --time=12:00:00
#SBATCH --output=%x-%j.out
#
# One case on several nodes with the MPI of the site:
#
#     sbatch packaging/slurm/many_nodes.sh CASE OUT [OPTIONS OF mfresnet run]
#
# MPI_TYPE is what srun speaks with MPI, see "srun --mpi=list": pmix for Open MPI, pmi2 or cray_shasta
# for MPICH and its kin. MFRESNET as in one_node.sh. OUT is on a file system that all nodes see.
set -euo pipefail
export OMP_NUM_THREADS=1
# The container and docker/run keep Open MPI on one node by these.
unset OMPI_MCA_btl OMPI_MCA_pml PRTE_MCA_mapby PRTE_MCA_bindto
read -ra mfresnet <<<"${MFRESNET:-mfresnet}"
case=$1 out=$2
shift 2
srun --mpi="${MPI_TYPE:-pmix}" --cpu-bind=cores "${mfresnet[@]}" run "$case" --out "$out" "$@"
