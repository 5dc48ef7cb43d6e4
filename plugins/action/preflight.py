# Copyright: Slipway contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Judge all inputs of the given components for one host, on the control node."""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Callable

import yaml
from ansible import context
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.slipway.containers.plugins.module_utils import (
    inventory_files,
    preflight,
    preflight_cluster,
    preflight_files,
    refusals,
)
from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role, one_line
from ansible_collections.slipway.containers.plugins.plugin_utils.trust import trust_as_template

ROLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "roles")
EXTRA_VARS = "extra vars (-e)"


class TolerantLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain YAML; a tag that only Ansible knows (!vault, !unsafe) is no error, and its value stays unread."""


TolerantLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: "")


def read_yaml(path: str) -> dict[str, Any]:
    """Return a YAML file's dictionary; an absent file is empty."""
    try:
        with open(path, encoding="utf-8") as stream:
            content = yaml.load(stream, Loader=TolerantLoader)  # noqa: S506 -- derived from SafeLoader
    except FileNotFoundError:
        return {}
    return content if isinstance(content, dict) else {}


@cache
def read_roles(directory: str, family: str = "") -> dict[str, Role]:
    """Return what every role says about itself, on hosts of a family of distributions where that differs."""
    roles = {}
    for name in sorted(os.listdir(directory)):
        base = os.path.join(directory, name)
        entries = read_yaml(os.path.join(base, "meta", "argument_specs.yml")).get("argument_specs") or {}
        if entries or os.path.isdir(os.path.join(base, "tasks")):
            defaults = read_yaml(os.path.join(base, "defaults", "main.yml"))
            data = read_yaml(os.path.join(base, "vars", "main.yml"))
            # As Ansible has it, the file of a family is loaded over the other.
            data.update(read_yaml(os.path.join(base, "vars", os.path.basename(family) + ".yml")) if family else {})
            roles[name] = Role(name, entries, defaults, data)
    return roles


def trusted(value: Any) -> Any:
    """Return a role's default so that the templates in it work."""
    if isinstance(value, str):
        return trust_as_template(value)
    if isinstance(value, list):
        return [trusted(item) for item in value]
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    return value


