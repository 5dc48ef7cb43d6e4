#!/bin/bash
# The least that one bare node needs for container jobs. floor.sh starts it on each node.
# Usage: floor_node.sh install|place|register [yes|no: build the plugin here] [yes|no: there are NVIDIA GPUs]
set -euo pipefail

work=/var/cache/slipway
plugins=/usr/local/lib/slipway/pyxis
original=/var/lib/slipway/original
data=/scratch/slipway
boot=/usr/local/lib/slipway/tmpfiles.d
toolkit=(nvidia-container-toolkit nvidia-container-toolkit-base libnvidia-container-tools libnvidia-container1)

source_archive=$(find "$work" -maxdepth 1 -name 'pyxis-*.tar.gz')
pyxis=${source_archive##*/pyxis-}
pyxis=${pyxis%.tar.gz}
# "slurm-wlm 24.11.5" on Debian: a plugin belongs to major.minor.
series=$(srun --version | sed -E 's/^[^ ]+ ([0-9]+\.[0-9]+).*/\1/')
build=$plugins/$pyxis-slurm-$series/spank_pyxis.so

pin_apptainer() {
    sed 's/^Suites: trixie$/Suites: sid/; /^$/,$d' /etc/apt/sources.list.d/debian.sources \
        >/etc/apt/sources.list.d/slipway-apptainer.sources
    printf '%s\n' 'Package: *' 'Pin: release n=sid' 'Pin-Priority: -10' '' \
        'Package: apptainer' 'Pin: release n=sid' 'Pin-Priority: 500' >/etc/apt/preferences.d/slipway-apptainer.pref
}

install_packages() {
    local packages=("$work"/*.deb docker.io docker-cli apptainer fakeroot fuse2fs gocryptfs squashfuse)
    if [[ $1 == yes ]]; then
        packages+=(gcc libc6-dev make libslurm-dev)
    fi
    if [[ $2 == yes ]]; then
        packages+=("${toolkit[@]}")
        install -D -m 644 "$work/nvidia.asc" /etc/apt/keyrings/slipway-nvidia-container-toolkit.asc
        install -m 644 "$work/nvidia.sources" /etc/apt/sources.list.d/slipway-nvidia-container-toolkit.sources
        echo nvidia_uvm >/etc/modules-load.d/slipway-nvidia.conf
    fi
    rm -f "$work"/nvidia.*
    pin_apptainer
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold install "${packages[@]}" >/dev/null
    if [[ $2 == yes ]]; then
        apt-mark -qq hold "${toolkit[@]}"
    fi
    rm -f "$work"/*.deb
}

write_files() {
    mkdir -p "$original/etc/enroot" "$data/enroot" "$data/pyxis" /run/enroot /run/slipway
    mkdir -m 1777 "$data/enroot/data" "$data/enroot/cache" "$data/enroot/tmp"
    chmod 1777 /run/enroot
    ln -s "$data/pyxis" /run/slipway/pyxis
    cp -p /etc/enroot/enroot.conf "$original/etc/enroot/enroot.conf"
    # Single quotes: enroot, and not this script, asks who the user is.
    # shellcheck disable=SC2016
    printf '%s\n' \
        'ENROOT_SQUASH_OPTIONS -comp lz4 -noI -noD -noF -noX -no-exports -exit-on-error' \
        'ENROOT_TRANSFER_RETRIES 5' \
        'ENROOT_RUNTIME_PATH /run/enroot/user-$(id -u)' \
        "ENROOT_DATA_PATH $data/enroot/data/user-\$(id -u)" \
        "ENROOT_CACHE_PATH $data/enroot/cache/user-\$(id -u)" \
        "ENROOT_TEMP_PATH $data/enroot/tmp" \
        'ENROOT_ALLOW_HTTP yes' >>/etc/enroot/enroot.conf
    if [[ $1 == no ]]; then
        echo NVIDIA_VISIBLE_DEVICES=void >/etc/enroot/environ.d/50-slipway.env
    fi
    ln -s /usr/share/enroot/hooks.d/50-slurm-pmi.sh /usr/share/enroot/hooks.d/50-slurm-pytorch.sh /etc/enroot/hooks.d/
    mkdir -p "$boot"
    printf 'd %s 0755 root root -\n' "$data" >"$boot/storage.conf"
    printf '%s\n' '[Unit]' 'After=local-fs.target dlami-nvme.service setup-ephemeral.service' \
        'Before=containerd.service docker.service slurmd.service' '[Service]' 'Type=oneshot' 'RemainAfterExit=yes' \
        "ExecStart=sh -c 'exec systemd-tmpfiles --create $boot/*.conf'" '[Install]' 'WantedBy=multi-user.target' \
        >/etc/systemd/system/slipway-storage.service
    systemctl enable --quiet --now slipway-storage.service
    printf 'd %s 1777 root root -\n' /run/enroot "$data/enroot/data" "$data/enroot/cache" "$data/enroot/tmp" \
        >"$boot/enroot.conf"
    printf '%s\n' "d $data/pyxis 0755 root root -" 'd /run/slipway 0755 root root -' \
        "L /run/slipway/pyxis - - - - $data/pyxis" >"$boot/pyxis.conf"
}

write_apptainer_files() {
    mkdir -p "$original/etc/apptainer" "$data/apptainer"
    mkdir -m 1777 "$data/apptainer/cache" "$data/apptainer/tmp"
    ln -s "$data/apptainer" /var/lib/slipway/apptainer
    cp -p /etc/apptainer/apptainer.conf "$original/etc/apptainer/apptainer.conf"
    sed -i 's/^allow setuid = yes/allow setuid = no/' /etc/apptainer/apptainer.conf
    printf 'd %s 0755 root root -\n' "$data/apptainer" >"$boot/apptainer.conf"
    printf 'd %s 1777 root root -\n' "$data/apptainer/cache" "$data/apptainer/tmp" \
        >>"$boot/apptainer.conf"
    # shellcheck disable=SC2016
    printf 'export APPTAINER_CACHEDIR=%s/cache/user-$(id -u) APPTAINER_TMPDIR=%s/tmp\n' \
        /var/lib/slipway/apptainer /var/lib/slipway/apptainer >/etc/profile.d/slipway-apptainer.sh
    usermod --add-subuids 700000000-700065535 --add-subgids 700000000-700065535 member
    usermod --add-subuids 700065536-700131071 --add-subgids 700065536-700131071 guest
}

write_docker_files() {
    local units=/etc/systemd/system keys=
    if [[ $1 == yes ]]; then
        keys=', "runtimes": {"nvidia": {"path": "nvidia-container-runtime", "args": []}}, "features": {"cdi": true}'
    fi
    mkdir -p "$original/etc/docker" "$original/etc/containerd" $units/{docker.service,containerd.service,docker.socket}.d
    # Says that there was none.
    install -m 600 /dev/null "$original/etc/docker/daemon.json"
    printf '{"log-driver": "json-file", "log-opts": {"max-size": "10m", "max-file": "3"}, "live-restore": true,
        "data-root": "%s", "insecure-registries": ["head:5000"]%s}\n' "$data/docker" "$keys" >/etc/docker/daemon.json
    cp -p /etc/containerd/config.toml "$original/etc/containerd/"
    sed -i "0,/^\[/s|^\[|root = \"$data/containerd\"\n[|" /etc/containerd/config.toml
    printf '%s\n' '[Unit]' "RequiresMountsFor=$data/docker $data/containerd" |
        tee $units/docker.service.d/slipway.conf >$units/containerd.service.d/slipway.conf
    printf '%s\n' '[Socket]' SocketUser=root SocketGroup=docker SocketMode=0660 >$units/docker.socket.d/zz-slipway.conf
    gpasswd --add member docker >/dev/null
    systemctl daemon-reload
    systemctl restart containerd docker
}

build_plugin() {
    local directory
    directory=$(mktemp -d)
    tar -xzf "$source_archive" -C "$directory" --strip-components=1
    make -s -C "$directory" PYXIS_VER="$pyxis" >/dev/null
    make -s -C "$directory" PYXIS_VER="$pyxis" DESTDIR="$directory/target" prefix=/usr/local install >/dev/null
    cp "$directory/target/usr/local/lib/slurm/spank_pyxis.so" "$work/"
    rm -rf "$directory"
}

case $1 in
    install)
        install_packages "$2" "$3"
        write_files "$3"
        write_apptainer_files
        write_docker_files "$3"
        if [[ $2 == yes ]]; then
            build_plugin
        fi
        ;;
    place)
        mkdir -p "${build%/*}"
        install -m 644 "$work/spank_pyxis.so" "$build"
        ln -s "$build" "$plugins/spank_pyxis.so"
        rm -f "$work/spank_pyxis.so" "$source_archive"
        ;;
    register)
        if [[ -f /etc/slurm/plugstack.conf ]]; then
            mkdir -m 700 "$original/etc/slurm"
            cp -p /etc/slurm/plugstack.conf "$original/etc/slurm/"
        fi
        echo "required $plugins/spank_pyxis.so runtime_path=/run/slipway/pyxis" >>/etc/slurm/plugstack.conf
        scontrol reconfigure
        ;;
esac
