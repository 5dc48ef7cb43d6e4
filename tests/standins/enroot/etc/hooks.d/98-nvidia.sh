#! /usr/bin/env bash
# Stand-in. Hands the container to nvidia-container-cli where the image or the site asks for GPUs.
set -euo pipefail

declare -A wanted
while IFS='=' read -r key value; do
    wanted[${key:-_}]=${value-}
done < "${ENROOT_ENVIRON}"

devices=${wanted[NVIDIA_VISIBLE_DEVICES]-}
if [ -z "${devices}" ] || [ "${devices}" = void ]; then
    exit 0
fi
if ! command -v nvidia-container-cli > /dev/null; then
    echo "[ERROR] Command not found: nvidia-container-cli, see https://github.com/NVIDIA/libnvidia-container" >&2
    exit 1
fi

capabilities=${wanted[NVIDIA_DRIVER_CAPABILITIES]-utility}
if [ "${capabilities}" = all ]; then
    capabilities=compute,compat32,display,graphics,utility,video
fi
arguments=(--no-cgroups --ldconfig="@$(command -v ldconfig.real || command -v ldconfig || echo /sbin/ldconfig)")
if [ "${devices}" != none ]; then
    arguments+=("--device=${devices}")
fi
IFS=, read -r -a names <<< "${capabilities}"
for name in "${names[@]}"; do
    arguments+=("--${name}")
done
exec nvidia-container-cli --user configure "${arguments[@]}" "${ENROOT_ROOTFS}"
