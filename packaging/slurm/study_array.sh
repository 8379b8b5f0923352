#!/usr/bin/env bash
#SBATCH --job-name=mfresnet-study
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=01:00:00
#SBATCH --signal=USR1@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.out
#
# A study as an array of jobs, a member each, and its table afterwards:
#
#     study=(CASE --out OUT --over penalty.tikhonov=1e-4:1e-1:7:log --over network.layers=5,10,20)
#     last=$(($(mfresnet study "${study[@]}" --list | wc -l) - 1))
#     job=$(sbatch --parsable --array="0-$last" packaging/slurm/study_array.sh "${study[@]}")
#     sbatch --dependency="afterany:$job" --ntasks=1 --wrap="mfresnet study ${study[*]} --resume"
#
# A member that its time stops goes back into the queue, and on from its checkpoint.
set -euo pipefail
export OMP_NUM_THREADS=1
read -ra mfresnet <<<"${MFRESNET:-mfresnet}"
status=0
srun "${mfresnet[@]}" study "$@" --member "$SLURM_ARRAY_TASK_ID" --resume || status=$?
if [ "$status" = 75 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
  exit 0
fi
exit "$status"
