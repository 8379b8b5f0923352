#!/usr/bin/env bash
#SBATCH --job-name=mfresnet
#SBATCH --nodes=1
#SBATCH --ntasks=8
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=02:00:00
#SBATCH --output=%x-%j.out
#
# One case on the cores of one node:
#
#     sbatch packaging/slurm/one_node.sh CASE OUT [OPTIONS OF mfresnet run]
#
# MFRESNET is how mfresnet is called here, such as "apptainer exec mfresnet.sif mfresnet"; load
# modules or activate an environment before sbatch, which hands them on.
set -euo pipefail
export OMP_NUM_THREADS=1
read -ra mfresnet <<<"${MFRESNET:-mfresnet}"
case=$1 out=$2
shift 2
srun "${mfresnet[@]}" run "$case" --out "$out" "$@"
