"""What stands in a component's way on the node itself: its distribution, its packages, its files."""

from __future__ import annotations

import re
from typing import Any, Mapping

from ansible_collections.slipway.containers.plugins.module_utils import versions
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role, one_line, show

# How a node's files of a package are unpacked again, by its os_family.
# dnf reinstall passes over a package that is not installed; rpm takes both.
REINSTALL = {
    "Debian": ("apt-get install --reinstall {names}, or {files} where no repository has them", "./%s_%s_*.deb"),
    "RedHat": (
        "rpm --upgrade --replacepkgs {files}, or where a repository has them dnf install, then dnf reinstall {names}",
        "./%s-%s.*.rpm",
    ),
}


def refusal_of(role: Role, version: str) -> tuple[str, str] | None:
    """Return (problem, what is allowed) for a version on the role's deny list or below its minimum."""
    return versions.refusal(version, role.own("denied_versions", []), role.own("minimum_version", {}))


def judge_versions(role: Role, desired: Any, packages: Mapping[str, Any]) -> list[Finding]:
    """Judge the wanted version and the installed ones.

    A refused version on the node is no problem when this run replaces it by a newer one;
    an older one is never installed over it, so then it stays and is a problem.
    """
    findings = []
    wanted = str(desired) if isinstance(desired, (str, int)) and re.match(r"v?[0-9]", str(desired)) else ""
    refusal = refusal_of(role, wanted) if wanted else None
    if refusal:
        findings.append(Finding(role.name, role.name + "_version", show(desired), *refusal))
    for package in role.own("packages", []):
        for found in packages.get(package) or []:
            installed = str(found.get("version", ""))
            if not installed or (wanted and not refusal and versions.compare(wanted, installed) > 0):
                continue
            refused = refusal_of(role, installed)
            if refused:
                what = "package %s on the node" % package
                advice = "%s; %s_version is not newer, and nothing is downgraded by itself" % (
                    refused[1],
                    role.name,
                )
                findings.append(Finding(role.name, what, show(installed), refused[0], advice, edit=False))
    return findings


def judge_whole(role: Role, desired: Any, values: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Finding]:
    """Judge whether what is on the node is newer than what would be installed, and yet has to be mended.

    Mending it from the wanted files would be a downgrade, which no package manager makes unasked.
    """
    packages = facts.get("packages")
    packages = packages if isinstance(packages, Mapping) else {}
    names = [name for name in role.own("packages", []) if is_wanted(role, name, values)]
    if role.own("packages_are_alternatives", False):
        names = [name for name in names if name in packages]
    newer = {
        name: str(found["version"])
        for name in names
        for found in packages.get(name) or []
        if versions.compare(str(desired), str(found["version"])) < 0
    }
    lacking = ["%s is not installed" % name for name in names if name not in packages]
    lacking += ["files of %s are missing" % name for name in names if name in (facts.get("packages_broken") or [])]
    if not newer or not lacking or not re.match(r"v?[0-9]", str(desired)):
        return []
    package, version = next(iter(newer.items()))
    problem = "is newer than %s_version (%s) and not whole: %s" % (role.name, desired, ", ".join(lacking))
    command, form = REINSTALL["RedHat" if facts.get("os_family") == "RedHat" else "Debian"]
    # The epoch is in no file's name, and the roles write it themselves.
    plain = version.rpartition(":")[2]
    files = " ".join(form % (name, plain) for name in names)
    advice = "%s_version: %s or newer; or on the node: %s" % (
        role.name,
        plain.rpartition("-")[0] or plain,
        command.format(names=" ".join(names), files=files),
    )
    what = "package %s on the node" % package
    return [Finding(role.name, what, show(version), problem, advice, edit=False)]


def is_wanted(role: Role, package: str, values: Mapping[str, Any]) -> bool:
    """Return whether the inputs ask for a package: one is true, or has the value that the package is for."""
    name, _equals, value = str(role.own("optional_packages", {}).get(package, "")).partition("=")
    return str(values.get(name)) == value if value else as_bool(values.get(name, True))


def as_bool(value: Any) -> bool:
    """Return a boolean input, which may be text where it was given with -e."""
    return value if isinstance(value, bool) else str(value).strip().lower() not in ("no", "off", "false", "0", "n", "f")


def judge_conflicts(role: Role, facts: Mapping[str, Any]) -> list[Finding]:
    """Judge whether something on the node stands in the component's way: a package, or a path without one."""
    packages, paths = facts.get("packages") or {}, facts.get("files") or {}
    findings = []
    for item in role.own("conflicts", []):
        for kind, found in (("package", item.get("package") in packages), ("path", item.get("path") in paths)):
            if found:
                what = "%s %s on the node" % (kind, item[kind])
                findings.append(Finding(role.name, what, "", item["reason"], item["remedy"], edit=False))
    return findings


def judge_distribution(role: Role, facts: Mapping[str, Any]) -> list[Finding]:
    """Judge whether the role supports the host's distribution."""
    supported = role.own("distributions", {})
    if not supported:
        return []
    allowed = ", ".join("%s %s" % (name, "/".join(map(str, supported[name]))) for name in sorted(supported))
    distribution = str(facts.get("distribution") or "")
    if not distribution:
        problem = "the facts distribution and distribution_major_version are missing: gather facts first"
        return [Finding(role.name, "distribution of the node", "", problem, allowed, edit=False)]
    release = release_of(facts)
    if release in map(str, supported.get(distribution) or []):
        return []
    value = one_line("%s %s" % (distribution, release)).strip()
    problem, advice = "is not supported by this role", "%s; or %s_state: unmanaged for this host" % (allowed, role.name)
    return [Finding(role.name, "distribution of the node", value, problem, advice, edit=False)]


def release_of(facts: Mapping[str, Any]) -> str:
    """Return the release of a host's distribution; Ubuntu's of one year differ, so there the month counts."""
    key = "distribution_version" if facts.get("distribution") == "Ubuntu" else "distribution_major_version"
    return str(facts.get(key) or "")
