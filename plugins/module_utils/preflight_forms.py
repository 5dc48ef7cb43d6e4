"""Whether values have the form that a role needs beyond their type: what a module would refuse after the packages came.

A role says by ``__<role>_forms`` which of its inputs have which form.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible_collections.slipway.containers.plugins.module_utils import credentials, group_members
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role, show
from ansible_collections.slipway.containers.plugins.module_utils.preflight_values import HIDDEN, allowed_of, faults_of
from ansible_collections.slipway.containers.plugins.module_utils.secret_names import is_secret


def _names(values: Any) -> list[str]:
    return [problem for problem in map(group_members.name_problem, map(str, values)) if problem]


FORMS: dict[str, Callable[[Any], list[str]]] = {"accounts": _names, "credentials": credentials.problems}


def judge(role: Role, values: Mapping[str, Any]) -> list[Finding]:
    """Judge the inputs that have a form; one whose type is wrong is a finding already."""
    findings = []
    for name, form in role.own("forms", {}).items():
        if name not in values or faults_of(role.options[name], values[name]):
            continue
        option = role.options[name]
        shown = HIDDEN if is_secret(name, option) else show(values[name])
        findings += [
            Finding(role.name, name, shown, problem, allowed_of(option)) for problem in FORMS[form](values[name])
        ]
    return findings
