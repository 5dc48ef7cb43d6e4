#! /usr/bin/env bash
# Stand-in. What torch.distributed's "env://" wants, from Slurm's variables, for images with PyTorch.
set -euo pipefail

grep -q '^PYTORCH_VERSION=' "${ENROOT_ENVIRON}" || exit 0
[ -n "${SLURM_JOB_ID-}" ] && [ -n "${SLURM_STEP_ID-}" ] || exit 0

{
    if [ -n "${SLURM_STEP_NODELIST-}" ]; then
        echo "MASTER_ADDR=$(scontrol show hostname "${SLURM_STEP_NODELIST}" | head -n 1)"
    fi
    echo "MASTER_PORT=$((SLURM_JOB_ID % 4536 + 61000))"
    echo "WORLD_SIZE=${SLURM_STEP_NUM_TASKS-1}"
    echo "RANK=${SLURM_PROCID-0}"
    echo "LOCAL_RANK=${SLURM_LOCALID-0}"
    echo "OMP_NUM_THREADS=1"
} >> "${ENROOT_ENVIRON}"
