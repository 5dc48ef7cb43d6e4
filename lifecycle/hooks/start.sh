#!/bin/sh
# Start a hook from the bundle beside this file: start.sh HOOK [ARGUMENT…]. Finds a Python and hands over to it.
set -u
umask 022
PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
export PATH
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 4
export SLIPWAY_HOOK_DIRECTORY="${SLIPWAY_HOOK_DIRECTORY:-$here}"

found=''
for name in python3 python3.13 python3.12 python3.11 python3.10 python3.9 /usr/libexec/platform-python; do
  program=$(command -v "$name" 2>/dev/null) || continue
  version=$("$program" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
  found="$found $program ($version)"
  if "$program" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    # -E: whatever PYTHONPATH the platform has. -B: nothing is written beside it, not even bytecode.
    exec "$program" -E -s -B "$here/bootstrap.py" "$@" </dev/null
  fi
done

cause="slipway ${1:-hook}: failed (exit 4): no Python 3.9 or newer on this node; found:${found:- none}"
echo "$cause"
case "${1:-}" in
  on-create | on-init-complete)
    # Only this file is shipped from the node, and the node is gone soon after it has failed.
    mkdir -p /var/log/provision 2>/dev/null && echo "$cause" >>/var/log/provision/provisioning.log
    sync
    sleep "${SLIPWAY_FLUSH_SECONDS:-60}"
    ;;
esac
exit 4
