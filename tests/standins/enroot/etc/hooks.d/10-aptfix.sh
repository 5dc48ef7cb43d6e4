#! /usr/bin/env bash
# Stand-in. apt inside a user namespace cannot become its own user: only one id is mapped.
set -euo pipefail

if [ -d "${ENROOT_ROOTFS}/etc/apt/apt.conf.d" ]; then
    echo 'APT::Sandbox::User "root";' > "${ENROOT_ROOTFS}/etc/apt/apt.conf.d/10enroot" || :
fi
