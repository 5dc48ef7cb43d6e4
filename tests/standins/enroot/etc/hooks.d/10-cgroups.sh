#! /usr/bin/env bash
# Stand-in. /sys is bound with everything below it, so the host's cgroups are there already;
# upstream mounts them anew in a cgroup namespace.
exit 0
