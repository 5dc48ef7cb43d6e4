#!/usr/bin/python
# Copyright Slipway contributors. Apache-2.0 (see LICENSE).
"""Ansible module: ranges of subordinate ids for users, without overlap."""

from __future__ import annotations

DOCUMENTATION = r"""
module: subid_ranges
short_description: Give users ranges of subordinate ids that overlap no others
description:
  - Reads /etc/subuid and /etc/subgid, and adds a free range for each of O(users) who has none. A line that is there
    is never changed.
  - Two lines of different owners with ids in common are refused, whoever they belong to, before anything is written.
  - Users are looked up by name through NSS, so those of a directory service count. One who is not known is a warning.
  - Where nsswitch.conf takes the ranges from elsewhere (C(subid), as SSSD's), the files would not be read, and that
    is refused.
options:
  users: {description: Names of the users; V(present) needs them., type: list, elements: str}
  count: {description: Ids in a range; containers expect 65536., type: int, default: 65536}
  minimum: {description: From which id on a free range is looked for; V(present) needs it., type: int}
  state:
    description: V(absent) removes the lines that O(record) says were added here; all others stay.
    type: str
    choices: [present, absent]
    default: present
  subuid: {description: The file of user ids., type: path, default: /etc/subuid}
  subgid: {description: The file of group ids., type: path, default: /etc/subgid}
  nsswitch: {description: The file that says where ranges come from., type: path, default: /etc/nsswitch.conf}
  record:
    description: Where it is kept which lines were added, because those of an admin look the same.
    type: path
    default: /var/lib/slipway/subid
attributes:
  check_mode: {support: full, description: Reports what would change.}
  diff_mode: {support: full, description: Shows the text before and after.}
author: [Slipway contributors]
"""

EXAMPLES = r"""
- name: Let two users build images
  slipway.containers.subid_ranges:
    users: [alice, bob]
    minimum: 700000000
"""

RETURN = r"""
added:
  description: The lines that were (or would be) added, by file.
  type: dict
  returned: success
  sample: {/etc/subuid: ['alice:700000000:65536'], /etc/subgid: ['alice:700000000:65536']}
unknown:
  description: Users whom this node does not know.
  type: list
  elements: str
  returned: success
"""

import grp
import os
import pwd
import stat

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.slipway.containers.plugins.module_utils import files as tools
from ansible_collections.slipway.containers.plugins.module_utils import subid, subid_files


def write(path: str, text: str) -> None:
    """Replace a file by rename and keep its owner and mode; raises OSError."""
    mode, owner, group = 0o644, 0, 0
    if os.path.exists(path):
        status = os.stat(path)
        mode, owner, group = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    # Through a link to where it leads: the name may be the directory service's.
    tools.write_atomically(os.path.realpath(path), text.encode("utf-8", "surrogateescape"), mode, owner, group)


def refuse(module: AnsibleModule, texts: dict[str, str]) -> None:
    """Fail where the files are not what counts, or what they say cannot be kept apart."""
    params = module.params
    sources = subid.sources(subid_files.read(params["nsswitch"]))
    if sources and "files" not in sources:
        module.fail_json(
            msg="%s takes subordinate ids from %s, so that ranges in %s would not be read: "
            "give the users their ranges there, and name no users here" % (params["nsswitch"], " ".join(sources),
                                                                          params["subuid"])
        )  # fmt: skip
    found = subid_files.problems(texts)
    if found:
        module.fail_json(
            msg="ranges overlap, so that one user's containers could reach another's files: %s. Nothing was changed. "
            "Give one of each two another range by hand (it must then chown what it owns under the old one), "
            "and run again." % "; ".join(found)
        )


def remember(path: str, added: dict[str, list[str]]) -> None:
    """Keep the record of what was added, or delete it where nothing is left of that; raises OSError."""
    if any(added.values()):
        tools.make_directories(os.path.dirname(path))
        tools.write_atomically(path, subid.record_of(added).encode("utf-8", "surrogateescape"), 0o644, 0, 0)
    elif os.path.exists(path):
        os.unlink(path)


def add(module: AnsibleModule, texts: dict[str, str]) -> tuple[dict[str, str], dict[str, list[str]], list[str]]:
    """Return the texts to be, the lines that are new in them, and the users that nobody knows."""
    params = module.params
    uids = subid_files.known_users(params["users"])
    unknown = [user for user in dict.fromkeys(params["users"]) if user not in uids]
    for user in unknown:
        module.warn("%s gets no subordinate ids: this node does not know the user" % user)
    # A directory service may not list its accounts; those it lists, and all local ones, count.
    accounts = {entry.pw_uid for entry in pwd.getpwall()} | {entry.gr_gid for entry in grp.getgrall()}
    wanted = subid.Wanted([user for user in params["users"] if user in uids], params["count"], params["minimum"])
    try:
        added = subid.allocate(wanted, texts, uids, accounts)
    except subid.NoRoom as error:
        module.fail_json(msg="%s: choose a lower minimum" % error)
        raise
    return {path: subid.with_lines(text, added[path]) for path, text in texts.items()}, added, unknown


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "users": {"type": "list", "elements": "str"},
            "count": {"type": "int", "default": 65536},
            "minimum": {"type": "int"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "subuid": {"type": "path", "default": "/etc/subuid"},
            "subgid": {"type": "path", "default": "/etc/subgid"},
            "nsswitch": {"type": "path", "default": "/etc/nsswitch.conf"},
            "record": {"type": "path", "default": "/var/lib/slipway/subid"},
        },
        required_if=[("state", "present", ("users", "minimum"))],
        supports_check_mode=True,
    )
    params = module.params
    before = {path: subid_files.read(path) for path in (params["subuid"], params["subgid"])}
    ours = subid.parse_record(subid_files.read(params["record"]))
    if params["state"] == "present":
        refuse(module, before)
        after, added, unknown = add(module, before)
    else:
        after = {path: subid.without_lines(text, ours.get(path, [])) for path, text in before.items()}
        added, unknown = {}, []
    changed = [path for path in before if before[path] != after[path]]
    if not module.check_mode:
        # Before the lines, so that a kill leaves none that nobody knows; and it goes after them.
        if any(added.values()):
            remember(params["record"], {path: ours.get(path, []) + added[path] for path in before})
        for path in changed:
            write(path, after[path])
        if params["state"] == "absent":
            remember(params["record"], {})
    module.exit_json(
        changed=bool(changed),
        added={path: lines for path, lines in added.items() if lines},
        unknown=unknown,
        diff=[
            {"before_header": path, "after_header": path, "before": before[path], "after": after[path]}
            for path in changed
        ],
    )


if __name__ == "__main__":
    main()
