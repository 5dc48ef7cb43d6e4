"""What a component needs of other components, of the host's Slurm and of other hosts."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible_collections.slipway.containers.plugins.module_utils.preflight_roles import Finding, Role, show


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
