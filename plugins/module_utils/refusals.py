"""Combinations of inputs and host that a role refuses, declared as data (``__<role>_refusals``, see architecture.md).

Pure: the action ``preflight`` templates the inputs and looks for files.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping

from ansible_collections.slipway.containers.plugins.module_utils import artifacts, versions
from ansible_collections.slipway.containers.plugins.module_utils.preflight_nodes import release_of
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role, one_line, show

# What a refusal says; every other key of it is a condition, and all of them must hold.
TEXTS = frozenset(("variable", "problem", "allowed"))


def judge(
    role: Role,
    value_of: Callable[[str], Any],
    facts: Mapping[str, Any],
    exists: Callable[[str], bool],
) -> list[Finding]:
    """Judge the combinations that a role refuses (``__<role>_refusals``, described in architecture.md).

    ``value_of`` returns the value of any role's input, and ``exists`` tells whether a file is on the control node.
    Raises ValueError for a refusal that names an unknown condition: it would never hold, or always.
    """
    return [
        _finding(role, refusal, value_of, facts)
        for refusal in role.own("refusals", [])
        if all(_holds(role, refusal, key, value_of, facts, exists) for key in refusal if key not in TEXTS)
    ]


def _holds(
    role: Role,
    refusal: Mapping[str, Any],
    key: str,
    value_of: Callable[[str], Any],
    facts: Mapping[str, Any],
    exists: Callable[[str], bool],
) -> bool:
    wanted = refusal[key]
    if key == "inputs":
        return all(str(value_of(name)) in map(str, values) for name, values in wanted.items())
    if key == "distributions":
        return release_of(facts) in map(str, wanted.get(str(facts.get("distribution") or "")) or [])
    if key == "architectures":
        return facts.get("architecture") in wanted
    if key in ("installed", "not_installed", "outdated"):
        packages = facts.get("packages") or {}
        found = [name for name in wanted if name in packages]
        if key == "outdated":
            found = [
                name for name in found if versions.compare(_version(packages, name), str(value_of(wanted[name]))) >= 0
            ]
        return bool(found) == (key == "installed")
    if key == "denied":
        return bool(_denied(role, refusal, facts))
    if key == "mirror_lacks":
        mirror = str(value_of("artifact_mirror") or "")
        # Only a directory can be looked into without asking anybody.
        return bool(mirror) and not artifacts.is_url(mirror) and not exists(_missing_file(refusal, value_of))
    raise ValueError("a refusal of %s has the unknown condition %s" % (refusal["variable"], key))


def _denied(role: Role, refusal: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Return those of the packages that ``denied`` names whose installed version the role denies."""
    packages = facts.get("packages") or {}
    denied = [str(item["version"]) for item in role.own("denied_versions", [])]
    there = [name for name in refusal.get("denied", []) if name in packages]
    return [name for name in there if any(versions.matches(_version(packages, name), version) for version in denied)]


def _version(packages: Mapping[str, Any], name: str) -> str:
    return str(packages[name][0].get("version", ""))


def _missing_file(refusal: Mapping[str, Any], value_of: Callable[[str], Any]) -> str:
    """Return the path of the file that ``mirror_lacks`` names; {x} in it is the value of the input x."""
    name = re.sub(r"\{(\w+)\}", lambda match: str(value_of(match.group(1))), str(refusal["mirror_lacks"]))
    return "%s/%s" % (str(value_of("artifact_mirror")).rstrip("/"), name)


def _finding(
    role: Role, refusal: Mapping[str, Any], value_of: Callable[[str], Any], facts: Mapping[str, Any]
) -> Finding:
    packages = facts.get("packages") or {}
    names = [name for name in refusal.get("installed", []) if name in packages] + _denied(role, refusal, facts)
    shown = [name for name in [*role.own("packages", []), *names] if name in packages]
    words = {
        "names": " ".join(names),
        "found": ", ".join("%s %s" % (name, _version(packages, name)) for name in dict.fromkeys(shown)),
        "file": _missing_file(refusal, value_of) if "mirror_lacks" in refusal else "",
    }
    problem, allowed = (
        re.sub(r"\{(names|found|file)\}", lambda match: words[match.group(1)], str(refusal[key]))
        for key in ("problem", "allowed")
    )
    name = str(refusal["variable"])
    return Finding(role.name, name, show(value_of(name)), one_line(problem), allowed)
