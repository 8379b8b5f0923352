#!/usr/bin/env bash
#SBATCH --job-name=mfresnet
#SBATCH --nodes=1
#SBATCH --ntasks=8
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=01:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.out
#
# One case as a job that may be stopped at any time and goes on in the queue:
#
#     sbatch packaging/slurm/preemptible.sh CASE OUT [OPTIONS OF mfresnet run]
#
# Two minutes before its time is up the ranks get USR1: mfresnet leaves its work with status 75 and the
# job goes back into the queue. Where Slurm takes the node away it does the same by --requeue itself.
set -euo pipefail
export OMP_NUM_THREADS=1
read -ra mfresnet <<<"${MFRESNET:-mfresnet}"
case=$1 out=$2
shift 2
resume=()
if [ -d "$out/checkpoint" ]; then resume=(--resume); fi
status=0
srun "${mfresnet[@]}" run "$case" --out "$out" "${resume[@]}" "$@" || status=$?
if [ "$status" = 75 ]; then
  scontrol requeue "$SLURM_JOB_ID"
  exit 0
fi
exit "$status"
