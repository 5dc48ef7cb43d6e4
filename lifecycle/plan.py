"""What a hook does on a node of a role: pure, so that every cell of the platforms' contracts is a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .identity import Identity
from .outcome import ComponentFailed

# Which components each one needs; a component whose need is left alone or failed is left alone, too.
NEEDS: dict[str, tuple[str, ...]] = {
    "storage": (),
    "docker": ("storage",),
    "nvidia_container_toolkit": (),
    "enroot": ("storage",),
    "pyxis": ("enroot",),
    "apptainer": (),
    "image_store": (),
}
# Where a component's need is only where its data lies, it goes on without.
SOFT_NEEDS = ("storage",)
UNMANAGED = "unmanaged"
# What the role enroot sets by itself in enroot.conf. Where the platform has set enroot up, its values win (SageMaker's
# agent tunes the paths); what the site asks for by enroot_config is written all the same.
ENROOT_KEYS = (
    "ENROOT_RUNTIME_PATH",
    "ENROOT_DATA_PATH",
    "ENROOT_CACHE_PATH",
    "ENROOT_TEMP_PATH",
    "ENROOT_SQUASH_OPTIONS",
    "ENROOT_TRANSFER_RETRIES",
)
# What has daemons: an image only has them started at the first boot of a machine made from it.
STARTING = ("docker", "nvidia_container_toolkit")
# site.yml asks every node of the cluster for its proof before it registers, and a hook sees only its own node.
REGISTER_TAG = "register"


@dataclass(frozen=True)
class Slurm:
    """What of Slurm is on the node at this moment."""

    installed: bool
    # /opt/slurm is a network filesystem here, or something mounted from the head.
    shared: bool = False
    # A pyxis plugin that the image brought lies beside Slurm.
    has_pyxis: bool = False


@dataclass(frozen=True)
class Plan:
    """What is to be done; nothing at all where ``playbooks`` is empty."""

    playbooks: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    skip_tags: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()


def make_plan(
    hook: str,
    identity: Identity,
    slurm: Slurm,
    components: tuple[str, ...],
    required: tuple[str, ...] | None = None,
    seal: bool = False,
) -> Plan:
    """Return the plan; raises ComponentFailed where a component that is required by name cannot apply here."""
    if identity.kubernetes:
        reason = "the cluster is orchestrated by Kubernetes (EKS): Slurm, pyxis, enroot and containerd are left alone"
        return Plan(decisions=(_refuse_required(("enroot", "pyxis"), required, reason),))
    left = _left_alone(hook, identity, slurm)
    if hook != "on-node-start":
        for name, reason in left.items():
            # What the image has is there, whoever brought it.
            if not (name == "pyxis" and slurm.has_pyxis):
                _refuse_required((name,), required, reason)
    waits = ["disk"] if hook in ("on-create", "on-init-complete", "user-data") else []
    playbooks = ["site"]
    is_image = "image" in (hook, identity.role)
    if not is_image and hook != "on-node-updated" and "pyxis" not in left:
        playbooks.append("register_first")
    starts = hook == "on-create" and slurm.installed and identity.workload_manager == "slurm"
    if starts:
        waits += ["slurm_conf"] if identity.role == "controller" else []
        playbooks.append("start_slurm")
    decisions = ["%s is left alone: %s" % (name, reason) for name, reason in left.items() if name in components]
    if is_image:
        decisions.append("an image: installed, nothing registered or started")
        playbooks += ["seal_image"] if seal else []
    elif hook == "on-node-updated":
        decisions.append("the registration stays as it is: compute nodes do not run this hook, and could lack a plugin")
    decisions += _say_slurm(hook, identity, slurm, starts)
    variables: dict[str, Any] = {"%s_state" % name: UNMANAGED for name in left if name in components}
    if hook == "on-init-complete":
        variables["enroot_platform_keys"] = list(ENROOT_KEYS)
    if is_image:
        variables.update({"%s_started" % name: False for name in STARTING if name in components})
    return Plan(tuple(playbooks), variables, (REGISTER_TAG,), tuple(waits), tuple(decisions))


def _left_alone(hook: str, identity: Identity, slurm: Slurm) -> dict[str, str]:
    """Return why a component is left alone, by component."""
    if hook == "on-node-start":
        # Shares and scratch disks are mounted later, and what is written below /opt/slurm now would be hidden then.
        reason = "OnNodeStart runs before disks and /opt/slurm are mounted: done in OnNodeConfigured"
        return dict.fromkeys(("storage", "docker", "pyxis", "image_store"), reason)
    if identity.workload_manager != "slurm":
        return {"pyxis": "the workload manager is %s" % (identity.workload_manager or "not named")}
    if not slurm.installed:
        return {"pyxis": "no Slurm is installed here"}
    if hook == "on-init-complete" and slurm.has_pyxis:
        # The platform has set it up, and registered it; a second registration would load it twice.
        return {"pyxis": "the image has its own, which is adopted as it is"}
    return {}


def _say_slurm(hook: str, identity: Identity, slurm: Slurm, starts: bool) -> list[str]:
    said = []
    if starts:
        unit = "slurmctld" if identity.role == "controller" else "slurmd"
        said.append("OnCreate starts Slurm: %s, after everything else is in place" % unit)
    if identity.platform == "parallelcluster" and identity.role != "controller" and hook != "on-node-start":
        where = "mounted from the head" if slurm.shared else "not mounted from the head"
        said.append("/opt/slurm is %s: only the head writes there, and the platform starts slurmd" % where)
    if identity.role == "controller" and not identity.primary:
        said.append("%s is the primary controller: it registers, this one only has the plugin" % identity.controller)
    return said


def _refuse_required(names: tuple[str, ...], required: tuple[str, ...] | None, reason: str) -> str:
    for name in names:
        if name in (required or ()):
            raise ComponentFailed("%s is required and cannot be brought about: %s" % (name, reason))
    return reason


def without(component: str, variables: Mapping[str, Any], components: tuple[str, ...]) -> dict[str, Any]:
    """Return the variables of a run that leaves a failed component alone, and what cannot be without it."""
    left = {component}
    for name in components:
        if any(need in left and need not in SOFT_NEEDS for need in NEEDS.get(name, ())):
            left.add(name)
    return {**variables, **{"%s_state" % name: UNMANAGED for name in sorted(left)}}


def may_fail(component: str, components: tuple[str, ...], required: tuple[str, ...] | None) -> bool:
    """Tell whether the node may join without a component, and without what needs it."""
    if required is None or component not in components:
        return False
    gone = [name.removesuffix("_state") for name in without(component, {}, components)]
    return not any(name in required for name in gone)
