#! /usr/bin/env bash
# Stand-in. MPI start-up through Slurm (srun --mpi=pmix|pmi2): its variables and its server's directory.
set -euo pipefail

if [ -z "${SLURM_JOB_ID-}" ] || [ -z "${SLURM_STEP_ID-}" ]; then
    exit 0
fi

while IFS='=' read -r -d '' key value; do
    case ${key} in
        SLURM_* | PMI_* | PMIX_*) printf '%s=%s\n' "${key}" "${value%%$'\n'*}" ;;
    esac
done < <(env -0) >> "${ENROOT_ENVIRON}"

for pair in PTL_MODULE:ptl SECURITY_MODE:psec GDS_MODULE:gds; do
    variable=PMIX_${pair%%:*}
    if [ -n "${!variable-}" ]; then
        echo "PMIX_MCA_${pair#*:}=${!variable}" >> "${ENROOT_ENVIRON}"
    fi
done

if [ -n "${PMIX_SERVER_TMPDIR-}" ]; then
    echo "${PMIX_SERVER_TMPDIR} ${PMIX_SERVER_TMPDIR} none x-create=dir,bind,nosuid,nodev" >> "${ENROOT_MOUNTS}"
fi
