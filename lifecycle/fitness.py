"""Is this node fit for a run at all? Judged before anything changes, all problems together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .outcome import BadConfiguration, Unusable

MINIMUM_FREE_INODES = 20_000
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Space:
    """A filesystem as statvfs(3) sees it; bytes and counts for ordinary users. ``inodes`` is 0 where it counts none."""

    path: str
    free: int
    size: int
    free_inodes: int
    inodes: int
    executable: bool = True
    writable: bool = True


def space_problems(space: Space, minimum_free_mib: int) -> list[str]:
    """Return what is wrong with a filesystem, with sizes."""
    problems = []
    if not space.writable:
        problems.append("%s cannot be written" % space.path)
    if not space.executable:
        problems.append("%s is mounted noexec" % space.path)
    if space.free < minimum_free_mib * MEBIBYTE:
        found = "%d MiB free of %d MiB" % (space.free // MEBIBYTE, space.size // MEBIBYTE)
        problems.append("%s: %s, needed are %d MiB" % (space.path, found, minimum_free_mib))
    if space.inodes and space.free_inodes < MINIMUM_FREE_INODES:
        found = "%d inodes free of %d" % (space.free_inodes, space.inodes)
        problems.append("%s: %s, needed are %d" % (space.path, found, MINIMUM_FREE_INODES))
    return problems


def check_space(space: Space, minimum_free_mib: int) -> None:
    """Raise Unusable where the root filesystem is full."""
    problems = space_problems(space, minimum_free_mib)
    if problems:
        raise Unusable("no room on this node: %s" % "; ".join(problems))


def check_root(user: int, hook: str) -> None:
    """Raise Unusable, with what to type, where the hook does not run as root."""
    if user != 0:
        raise Unusable("the hook runs as uid %d and needs root: sudo sh start.sh %s" % (user, hook))


def parse_os_release(text: str) -> dict[str, str]:
    """Return the values of /etc/os-release (os-release(5)), quotes removed."""
    values = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and re.match(r"[A-Z0-9_]+\Z", name):
            values[name] = value.strip("\"'")
    return values


# ID in os-release -> what Ansible, and so the roles' data, calls it.
DISTRIBUTIONS = {
    "debian": "Debian",
    "ubuntu": "Ubuntu",
    "rhel": "RedHat",
    "rocky": "Rocky",
    "almalinux": "AlmaLinux",
    "amzn": "Amazon",
}


def check_distribution(release: Mapping[str, str], supported: Mapping[str, Iterable[str]]) -> str:
    """Return the distribution's name and version; raises BadConfiguration where no role supports it.

    ``supported`` has the shape of the roles' ``__<role>_distributions``.
    """
    name = DISTRIBUTIONS.get(release.get("ID", ""), release.get("ID", "") or "an unnamed distribution")
    version = release.get("VERSION_ID", "")
    known = [str(item) for item in supported.get(name, ())]
    if version not in known and version.partition(".")[0] not in known:
        listed = "; ".join("%s %s" % (item, ", ".join(map(str, supported[item]))) for item in sorted(supported))
        raise BadConfiguration("%s %s is not supported (supported: %s)" % (name, version or "?", listed))
    return "%s %s" % (name, version)


def clock_problem(wall: float, built: float) -> str:
    """Return why the clock cannot be right, '' where it may be: nothing runs before its bundle was made (seconds)."""
    if wall >= built - 86400:
        return ""
    days = (built - wall) / 86400
    return (
        "the clock is %.0f days before this bundle was made: TLS and package signatures fail until it is set "
        "(chronyc makestep, or systemctl restart systemd-timesyncd)" % days
    )


def disk_wait_needed(unit: str, has_device: bool) -> bool:
    """Tell whether the instance's own disk is still to come.

    ``unit`` is systemd's ActiveState of dlami-nvme.service, '' where there is no such unit. With neither unit nor
    device nothing will ever appear.
    """
    return unit in ("activating", "reloading") or (unit == "inactive" and has_device)
