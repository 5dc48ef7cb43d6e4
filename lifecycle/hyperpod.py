"""What SageMaker HyperPod tells a node about itself and its cluster.

The shapes are those of AWS's pages on the HyperPod lifecycle configuration (resource configuration and provisioning
parameters) and of the samples in awslabs/awsome-distributed-ai; keys that are not known are ignored.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from . import addresses
from .addresses import Address
from .outcome import BadConfiguration

RESOURCE_CONFIG = "/opt/ml/config/resource_config.json"
RESOURCE_CONFIG_VARIABLE = "SAGEMAKER_RESOURCE_CONFIG_PATH"
PROVISIONING_PARAMETERS = "provisioning_parameters.json"
# Written by the samples' detect-node extension.
NODE_INFO = "/opt/ml/config/nodeinfo.json"
# Only the controller has it.
CLUSTER_AGENT = "/opt/ml/config/cluster_agent.json"
PROVISIONING_LOG = "/var/log/provision/provisioning.log"
KUBERNETES = "Kubernetes"


@dataclass(frozen=True)
class Instance:
    """One machine of the cluster; ``address`` is the one in the customer's network, which Slurm uses."""

    group: str
    name: str
    identifier: str
    address: Address | None


@dataclass(frozen=True)
class ResourceConfig:
    """resource_config.json. It may be stale or lack nodes: good for finding oneself and the controller only."""

    cluster_name: str
    cluster_type: str
    primary_controller: Address | None
    secondary_controllers: tuple[Address, ...]
    instances: tuple[Instance, ...]

    @property
    def controllers(self) -> tuple[Address, ...]:
        """Addresses of all controllers, the primary first."""
        return tuple(item for item in (self.primary_controller, *self.secondary_controllers) if item)


@dataclass(frozen=True)
class ProvisioningParameters:
    """provisioning_parameters.json, which the cluster's owner may put beside the scripts."""

    workload_manager: str
    controller_group: str
    login_group: str
    worker_groups: tuple[str, ...]

    def role_of(self, group: str) -> str:
        """Return the role of a group, '' where the file does not name it."""
        if not group:
            return ""
        if group == self.controller_group:
            return "controller"
        if group == self.login_group:
            return "login"
        return "compute" if group in self.worker_groups else ""


def parse_resource_config(data: Mapping[str, Any], path: str = RESOURCE_CONFIG) -> ResourceConfig:
    """Return the resource configuration; raises BadConfiguration naming the key that is wrong."""
    groups = data.get("InstanceGroups")
    if not isinstance(groups, list):
        found = "no such key" if "InstanceGroups" not in data else type(groups).__name__
        raise BadConfiguration("%s: InstanceGroups must be a list, found %s" % (path, found))
    instances = []
    for number, group in enumerate(groups):
        if not isinstance(group, Mapping):
            raise BadConfiguration("%s: InstanceGroups[%d] must be an object" % (path, number))
        # A group that was scaled to nothing has null here, or no such key.
        for machine in group.get("Instances") or []:
            if not isinstance(machine, Mapping):
                raise BadConfiguration("%s: an entry in InstanceGroups[%d].Instances is no object" % (path, number))
            instances.append(
                Instance(
                    _text(group.get("Name")),
                    _text(machine.get("InstanceName")),
                    _text(machine.get("InstanceId")),
                    addresses.parse(machine.get("CustomerIpAddress")),
                )
            )
    slurm = _mapping(data.get("SlurmConfig"))
    secondary = slurm.get("SecondaryControllerIps")
    others = [addresses.parse(item) for item in secondary] if isinstance(secondary, list) else []
    return ResourceConfig(
        _text(_mapping(data.get("ClusterConfig")).get("ClusterName")),
        KUBERNETES if "KubernetesConfig" in data else _text(data.get("ClusterType")),
        addresses.parse(slurm.get("PrimaryControllerIp")),
        tuple(item for item in others if item),
        tuple(instances),
    )


def parse_provisioning_parameters(data: Mapping[str, Any], path: str) -> ProvisioningParameters:
    """Return the provisioning parameters; raises BadConfiguration with everything that is wrong."""
    problems = []
    for key in ("controller_group", "login_group", "workload_manager"):
        if not isinstance(data.get(key, ""), (str, type(None))):
            problems.append("%s must be text, found %r" % (key, data[key]))
    workers = data.get("worker_groups")
    names = []
    if not isinstance(workers, (list, type(None))):
        problems.append("worker_groups must be a list, found %r" % type(workers).__name__)
    else:
        for number, item in enumerate(workers or []):
            name = item.get("instance_group_name") if isinstance(item, Mapping) else None
            if isinstance(name, str) and name:
                names.append(name)
            else:
                problems.append("worker_groups[%d] lacks instance_group_name" % number)
    if problems:
        raise BadConfiguration("%s: %s" % (path, "; ".join(problems)))
    return ProvisioningParameters(
        _text(data.get("workload_manager")),
        _text(data.get("controller_group")),
        _text(data.get("login_group")),
        tuple(names),
    )


def find_self(config: ResourceConfig, own: Collection[Address], identifier: str = "") -> tuple[Instance | None, str]:
    """Return this machine's entry and how it was found, or None and why not.

    An address that two entries have (reused, or a stale copy) is decided by the instance id;
    raises BadConfiguration where there is none to decide it.
    """
    by_address = [item for item in config.instances if item.address and item.address in own]
    by_identifier = [item for item in config.instances if identifier and item.identifier == identifier]
    if len(by_address) == 1:
        return by_address[0], "address %s" % by_address[0].address
    if len(by_identifier) == 1:
        return by_identifier[0], "instance id %s" % identifier
    if by_address:
        listed = ", ".join("%s in %s" % (item.name or item.identifier, item.group) for item in by_address)
        if len({item.group for item in by_address}) == 1:
            return by_address[0], "address %s" % by_address[0].address
        raise BadConfiguration(
            "%s: the addresses of this node belong to %s, and the instance id (%s) decides it for none of them"
            % (RESOURCE_CONFIG, listed, identifier or "not known")
        )
    return None, "no entry has one of the addresses %s" % (", ".join(sorted(map(str, own))) or "(none)")


def primary_controller(config: ResourceConfig, parameters: ProvisioningParameters | None) -> Address | None:
    """Return the address of the one controller that writes what all controllers share."""
    if config.primary_controller:
        return config.primary_controller
    group = parameters.controller_group if parameters else ""
    return next((item.address for item in config.instances if group and item.group == group and item.address), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
