#! /usr/bin/env bash
# Stand-in. The user's entries in the container's passwd and group, and a home directory to start in.
set -euo pipefail

# Inside the namespace the user may look like root; the file's owner is who it is on the host.
user=${USER-}
entry=$(getent passwd "${user:-$(id -un)}") || {
    echo "[ERROR] User unknown: ${user:-$(id -un)}" >&2
    exit 1
}
IFS=: read -r name _ uid gid _ home _ <<< "${entry}"
etc=${ENROOT_ROOTFS}/etc
mkdir -p "${etc}"

add() { # add FILE ENTRY: unless the image has one of that name
    if ! grep -qs "^${2%%:*}:" "${etc}/$1"; then
        echo "$2" >> "${etc}/$1"
    fi
}
add passwd 'root:x:0:0:root:/root:/bin/sh'
add passwd 'nobody:x:65534:65534:nobody:/:/sbin/nologin'
add passwd "${name}:x:${uid}:${gid}::${home}:/bin/sh"
add group 'root:x:0:'
add group 'nogroup:x:65534:'
if group=$(getent group "${gid}"); then
    add group "${group%%:*}:x:${gid}:"
fi
mkdir -p "${ENROOT_ROOTFS}${home}"
if [ -n "${ENROOT_REMAP_ROOT-}" ]; then
    mkdir -p "${ENROOT_ROOTFS}/root"
fi
