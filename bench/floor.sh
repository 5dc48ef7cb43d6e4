#!/bin/bash
# The floor of a converge: the same packages, files and build as playbooks/site.yml on bare nodes of the sandbox,
# with nothing checked, nothing proven and nothing repeatable. Only ever compare with it; never run it on a site.
# It is written for Debian 13: configless, and with a Slurm that loads plugins on `scontrol reconfigure`.
# Usage: floor.sh SSH_CONFIG ARTIFACTS CONTROLLER [NODE …]     The controller builds the plugin.
# GPU_NODES has the names of those that get the NVIDIA container toolkit.
set -euo pipefail

config=$1 artifacts=$2 controller=$3
shift 2
nodes=("$@")
script=$(dirname "${BASH_SOURCE[0]}")/floor_node.sh
work=/var/cache/slipway

on() {
    ssh -F "$config" "$@"
}

install_node() {
    local builds=no gpus=no
    if [[ $1 == "$controller" ]]; then
        builds=yes
    fi
    if [[ " ${GPU_NODES:-} " == *" $1 "* ]]; then
        gpus=yes
    fi
    tar -C "$artifacts" -cf - . | on "$1" "mkdir -p $work && tar -xf - -C $work"
    on "$1" bash -s -- install "$builds" "$gpus" <"$script"
}

place_plugin() {
    if [[ $1 != "$controller" ]]; then
        on "$1" "cat >$work/spank_pyxis.so" <"$plugin"
    fi
    on "$1" bash -s -- place <"$script"
}

everywhere() {
    local node process
    local processes=()
    for node in "${nodes[@]}"; do
        "$1" "$node" &
        processes+=("$!")
    done
    for process in "${processes[@]}"; do
        wait "$process"
    done
}

plugin=$(mktemp)
trap 'rm -f "$plugin"' EXIT
everywhere install_node
on "$controller" "cat $work/spank_pyxis.so" >"$plugin"
everywhere place_plugin
on "$controller" bash -s -- register <"$script"