class ActionModule(ActionBase):
    """Returns ``problems``; never fails for what it finds, so that all hosts are judged before one message."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run as an Ansible action."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        del tmp
        variables = task_vars or {}
        components = self._task.args.get("components")
        if not isinstance(components, (list, tuple)):
            return {**result, "failed": True, "msg": "preflight: components must be a list of role names"}
        result.update(changed=False, problems=[])
        try:
            result["problems"] = self.judge(list(components), variables)
        except Exception as error:  # noqa: BLE001 -- fail closed: a host that could not be judged has a problem
            result["problems"] = [
                {
                    "component": "preflight",
                    "variable": "",
                    "value": "",
                    "problem": one_line("cannot be judged: %s: %s" % (type(error).__name__, error)),
                    "allowed": "",
                    "file": "",
                }
            ]
        return result

    def judge(self, components: list[Any], variables: dict[str, Any]) -> list[dict[str, str]]:
        """Return the problems of all components."""
        facts = variables.get("ansible_facts") or {}
        family = str(facts.get("os_family") or "")
        roles = read_roles(os.path.abspath(self._task.args.get("roles_path") or ROLES), family)
        defaults = {name: value for role in roles.values() for name, value in role.defaults.items()}
        templar = self._templar.copy_with_new_env(available_variables={**trusted(defaults), **variables})
        known = {name for role in roles.values() for name in role.inputs} | set(defaults)

        def value_of(name: str) -> Any:
            try:
                return templar.template(variables.get(name, trusted(defaults.get(name, ""))))
            except Exception:  # noqa: BLE001 -- a value that cannot be evaluated is a finding of its own
                return ""

        findings: list[Finding] = []
        for component in dict.fromkeys(map(str, components)):
            if component in roles:
                role = roles[component]
                findings += preflight.judge_component(role, variables, templar.template, known)
                findings += preflight_cluster.judge_needs(role, roles, variables, templar.template)
                findings += preflight_cluster.judge_cluster(
                    role, variables, templar.template, self.state_on(role, variables)
                )
                if preflight_cluster.state_of(role, variables, templar.template) == "present":
                    findings += refusals.judge(role, value_of, facts)
                    # A value that is wrong is said already, and nothing can be made of it.
                    if not any(finding.component == role.name for finding in findings):
                        files = self.files_of(role, {**defaults, **role.data}, variables)
                        mirror, machine = str(value_of("artifact_mirror") or ""), str(facts.get("architecture") or "")
                        findings += preflight_files.judge(role, files, mirror, machine, self.exists)
            else:
                findings.append(preflight.unknown_component(component, roles))
        problems = []
        for finding in dict.fromkeys(findings):
            problem = {
                "component": finding.component,
                "variable": finding.variable,
                "value": finding.value,
                "problem": finding.problem,
                "allowed": finding.allowed,
                "file": self.file_of(finding, variables) if finding.edit else "",
            }
            # An input of several roles (remove_data) is one variable to correct, and so one problem.
            if not any({**other, "component": ""} == {**problem, "component": ""} for other in problems):
                problems.append(problem)
        return problems

    def files_of(self, role: Role, data: dict[str, Any], variables: dict[str, Any]) -> list[str]:
        """Return the names of the files that this host is to get, of a role that says so."""
        wanted = role.own("files_needed", "")
        if not wanted:
            return []
        templar = self._templar.copy_with_new_env(available_variables={**trusted(data), **variables})
        return [str(file["filename"]) for file in templar.template(trusted(wanted))]

    @staticmethod
    def exists(path: str) -> bool:
        """Tell whether a file is on the control node."""
        return os.path.exists(os.path.expanduser(path))

    @staticmethod
    def state_on(role: Role, variables: dict[str, Any]) -> Callable[[str], str]:
        """Return a function from a host's inventory name to a component's state there."""
        return lambda host: preflight_cluster.state_of(role, variables["hostvars"][host], lambda value: value)

    def file_of(self, finding: Finding, variables: dict[str, Any]) -> str:
        """Return the file to edit, with its line where it is known."""
        if finding.variable in load_extra_vars(self._loader):
            given = [str(option)[1:] for option in context.CLIARGS.get("extra_vars") or () if str(option)[:1] == "@"]
            place = inventory_files.locate(finding.variable, reversed(given))
            return "%s, given as %s" % (relative(place), EXTRA_VARS) if place else EXTRA_VARS
        sources = [str(source) for source in variables.get("ansible_inventory_sources") or [] if os.path.exists(source)]
        directories = [source if os.path.isdir(source) else os.path.dirname(source) for source in reversed(sources)]
        members = variables.get("groups") or {}
        # A child's variables win over its parent's, and a child is never the larger group.
        groups = sorted(variables.get("group_names") or [], key=lambda group: len(members.get(group, ())))
        host = str(variables.get("inventory_hostname", ""))
        playbook = str(variables.get("playbook_dir") or "")
        files = list(
            inventory_files.candidates([*([playbook] if playbook else []), *directories], sources, host, groups)
        )
        place = inventory_files.locate(finding.variable, files) or self.vault_with(finding.variable, files)
        if place:
            return relative(place)
        base = str(variables.get("inventory_dir") or (directories[0] if directories else "inventories/<site>"))
        return relative(os.path.join(base, "group_vars", "all", finding.component + ".yml"))

    def vault_with(self, variable: str, files: list[str]) -> str:
        """Return the encrypted file that defines a variable, or nothing."""
        for path in inventory_files.vaults(files):
            try:
                content = self._loader.load_from_file(path)
            except Exception:  # noqa: BLE001, S112 -- without its secret a vault gave no value either
                continue
            if isinstance(content, dict) and variable in content:
                return path
        return ""


def relative(place: str) -> str:
    """Return a path as seen from where the command was typed, if it lies below."""
    short = os.path.relpath(place)
    return place if short.startswith("..") else short
