"""Combinations of inputs and host that a role refuses, declared as data (``__<role>_refusals``, see architecture.md).

Pure: the action ``preflight`` templates the inputs.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Mapping

from ansible_collections.slipway.containers.plugins.module_utils import versions
from ansible_collections.slipway.containers.plugins.module_utils.preflight_nodes import release_of
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role, one_line, show

# What a refusal says; every other key of it is a condition, and all of them must hold.
TEXTS = frozenset(("variable", "problem", "allowed"))


def judge(
    role: Role,
    value_of: Callable[[str], Any],
    facts: Mapping[str, Any],
) -> list[Finding]:
    """Judge the combinations that a role refuses (``__<role>_refusals``, described in architecture.md).

    ``value_of`` returns the value of any role's input.
    Raises ValueError for a refusal that names an unknown condition: it would never hold, or always.
    """
    return [
        _finding(role, refusal, value_of, facts)
        for refusal in role.own("refusals", [])
        if all(_holds(role, refusal, key, value_of, facts) for key in refusal if key not in TEXTS)
    ]


def _holds(
    role: Role,
    refusal: Mapping[str, Any],
    key: str,
    value_of: Callable[[str], Any],
    facts: Mapping[str, Any],
) -> bool:
    wanted = refusal[key]
    if key == "inputs":
        return all(str(value_of(name)) in map(str, values) for name, values in wanted.items())
    if key == "distributions":
        return release_of(facts) in map(str, wanted.get(str(facts.get("distribution") or "")) or [])
    if key == "architectures":
        return facts.get("architecture") in wanted
    if key in ("installed", "not_installed"):
        return any(name in (facts.get("packages") or {}) for name in wanted) == (key == "installed")
    if key == "denied":
        return bool(_denied(role, refusal, facts))
    raise ValueError("a refusal of %s has the unknown condition %s" % (refusal["variable"], key))


def _denied(role: Role, refusal: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """Return those of the packages that ``denied`` names whose installed version the role denies."""
    packages = facts.get("packages") or {}
    denied = [str(item["version"]) for item in role.own("denied_versions", [])]
    there = [name for name in refusal.get("denied", []) if name in packages]
    return [name for name in there if any(versions.matches(_version(packages, name), version) for version in denied)]


def _version(packages: Mapping[str, Any], name: str) -> str:
    return str(packages[name][0].get("version", ""))


def _finding(
    role: Role, refusal: Mapping[str, Any], value_of: Callable[[str], Any], facts: Mapping[str, Any]
) -> Finding:
    packages = facts.get("packages") or {}
    names = [name for name in refusal.get("installed", []) if name in packages] + _denied(role, refusal, facts)
    shown = [name for name in [*role.own("packages", []), *names] if name in packages]
    words = {
        "names": " ".join(names),
        "found": ", ".join("%s %s" % (name, _version(packages, name)) for name in dict.fromkeys(shown)),
    }
    problem, allowed = (
        re.sub(r"\{(names|found)\}", lambda match: words[match.group(1)], str(refusal[key]))
        for key in ("problem", "allowed")
    )
    name = str(refusal["variable"])
    return Finding(role.name, name, show(value_of(name)), one_line(problem), allowed)
