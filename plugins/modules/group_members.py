#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: the members of one group of the node."""

from __future__ import annotations

DOCUMENTATION = r"""
module: group_members
short_description: Keep accounts in a group, without touching the group itself
description:
  - M(ansible.builtin.user) takes one account a call, creates one that is missing, and changes its other groups when
    told wrongly. This module adds and removes members of one group, all in one call.
  - A listed account that the node does not know is reported and no failure, because accounts come and go.
  - Only a group of C(/etc/group) is changed. One that comes from a directory service is reported with what is to be
    done there. The number of an existing group is never changed.
options:
  group: {description: Name of the group., type: str, required: true}
  members: {description: Names of the accounts., type: list, elements: str, default: []}
  exclusive: {description: Whether everybody else is taken out of the group., type: bool, default: false}
  state: {description: With V(absent) O(members) are taken out., type: str, choices: [present, absent],
    default: present}
  number: {description: Creates the group with this number where there is none of this name., type: int}
  create: {description: Creates the group without O(number) as well., type: bool, default: false}
  preferred_number: {description: 'The number of a group that is created without O(number), unless another group has
    it; otherwise the system chooses one.', type: int}
attributes:
  check_mode: {support: full, description: Reports what would change.}
  diff_mode: {support: full, description: Shows the members before and after.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Let two accounts use docker
  slipway.containers.group_members:
    group: docker
    members: [alice, bob]
"""

RETURN = r"""
number:
  description: The group's number, null where there is no such group.
  type: int
  returned: always
added: {description: Accounts that were (or would be) added., type: list, elements: str, returned: always}
removed: {description: Accounts that were (or would be) taken out., type: list, elements: str, returned: always}
unknown: {description: Accounts that the node does not know., type: list, elements: str, returned: always}
"""

import grp
import os
import pwd
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import command
from ansible_collections.slipway.containers.plugins.module_utils import group_members as tools

GROUPS = "/etc/group"
SECONDS = 60


def resolved(name: str) -> tools.Group | None:
    """Return what the node's name service says about a group."""
    try:
        found = grp.getgrnam(name)
    except KeyError:
        return None
    return tools.Group(name, found.gr_gid, tuple(found.gr_mem))


def primary_of(name: str) -> int | None:
    """Return the number of an account's own group, None for an account that the node does not know."""
    try:
        return pwd.getpwnam(name).pw_gid
    except KeyError:
        return None


def taken(number: int) -> bool:
    """Return whether some group has this number."""
    try:
        grp.getgrgid(number)
    except KeyError:
        return False
    return True


def create(module: Any, name: str) -> None:
    """Create the group."""
    number, preferred = module.params["number"], module.params["preferred_number"]
    if number is None and preferred is not None and not taken(preferred):
        number = preferred
    run(module, "groupadd", "--system", *([] if number is None else ["--gid", str(number)]), name)


def run(module: Any, *arguments: str) -> None:
    """Run one of shadow's programs; fails with what it said."""
    said = command.run(arguments, SECONDS)
    if not said.succeeded:
        module.fail_json(msg="%s: %s" % (" ".join(arguments), (said.stderr or said.stdout).strip() or said.code))


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "group": {"type": "str", "required": True},
            "members": {"type": "list", "elements": "str", "default": []},
            "exclusive": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "number": {"type": "int"},
            "create": {"type": "bool", "default": False},
            "preferred_number": {"type": "int"},
        },
        supports_check_mode=True,
    )
    name, members, present = module.params["group"], module.params["members"], module.params["state"] == "present"
    odd = [problem for problem in map(tools.name_problem, [name, *members]) if problem]
    if odd:
        module.fail_json(msg="%s: correct it in the inventory" % odd[0])
    group, created = resolved(name), False
    if group is None and (module.params["create"] or module.params["number"] is not None) and present:
        created = True
        if not module.check_mode:
            create(module, name)
            group = resolved(name)
    if group is None:
        # In check mode the package that creates the group is not there yet.
        changed = created or (
            present and module.check_mode and any(primary_of(member) is not None for member in members)
        )
        module.exit_json(changed=changed, number=None, added=[], removed=[], unknown=[])
        return
    with open(GROUPS, encoding="utf-8", errors="surrogateescape") as stream:
        local = tools.local_group(stream.read(), name)
    found = tools.judge(members, group, local, primary_of, present, module.params["exclusive"])
    host = os.uname().nodename
    if found.unknown:
        module.warn("%s: %s: no such account on this node, so not in group %s" % (host, ", ".join(found.unknown), name))
    for note in found.notes:
        module.warn("%s: %s" % (host, note))
    if not module.check_mode:
        for member in found.add:
            run(module, "gpasswd", "--add", member, name)
        for member in found.remove:
            run(module, "gpasswd", "--delete", member, name)
        # What counts is the name service, which may take the group from elsewhere first (nsswitch.conf).
        now = resolved(name)
        hidden = [member for member in found.add if now is None or member not in now.members]
        if hidden:
            module.warn(
                "%s: %s: in group %s of %s, but `getent group %s` does not show it: see the line `group` of "
                "/etc/nsswitch.conf" % (host, ", ".join(hidden), name, GROUPS, name)
            )
    before = sorted(group.members)
    after = sorted({*before, *found.add} - set(found.remove))
    module.exit_json(
        changed=created or before != after,
        number=group.number,
        added=found.add,
        removed=found.remove,
        unknown=found.unknown,
        diff={"before": "".join(line + "\n" for line in before), "after": "".join(line + "\n" for line in after)},
    )


if __name__ == "__main__":
    main()
