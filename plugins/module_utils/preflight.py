"""What is wrong with the inputs of one host, judged without touching the host.

Pure: the action ``preflight`` templates the values, reads the facts, and finds the files to edit.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.slipway.containers.plugins.module_utils import preflight_forms
from ansible_collections.slipway.containers.plugins.module_utils.preflight_nodes import (
    judge_conflicts,
    judge_distribution,
    judge_versions,
    judge_whole,
)
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role, one_line, show
from ansible_collections.slipway.containers.plugins.module_utils.preflight_values import (
    HIDDEN,
    allowed_of,
    judge_settings,
    judge_value,
)
from ansible_collections.slipway.containers.plugins.module_utils.secret_names import is_secret


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
            findings.append(Finding(role.name, name, shown, "cannot be evaluated: %s" % cause, allowed_of(option)))
    state = values.get(role.name + "_state", role.defaults.get(role.name + "_state", "present"))
    if state == "unmanaged":
        return []
    for name, value in values.items():
        findings += judge_value(role.name, name, role.options[name], value)
    findings += preflight_forms.judge(role, values)
    findings += judge_settings(role, values)
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
