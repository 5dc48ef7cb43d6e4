"""What a node says about its Docker, for whoever judges whether anything is to be done. Reads, changes nothing."""

from __future__ import annotations

import grp
import os
from typing import Any, Sequence

from ansible_collections.slipway.containers.plugins.module_utils import (
    accounts,
    command,
    docker_daemon,
    docker_process,
    docker_records,
    docker_service,
    files,
    group_members,
)

CONFIG = "/etc/docker/daemon.json"
# Which keys of it each role wrote (the module docker_daemon_config).
RECORDS = "/var/lib/slipway/written"
CONTAINERD_CONFIG = "/etc/containerd/config.toml"
GROUPS = "/etc/group"
GROUP = "docker"
SECONDS = 30


def gather(users: Sequence[str]) -> dict[str, Any]:
    """Return ``ansible_facts.docker`` (docs/develop/interfaces.md)."""
    return {
        "keys": keys(),
        "written": written(),
        "settled": settled(),
        "group": group(),
        "accounts": primary_groups(users),
    }


def keys() -> dict[str, Any] | None:
    """Return the keys of daemon.json; None where it cannot be read, or a secret in it would be shown."""
    try:
        with open(CONFIG, "rb") as stream:
            found = docker_daemon.parse(stream.read())
    except FileNotFoundError:
        return {}
    except (OSError, docker_daemon.Invalid):
        return None
    return None if any(docker_daemon.secrets(found)) else found


def written() -> dict[str, list[str]]:
    """Return the names of the keys that each role wrote, without their values."""
    try:
        with open(files.original_of(CONFIG, RECORDS), "rb") as stream:
            records = docker_records.parse(stream.read())
    except OSError:
        return {}
    return {owner: sorted(record) for owner, record in records.items()}


def settled() -> bool:
    """Return whether Docker is there, and its services run what their files say."""
    if not docker_process.find_program():
        return False
    shown = command.run(show_command(), SECONDS)
    seen = look(shown.stdout, CONFIG, CONTAINERD_CONFIG)
    return shown.succeeded and not docker_service.masked(seen) and docker_service.judge(seen).empty


def show_command() -> list[str]:
    """Return the command whose output ``look`` reads."""
    properties = "--property=" + ",".join(docker_service.PROPERTIES)
    return ["systemctl", "show", "--timestamp=us+utc", properties, *docker_service.UNITS]


def look(shown: str, config: str, containerd_config: str) -> docker_service.Seen:
    """Return what is to be judged about the services."""
    units = docker_service.parse_units(shown)
    status = _stat(config)
    return docker_service.Seen(
        units=units,
        config_modified=_modified(status),
        config_changed=status.st_ctime if status else 0,
        containerd_modified=_modified(_stat(containerd_config)),
        socket_exists=os.path.exists(docker_process.SOCKET),
        replaced=frozenset(
            name for name, unit in units.items() if unit.process and docker_process.was_replaced(unit.process)
        ),
    )


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _modified(status: os.stat_result | None) -> float:
    """Return when a file was last modified, 0 for none; a time in the future, which anybody can set, does not count."""
    return min(status.st_mtime, status.st_ctime) if status else 0


def group() -> dict[str, Any] | None:
    """Return number and members of the group, and whether it is in /etc/group; None where there is none."""
    try:
        found = grp.getgrnam(GROUP)
    except KeyError:
        return None
    with open(GROUPS, encoding="utf-8", errors="surrogateescape") as stream:
        local = group_members.local_group(stream.read(), GROUP)
    members = set(found.gr_mem) | set(local.members if local else ())
    return {"number": found.gr_gid, "members": sorted(members), "local": local is not None}


def primary_groups(users: Sequence[str]) -> dict[str, int]:
    """Return the numbers of the accounts' own groups; accounts that the node does not know are left out."""
    return {name: account.pw_gid for name, account in accounts.known(users).items()}
