#
# Managed by Slipway. Edits are lost at its next run; change the inventory instead.
#
# shellcheck shell=sh
# What a user has set before stays. The program makes the cache itself, 0700.
export APPTAINER_CACHEDIR="${APPTAINER_CACHEDIR:-/var/lib/slipway/apptainer/cache/user-$(id -u)}"
export APPTAINER_TMPDIR="${APPTAINER_TMPDIR:-/var/lib/slipway/apptainer/tmp}"
