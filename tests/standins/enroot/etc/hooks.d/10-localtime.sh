#! /usr/bin/env bash
# Stand-in. The host's time zone, where the image has the zone's file.
set -euo pipefail

zone=$(readlink /etc/localtime || :)
if [ -n "${zone}" ] && [ -f "${ENROOT_ROOTFS}/${zone#*/}" ]; then
    ln -sfn "${zone}" "${ENROOT_ROOTFS}/etc/localtime" || :
fi
