#! /usr/bin/env bash
# Stand-in. ENROOT_RESTRICT_DEV: a /dev with the devices that every program expects, and no other.
set -euo pipefail

[ -n "${ENROOT_RESTRICT_DEV-}" ] || exit 0

{
    echo "tmpfs /dev tmpfs nosuid,noexec,mode=0755"
    for name in null zero full random urandom tty; do
        echo "/dev/${name} /dev/${name} none x-create=file,bind"
    done
    echo "/dev/pts /dev/pts none x-create=dir,bind,nofail"
    echo "tmpfs /dev/shm tmpfs x-create=dir,nosuid,nodev"
} | enroot-mount --root "${ENROOT_ROOTFS}" -
