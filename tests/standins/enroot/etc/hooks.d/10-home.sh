#! /usr/bin/env bash
# Stand-in. ENROOT_MOUNT_HOME: the user's home directory, and HOME to match.
set -euo pipefail

[ -n "${ENROOT_MOUNT_HOME-}" ] || exit 0

home=${HOME-}
if [ -z "${home}" ]; then
    home=$(getent passwd "$(id -un)" | cut -d : -f 6)
fi
target=${home}
if [ -n "${ENROOT_REMAP_ROOT-}" ]; then
    target=/root
fi
echo "${home} ${target} none x-create=dir,rbind,nosuid" >> "${ENROOT_MOUNTS}"
echo "HOME=${target}" >> "${ENROOT_ENVIRON}"
