"""What is wrong with the inputs of one host, judged without touching the host.

Pure: the action ``preflight`` templates the values, reads the facts, and finds the files to edit.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.slipway.containers.plugins.module_utils import versions
from ansible_collections.slipway.containers.plugins.module_utils.secret_names import is_secret

HIDDEN = "(hidden)"
LONGEST_VALUE = 120
BOOLEANS = frozenset(("yes", "no", "on", "off", "true", "false", "1", "0", "y", "n", "t", "f"))
NAMES = {
    "str": "text",
    "path": "a path",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a dictionary",
}


@dataclass(frozen=True)
class Finding:
    """Something wrong with one variable, or with the host itself where ``variable`` names no variable."""

    component: str
    variable: str
    value: str
    problem: str
    allowed: str
    edit: bool = True  # whether a file of the inventory is to be looked for


@dataclass
class Role:
    """What a role says about itself."""

    name: str
    entries: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """The inputs of the entry point ``main``."""
        return dict((self.entries.get("main") or {}).get("options") or {})

    @property
    def inputs(self) -> set[str]:
        """The names of the inputs of all entry points."""
        return {name for entry in self.entries.values() for name in (entry or {}).get("options") or {}}

    def own(self, key: str, empty: Any) -> Any:
        """Return ``__<role>_<key>`` of the role's vars."""
        return self.data.get("__%s_%s" % (self.name, key)) or empty


