"""What a node runs, from its os-release(5).

In the words of ``ansible.builtin.setup``, whose own detection imports the collectors of all facts: a third of what
``node_facts`` cost.
"""

from __future__ import annotations

import os
import shlex
from typing import Mapping

FILES = ("/etc/os-release", "/usr/lib/os-release")
# Which point release it is, Debian says nowhere else.
DEBIAN_VERSION = "/etc/debian_version"
NAMES = {
    "almalinux": "AlmaLinux",
    "amzn": "Amazon",
    "centos": "CentOS",
    "debian": "Debian",
    "fedora": "Fedora",
    "rhel": "RedHat",
    "rocky": "Rocky",
    "ubuntu": "Ubuntu",
}
# By a word of ID or ID_LIKE; the first that is there counts.
FAMILIES = {"debian": "Debian", "ubuntu": "Debian", "rhel": "RedHat", "fedora": "RedHat", "centos": "RedHat"}


def parse(text: str) -> dict[str, str]:
    """Return the variables of an os-release; a line that is no assignment of one word is left out."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        try:
            words = shlex.split(value, comments=True)
        except ValueError:
            continue
        if equals and not key.startswith("#") and len(words) < 2:
            found[key] = words[0] if words else ""
    return found


def describe(release: Mapping[str, str], debian_version: str) -> dict[str, str]:
    """Return the facts of a distribution, '' for what is not known."""
    identity = release.get("ID", "")
    name = NAMES.get(identity) or release.get("NAME", "")
    version = release.get("VERSION_ID", "")
    if name == "Debian" and debian_version[:1].isdigit():
        version = debian_version
    words = [identity, *release.get("ID_LIKE", "").split()]
    return {
        "distribution": name,
        "distribution_release": release.get("VERSION_CODENAME", ""),
        "distribution_version": version,
        "distribution_major_version": version.split(".")[0],
        "os_family": next((FAMILIES[word] for word in words if word in FAMILIES), name),
    }


def read(paths: tuple[str, ...]) -> str:
    """Return the text of the first of the files that is there, without white space at its ends."""
    for path in paths:
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                return stream.read().strip()
        except OSError:
            continue
    return ""


def system_facts() -> dict[str, str]:
    """Return the distribution of this node and its architecture."""
    return {**describe(parse(read(FILES)), read((DEBIAN_VERSION,))), "architecture": os.uname().machine}
