"""Who is to be added to a group of the node, and who taken out: pure, records in, names out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Callable, Iterable

# What can be a name at all (shadow's own check with --badname), because a directory service has names of any form: with
# a domain, capitals, dots, a digit first. Signs of a shell's, and what /etc/group separates with, are in none.
ACCOUNT = re.compile(r"(?!-)(?!\.{1,2}\Z)(?!\d+\Z)[\w.@+\\-]+\$?\Z")


@dataclass(frozen=True)
class Group:
    """One line of /etc/group, or of what the name service says."""

    name: str
    number: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """What is to be done, and what an admin is to be told."""

    add: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def name_problem(name: str) -> str:
    """Return why a text is not the name of an account or group, '' where it may be one."""
    if ACCOUNT.match(name):
        return ""
    return "%r is not the name of an account or group" % name


def local_group(text: str, name: str) -> Group | None:
    """Return a group of the text of /etc/group, None where it is not there (group(5))."""
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) == 4 and fields[0] == name and fields[2].isdigit():
            return Group(name, int(fields[2]), tuple(member for member in fields[3].split(",") if member))
    return None


def judge(
    wanted: Iterable[str],
    group: Group,
    local: Group | None,
    primary_of: Callable[[str], int | None],
    present: bool = True,
    exclusive: bool = False,
) -> Judgement:
    """Return what differs from the declaration.

    ``group`` is what the name service says, ``local`` what /etc/group says; ``primary_of`` gives the number of an
    account's own group, None for an account that does not exist.
    """
    names = list(dict.fromkeys(wanted))
    # An account that is gone may still be listed as a member, and a name may come back as somebody else's.
    unknown = [name for name in names if primary_of(name) is None]
    members = set(group.members) | set(local.members if local else ())
    if not present:
        remove = [name for name in names if local and name in local.members]
        return Judgement(remove=remove)
    missing = [
        name for name in names if name not in unknown and name not in members and primary_of(name) != group.number
    ]
    extra = sorted(members - set(names)) if exclusive else []
    if local:
        return Judgement([*missing], [name for name in extra if name in local.members], unknown)
    notes = []
    for verb, those in (("add", missing), ("remove", extra)):
        if those:
            notes.append(
                "group %s (%d) is not in /etc/group but comes from a directory service: %s %s there"
                % (group.name, group.number, verb, ", ".join(those))
            )
    return Judgement(unknown=unknown, notes=notes)