def show(value: Any) -> str:
    """Return a value as one printable line: escapes, control characters and odd scripts cannot act on a terminal."""
    try:
        text = json.dumps(value, default=str)
    except (TypeError, ValueError, RecursionError):
        text = ascii(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "\u2026"


def one_line(text: str) -> str:
    """Return a message of somebody else as one printable line of bounded length."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(printable.split())
    return line if len(line) <= 300 else line[:299] + "\u2026"


def allowed_of(option: Mapping[str, Any]) -> str:
    """Return in words what an option accepts."""
    if option.get("choices"):
        text = "one of: " + ", ".join(_plain(choice) for choice in option["choices"])
        return "a list, each " + text if option.get("type") == "list" else text
    kind = str(option.get("type", "str"))
    text = NAMES.get(kind, kind)
    if kind == "list" and option.get("elements"):
        text += ", each " + NAMES.get(option["elements"], option["elements"])
    if option.get("options"):
        keys = [
            "%s%s" % (key, " (required)" if sub.get("required") else "")
            for key, sub in option["options"].items()
        ]
        text += " with the keys " + ", ".join(keys)
    return text


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def faults_of(option: Mapping[str, Any], value: Any, where: str = "") -> list[str]:
    """Return what is wrong with the type of a value, stricter than Ansible.

    Ansible's validation converts a copy: a list given as text passes it, and the role then loops over letters.
    Numbers and booleans as text are accepted, because ``-e name=5`` is always text.
    """
    kind = str(option.get("type", "str"))
    if value is None:
        faults = [] if where else ["has no value"]
    elif kind in ("str", "path"):
        faults = _text_faults(value)
    elif kind == "list":
        return _list_faults(option, value, where)
    elif kind == "dict":
        return _dict_faults(option, value, where)
    elif kind in ("int", "float", "bool") and not _is_scalar(kind, value):
        faults = ["is %s" % _kind(value)]
    else:
        faults = []
    return ["%s: %s" % (where, fault) if where else fault for fault in faults]


def _text_faults(value: Any) -> list[str]:
    if isinstance(value, (list, tuple, Mapping)):
        return ["is %s" % _kind(value)]
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        return ["is read by YAML as %s; put quotes around it" % _kind(value)]
    return ["holds a NUL character"] if "\0" in str(value) else []


def _list_faults(option: Mapping[str, Any], value: Any, where: str) -> list[str]:
    if not isinstance(value, (list, tuple)):
        return ["%sis %s" % (where + ": " if where else "", _kind(value))]
    element = {"type": option.get("elements", "raw"), "options": option.get("options")}
    faults = []
    for position, item in enumerate(value):
        at = "%s[%d]" % (where, position)
        faults += ["%s: has no value" % at] if item is None else faults_of(element, item, at)
    return faults


def _dict_faults(option: Mapping[str, Any], value: Any, where: str) -> list[str]:
    if not isinstance(value, Mapping):
        return ["%sis %s" % (where + ": " if where else "", _kind(value))]
    faults = []
    for key, sub in (option.get("options") or {}).items():
        if key in value:
            faults += faults_of(sub, value[key], "%s.%s" % (where, key) if where else key)
    return faults


def _is_scalar(kind: str, value: Any) -> bool:
    text = str(value).strip().lower() if isinstance(value, str) else None
    if kind == "bool":
        return isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)) or text in BOOLEANS
    if isinstance(value, bool):
        return False
    if kind == "int":
        return isinstance(value, int) or bool(text and re.match(r"[+-]?[0-9]{1,18}\Z", text))
    return isinstance(value, (int, float)) or bool(
        text and re.match(r"[+-]?[0-9]*\.?[0-9]+(e[+-]?[0-9]+)?\Z", text)
    )


def _kind(value: Any) -> str:
    for types, name in (
        (bool, "true or false"),
        (str, "text"),
        (int, "a whole number"),
        (float, "a number with a fraction"),
        ((list, tuple), "a list"),
        (Mapping, "a dictionary"),
    ):
        if isinstance(value, types):
            return name
    return "a %s" % type(value).__name__.lstrip("_")


def judge_value(component: str, name: str, option: Mapping[str, Any], value: Any) -> list[Finding]:
    """Judge one value against its option."""
    secret = is_secret(name, option)
    faults = faults_of(option, value)
    if not faults:
        spec = copy.deepcopy(dict(option))
        for key in ("required", "default", "no_log"):
            spec.pop(key, None)
        faults = [
            one_line(message)
            for message in ArgumentSpecValidator({name: spec}).validate({name: value}).error_messages
        ]
        if faults and secret:  # Ansible's messages quote the value
            faults = ["is not what is allowed"]
    allowed = allowed_of(option)
    shown = HIDDEN if secret else show(value)
    return [Finding(component, name, shown, fault, allowed) for fault in faults]


def judge_names(role: Role, set_names: Iterable[str], known: set[str]) -> list[Finding]:
    """Find retired and unknown variables under a component's prefix."""
    retired = {item["name"]: item for item in role.own("removed_variables", [])}
    # The role `artifacts` has inputs about one of its kind (artifact_mirror), so the singular is its prefix, too.
    prefixes = (role.name + "_", role.name.removesuffix("s") + "_")
    findings = []
    for name in sorted(set_names):
        if name in retired:
            item = retired[name]
            since = " in %s" % item["since"] if item.get("since") else ""
            new = item.get("replacement")
            findings.append(
                Finding(role.name, name, "", "was removed%s" % since, "use %s" % new if new else "delete it")
            )
        elif name.startswith(prefixes) and name not in known:
            close = difflib.get_close_matches(name, sorted(role.inputs), n=1, cutoff=0.7)
            hint = "did you mean %s? " % close[0] if close else ""
            everything = "all inputs of %s: docs/reference/variables.md" % role.name
            findings.append(Finding(role.name, name, "", "is not an input of any role", hint + everything))
    return findings


def refusal_of(role: Role, version: str) -> tuple[str, str] | None:
    """Return (problem, what is allowed) for a version on the role's deny list or below its minimum."""
    for item in role.own("denied_versions", []):
        if versions.matches(version, str(item["version"])):
            return "is denied: %s" % _reason(item), "any other version"
    minimum = role.own("minimum_version", {})
    if minimum and versions.compare(version, str(minimum["version"])) < 0:
        return "is too old: %s" % _reason(minimum), "%s or newer" % minimum["version"]
    return None


def _reason(item: Mapping[str, Any]) -> str:
    link = " (%s)" % item["link"] if item.get("link") else ""
    return "%s%s" % (item.get("reason") or "no reason given", link)


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


def judge_whole(
    role: Role, desired: Any, values: Mapping[str, Any], facts: Mapping[str, Any]
) -> list[Finding]:
    """Judge whether what is on the node is newer than what would be installed, and yet has to be mended.

    Mending it from the wanted files would be a downgrade, which no package manager makes unasked.
    """
    packages = facts.get("packages")
    packages = packages if isinstance(packages, Mapping) else {}
    names = [
        name
        for name in role.own("packages", [])
        if as_bool(values.get(role.own("optional_packages", {}).get(name, ""), True))
    ]
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
    advice = "%s_version: %s or newer; or on the node: apt-get install --reinstall %s" % (
        role.name,
        version.rpartition("-")[0] or version,
        " ".join("./%s_%s_*.deb" % (name, version) for name in names),
    )
    what = "package %s on the node" % package
    return [Finding(role.name, what, show(version), problem, advice, edit=False)]


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
    return [
        Finding(
            role.name, "distribution of the node", value, "is not supported by this role", allowed, edit=False
        )
    ]


def release_of(facts: Mapping[str, Any]) -> str:
    """Return the release of a host's distribution; Ubuntu's of one year differ, so there the month counts."""
    key = "distribution_version" if facts.get("distribution") == "Ubuntu" else "distribution_major_version"
    return str(facts.get(key) or "")


def judge_needs(
    role: Role, roles: Mapping[str, Role], variables: Mapping[str, Any], evaluate: Callable[[Any], Any]
) -> list[Finding]:
    """Judge whether a component that is present, or unmanaged and found in use, needs one that is to be absent."""
    state = state_of(role, variables, evaluate)
    if state != "present" and not (state == "unmanaged" and found_in_use(role, variables)):
        return []
    missing = [
        name
        for name in role.own("needs", [])
        if name in roles and state_of(roles[name], variables, evaluate) == "absent"
    ]
    there = "present" if state == "present" else "in use on this host (and unmanaged)"
    problem = "while %s is %s, which cannot do without it" % (role.name, there)
    allowed = "present or unmanaged; or %s_state: absent as well" % role.name
    return [Finding(name, name + "_state", show("absent"), problem, allowed) for name in missing]


def found_in_use(role: Role, variables: Mapping[str, Any]) -> bool:
    """Tell from the facts whether an unmanaged component is there all the same."""
    found: Any = variables.get("ansible_facts")
    for key in role.own("evidence", []):
        found = found.get(key) if isinstance(found, Mapping) else None
    return bool(role.own("evidence", [])) and bool(found)


def judge_cluster(
    role: Role,
    variables: Mapping[str, Any],
    evaluate: Callable[[Any], Any],
    state_on: Callable[[str], str],
) -> list[Finding]:
    """Judge what a component that is present needs of the host's Slurm and of other hosts.

    ``state_on`` returns the component's state on another host, by its inventory name.
    """
    if state_of(role, variables, evaluate) != "present":
        return []
    findings = []
    facts = variables.get("ansible_facts")
    slurm = facts.get("slurm") if isinstance(facts, Mapping) else None
    slurm = slurm if isinstance(slurm, Mapping) else {}
    if role.own("needs_slurm", False) and slurm.get("installed") is False:
        allowed = "install Slurm before, or %s_state: unmanaged for this host" % role.name
        problem = "was not found, and %s is a plugin of it" % role.name
        findings.append(Finding(role.name, "Slurm on the node", "", problem, allowed, edit=False))
    group = role.own("registrar_group", "")
    if not group:
        return findings
    members = list((variables.get("groups") or {}).get(group) or [])
    if not members:
        problem = "has no host, so nobody knows where slurmctld runs"
        allowed = "the inventory's group %s holds the host of slurmctld" % group
        return [*findings, Finding(role.name, "group %s" % group, "", problem, allowed, edit=False)]
    config = slurm.get("config") or {}
    state = state_on(members[0])
    if state != "present" and (config.get("source") == "configless" or config.get("shared")):
        problem = "on %s, which holds the registration for this host, where %s is present" % (members[0], role.name)
        allowed = "present on both, or on neither"
        findings.append(Finding(role.name, role.name + "_state", show(state), problem, allowed))
    return findings


def state_of(role: Role, variables: Mapping[str, Any], evaluate: Callable[[Any], Any]) -> str:
    """Return a component's desired state, '' for one that cannot be evaluated, which is a finding of its own."""
    name = role.name + "_state"
    if name not in variables:
        return str(role.defaults.get(name, "present"))
    try:
        return str(evaluate(variables[name]))
    except Exception:  # noqa: BLE001 -- templating runs what the inventory says: it may raise anything
        return ""


def unknown_component(name: Any, known: Iterable[str]) -> Finding:
    """Say that there is no such role."""
    names = sorted(known)
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = "did you mean %s? " % close[0] if close else ""
    text = str(name) if re.match(r"[a-z0-9_]+\Z", str(name)) else show(name)
    allowed = hint + "one of: " + ", ".join(names)
    return Finding(text, "components", show(name), "there is no role of this name", allowed, edit=False)


def judge_component(
    role: Role, variables: Mapping[str, Any], evaluate: Callable[[Any], Any], known: set[str]
) -> list[Finding]:
    """Judge everything about one component on one host.

    ``variables`` are the host's, untemplated; ``evaluate`` templates one and raises what templating raises.
    """
    values: dict[str, Any] = {}
    findings: list[Finding] = []
    for name, option in role.options.items():
        if name not in variables:
            if option.get("required") and name not in role.defaults:
                findings.append(Finding(role.name, name, "", "is required and not set", allowed_of(option)))
            continue
        try:
            values[name] = evaluate(variables[name])
        except Exception as error:  # noqa: BLE001 -- templating runs what the inventory says: it may raise anything
            secret = is_secret(name, option)
            cause = type(error).__name__ if secret else one_line(str(error))
            shown = HIDDEN if secret else show(str(variables[name]))
            findings.append(
                Finding(role.name, name, shown, "cannot be evaluated: %s" % cause, allowed_of(option))
            )
    state = values.get(role.name + "_state", role.defaults.get(role.name + "_state", "present"))
    if state == "unmanaged":
        return []
    for name, value in values.items():
        findings += judge_value(role.name, name, role.options[name], value)
    names = (name for name in variables if isinstance(name, str) and not name.startswith("_"))
    findings += judge_names(role, names, known)
    if state == "absent":
        return findings
    facts = variables.get("ansible_facts")
    facts = facts if isinstance(facts, Mapping) else {}
    desired = values.get(role.name + "_version", role.defaults.get(role.name + "_version", ""))
    if not any(finding.variable == role.name + "_version" for finding in findings):
        packages = facts.get("packages")
        findings += judge_versions(role, desired, packages if isinstance(packages, Mapping) else {})
        findings += judge_whole(role, desired, {**role.defaults, **values}, facts)
    return findings + judge_conflicts(role, facts) + judge_distribution(role, facts)
