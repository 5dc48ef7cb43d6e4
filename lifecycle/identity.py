"""Which platform a node is on and what it is there, found from evidence that the report shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import hyperpod, parallelcluster
from .addresses import Address
from .outcome import BadConfiguration

PLATFORMS = ("hyperpod", "parallelcluster", "generic")
ROLES = ("controller", "login", "compute", "image")
# Last resort, as the samples have it: what people call such groups.
NAME_HINTS = (
    ("controller", re.compile(r"(?:^|[-_])(?:controller|head|headnode|master)(?:$|[-_\d])", re.IGNORECASE)),
    ("login", re.compile(r"(?:^|[-_])login(?:$|[-_\d])", re.IGNORECASE)),
)


@dataclass(frozen=True)
class Signs:
    """What of the platforms' files is there."""

    override: str = ""
    hook_platform: str = ""
    resource_config_variable: bool = False
    hyperpod_directory: bool = False
    parallelcluster_files: bool = False


@dataclass(frozen=True)
class Identity:
    """What a node is, and why we think so."""

    platform: str
    role: str
    evidence: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    group: str = ""
    # Where slurmctld is: an address or a name, '' where nobody says. On a controller, whether it is the one that
    # writes what all share.
    controller: str = ""
    primary: bool = True
    kubernetes: bool = False
    workload_manager: str = "slurm"


def find_platform(signs: Signs) -> tuple[str, str]:
    """Return the platform and the evidence; raises BadConfiguration where two platforms claim the node."""
    if signs.override:
        if signs.override not in PLATFORMS:
            raise BadConfiguration("platform %r is not known: use one of %s" % (signs.override, ", ".join(PLATFORMS)))
        return signs.override, "platform given"
    if signs.hook_platform:
        return signs.hook_platform, "the hook is one of %s" % signs.hook_platform
    is_hyperpod = signs.resource_config_variable or signs.hyperpod_directory
    if is_hyperpod and signs.parallelcluster_files:
        raise BadConfiguration(
            "files of HyperPod (/opt/ml/config) and of ParallelCluster (/etc/parallelcluster) are both here, as on a "
            "copied image: give the platform (--platform, or platform in lifecycle.yml), or delete the wrong ones"
        )
    if signs.resource_config_variable:
        return "hyperpod", "%s is set" % hyperpod.RESOURCE_CONFIG_VARIABLE
    if is_hyperpod:
        return "hyperpod", "/opt/ml/config is there"
    if signs.parallelcluster_files:
        return "parallelcluster", "/etc/parallelcluster or /etc/chef/dna.json is there"
    return "generic", "no file of a known platform is there"


@dataclass(frozen=True)
class HyperPodView:
    """Everything on a HyperPod node that may tell its role."""

    config: hyperpod.ResourceConfig
    parameters: hyperpod.ProvisioningParameters | None = None
    own: frozenset[Address] = frozenset()
    identifier: str = ""
    override: str = ""
    node_info: Mapping[str, Any] = field(default_factory=dict)
    has_cluster_agent: bool = False
    strict: bool = False


def identify_hyperpod(view: HyperPodView, platform_evidence: str) -> Identity:
    """Return the identity by the order of evidence; raises BadConfiguration in strict mode where none is good.

    Never by what runs: slurmd also runs on login nodes, and the hook may run while Slurm is starting.
    """
    evidence, warnings = [platform_evidence], []
    myself, how = hyperpod.find_self(view.config, view.own, view.identifier)
    group = myself.group if myself else ""
    evidence.append("group %s by %s" % (group, how) if myself else how)
    role, reason = _hyperpod_role(view, group)
    if not role:
        role = "compute"
        reason = (
            "group %r is neither controller_group, login_group nor in worker_groups" % group
            if view.parameters and group
            else "nothing tells the role"
        )
        if view.strict:
            raise BadConfiguration("%s (strict): correct provisioning_parameters.json, or give --role" % reason)
        warnings.append("%s: taken as compute" % reason)
    elif reason.startswith("the name of the group"):
        if view.strict:
            raise BadConfiguration("only %s tells the role (strict): give --role" % reason)
        warnings.append("only %s tells the role" % reason)
    evidence.append("role %s: %s" % (role, reason))
    primary = hyperpod.primary_controller(view.config, view.parameters)
    if role == "controller" and primary is None:
        primary = myself.address if myself else None
    if view.parameters and view.parameters.workload_manager != "slurm":
        warnings.append(
            "workload_manager is %r and not slurm: everything of Slurm is left alone" % view.parameters.workload_manager
        )
    return Identity(
        "hyperpod",
        role,
        tuple(evidence),
        tuple(warnings),
        group,
        str(primary) if primary else "",
        primary is None or primary in view.own or (myself is not None and primary == myself.address),
        view.config.cluster_type == hyperpod.KUBERNETES,
        view.parameters.workload_manager if view.parameters else "slurm",
    )


def _hyperpod_role(view: HyperPodView, group: str) -> tuple[str, str]:
    """Return (role, why), the first evidence that says anything; ('', '') where none does."""
    if view.override:
        return check_role(view.override), "given"
    named = view.parameters.role_of(group) if view.parameters else ""
    if named:
        return named, "%s names the group" % hyperpod.PROVISIONING_PARAMETERS
    controllers = [str(item) for item in view.config.controllers if item in view.own]
    if controllers:
        return "controller", "SlurmConfig has the address %s" % controllers[0]
    noted = view.node_info.get("node_type")
    if noted in ("controller", "login", "compute", "worker"):
        return "compute" if noted == "worker" else str(noted), hyperpod.NODE_INFO
    if view.has_cluster_agent:
        return "controller", "%s is there" % hyperpod.CLUSTER_AGENT
    if not view.parameters:
        for role, pattern in NAME_HINTS:
            if pattern.search(group):
                return role, "the name of the group %r" % group
        if group:
            return "compute", "the group %r is named like neither controller nor login" % group
    return "", ""


def identify_parallelcluster(facts: parallelcluster.Facts, override: str, platform_evidence: str) -> Identity:
    """Return the identity; raises BadConfiguration where neither file nor argument tells the node's type."""
    if override:
        role, reason = check_role(override), "given"
    elif facts.role:
        role, reason = facts.role, "node type %s in %s" % (facts.node_type, facts.source)
    elif facts.node_type:
        raise BadConfiguration(
            "cfn_node_type is %r in %s; expected one of %s: give --role"
            % (facts.node_type, facts.source, ", ".join(parallelcluster.ROLES))
        )
    else:
        raise BadConfiguration(
            "neither %s nor %s has this node's type: give --role" % (parallelcluster.CFNCONFIG, parallelcluster.DNA)
        )
    controller = "" if role == "controller" else facts.head_name or facts.head_address
    evidence = (platform_evidence, "role %s: %s" % (role, reason))
    return Identity("parallelcluster", role, evidence, (), facts.queue, controller)


def identify_generic(override: str, controller: str, platform_evidence: str) -> Identity:
    """Return the identity of a node of no known platform: what is given, else compute."""
    role = check_role(override) if override else "compute"
    reason = "given" if override else "nothing else is known"
    return Identity("generic", role, (platform_evidence, "role %s: %s" % (role, reason)), (), "", controller)


def check_role(role: str) -> str:
    """Return a given role; raises BadConfiguration where it is none."""
    if role not in ROLES:
        raise BadConfiguration("role %r is not known: use one of %s" % (role, ", ".join(ROLES)))
    return role
