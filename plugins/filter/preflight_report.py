"""All problems that preflight found, on all hosts, as one message."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.slipway.containers.plugins.module_utils import host_names

DOCUMENTATION = r"""
name: preflight_report
short_description: Render the problems that preflight found
description: Identical problems of many hosts are one entry. Without any problem the result is empty.
author: Slipway contributors
options:
  _input:
    description: By host name, the C(problems) that M(slipway.containers.preflight) returned for it.
    type: dict
    required: true
"""

EXAMPLES = r"""
- ansible.builtin.debug:
    msg: "{{ {'node1': [], 'node2': __preflight.problems} | slipway.containers.preflight_report }}"
"""

RETURN = r"""
_value:
  description: The message, or an empty text.
  type: str
"""

KEYS = ("component", "variable", "value", "problem", "allowed", "file")


def preflight_report(problems_by_host: Mapping[str, Sequence[Mapping[str, str]]]) -> str:
    """Return one message: most widespread problems first, then by component and variable."""
    hosts_of: dict[tuple[str, ...], set[str]] = {}
    for host, problems in problems_by_host.items():
        for problem in problems:
            hosts_of.setdefault(tuple(str(problem.get(key, "")) for key in KEYS), set()).add(str(host))
    if not hosts_of:
        return ""
    affected = set().union(*hosts_of.values())
    lines = [
        "Preflight found %s on %s. Nothing was changed."
        % (_count(len(hosts_of), "problem"), _count(len(affected), "host"))
    ]
    for key in sorted(hosts_of, key=lambda item: (-len(hosts_of[item]), item)):
        lines += ["", *_entry(dict(zip(KEYS, key)), hosts_of[key])]
    lines += ["", "Correct what is listed and run the same command again."]
    return "\n".join(lines)


def _entry(problem: Mapping[str, str], hosts: set[str]) -> list[str]:
    subject = problem["variable"] or problem["component"]
    value = " = %s" % problem["value"] if problem["value"] else ""
    lines = ["%s%s: %s" % (subject, value, problem["problem"])]
    where = host_names.fold(hosts)
    rows = (
        ("hosts", where if len(hosts) == 1 else "%d: %s" % (len(hosts), where)),
        ("component", problem["component"] if subject != problem["component"] else ""),
        ("allowed", problem["allowed"]),
        ("edit", problem["file"]),
    )
    return lines + ["  %-10s %s" % (label + ":", text) for label, text in rows if text]


def _count(number: int, noun: str) -> str:
    return "%d %s%s" % (number, noun, "" if number == 1 else "s")


class FilterModule:
    """Ansible's entry point."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters of this file."""
        return {"preflight_report": preflight_report}
