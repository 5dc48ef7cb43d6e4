#
# Managed by Slipway. Edits are lost at its next run; change the inventory instead.
#
# shellcheck shell=sh
# The site's credentials, for who may read them and has no file of that runtime. Jobs take the environment along.
if [ -r /etc/slipway/registry/config.json ]; then
    [ -e "${XDG_CONFIG_HOME:-$HOME/.config}/enroot" ] ||
        export ENROOT_CONFIG_PATH="${ENROOT_CONFIG_PATH:-/etc/slipway/registry/enroot}"
    if [ ! -e "$HOME/.docker/config.json" ]; then
        export DOCKER_CONFIG="${DOCKER_CONFIG:-/etc/slipway/registry}"
    elif [ "${DOCKER_CONFIG:-}" = /etc/slipway/registry ]; then
        # Taken along from a session that began before there was a file of the user's own.
        unset DOCKER_CONFIG
    fi
    # buildx writes beside Docker's configuration, unless it is told where.
    export BUILDX_CONFIG="${BUILDX_CONFIG:-$HOME/.docker/buildx}"
    export REGISTRY_AUTH_FILE="${REGISTRY_AUTH_FILE:-/etc/slipway/registry/config.json}"
    [ -e "$HOME/.apptainer/docker-config.json" ] ||
        export APPTAINER_AUTH_FILE="${APPTAINER_AUTH_FILE:-/etc/slipway/registry/config.json}"
fi
