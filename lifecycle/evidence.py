"""Collect what tells platform and role, waiting for what the platform may still be writing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from . import addresses, documents, hyperpod, identity, parallelcluster
from .identity import Identity
from .node import Node
from .outcome import BadConfiguration, Unusable
from .settings import HOOKS, Settings
from .waits import Clock, wait_until

INTERVAL = 2.0


@dataclass(frozen=True)
class Place:
    """Where evidence is looked for."""

    node: Node
    environment: Mapping[str, str]
    # The directory of the script that the platform started: HyperPod puts its other files beside it.
    beside: Path
    clock: Clock


def identify(settings: Settings, place: Place) -> Identity:
    """Return what the node is; raises BadConfiguration or Unusable."""
    signs = identity.Signs(
        settings.platform,
        HOOKS[settings.hook],
        bool(place.environment.get(hyperpod.RESOURCE_CONFIG_VARIABLE)),
        place.node.exists("/opt/ml/config"),
        place.node.exists(parallelcluster.CFNCONFIG) or place.node.exists(parallelcluster.DNA),
    )
    if settings.hook == "image":
        # Nothing of a role is here yet; a platform's files may be those of the machine that builds.
        return Identity("generic", "image", ("the hook is image",))
    platform, reason = identity.find_platform(signs)
    evidence = "platform %s: %s" % (platform, reason)
    try:
        if platform == "hyperpod":
            return _hyperpod(settings, place, evidence)
        if platform == "parallelcluster":
            return _parallelcluster(settings, place, evidence)
    except PermissionError as error:
        command = "sudo sh start.sh %s" % settings.hook
        raise Unusable("%s is readable for root only: run %s" % (error.filename, command)) from None
    return identity.identify_generic(settings.role, settings.controller, evidence)


def _hyperpod(settings: Settings, place: Place, evidence: str) -> Identity:
    path = place.environment.get(hyperpod.RESOURCE_CONFIG_VARIABLE) or hyperpod.RESOURCE_CONFIG
    own = addresses.own(place.node.interfaces())
    failure: list[BadConfiguration] = []

    def read() -> hyperpod.ResourceConfig | None:
        """Return the configuration where it can be read and has this node; the platform may still be writing it."""
        failure.clear()
        content = place.node.read(path)
        if content is None:
            failure.append(BadConfiguration("%s is not there after %.0f s" % (path, settings.file_wait_seconds)))
            return None
        try:
            found.append(hyperpod.parse_resource_config(documents.parse_object(content, path), path))
        except BadConfiguration as error:
            failure.append(error)
            return None
        config = found[-1]
        lonely = not settings.role and config.cluster_type != hyperpod.KUBERNETES
        is_there = any(item.address in own for item in config.instances) or bool(set(config.controllers) & own)
        return None if lonely and not is_there else config

    found: list[hyperpod.ResourceConfig] = []
    config = wait_until(read, settings.file_wait_seconds, place.clock, INTERVAL)
    if failure:
        raise failure[0]
    config = config or found[-1]
    myself = [item for item in config.instances if item.address in own]
    identifier = "" if len(myself) == 1 else place.node.instance_identifier()
    view = identity.HyperPodView(
        config,
        _parameters(place),
        own,
        identifier,
        settings.role,
        _optional_object(place.node.read(hyperpod.NODE_INFO)),
        place.node.exists(hyperpod.CLUSTER_AGENT),
        settings.strict,
    )
    return identity.identify_hyperpod(view, evidence)


def _parameters(place: Place) -> hyperpod.ProvisioningParameters | None:
    for directory in (place.beside, place.node.path("/opt/ml/config")):
        path = directory / hyperpod.PROVISIONING_PARAMETERS
        if path.is_file():
            data = documents.parse_object(path.read_bytes(), str(path))
            return hyperpod.parse_provisioning_parameters(data, str(path))
    return None


def _parallelcluster(settings: Settings, place: Place, evidence: str) -> Identity:
    cfnconfig = parallelcluster.parse_cfnconfig(place.node.text(parallelcluster.CFNCONFIG))
    content = place.node.read(parallelcluster.DNA) if not cfnconfig.get("cfn_node_type") else None
    facts = parallelcluster.read_facts(cfnconfig, _optional_object(content))
    found = identity.identify_parallelcluster(facts, settings.role, evidence)
    release = parallelcluster.cookbook_version(place.node.text(parallelcluster.BOOTSTRAPPED))
    said = list(found.evidence)
    if release:
        said.append("ParallelCluster %s" % ".".join(map(str, release)))
    examples = "are" if place.node.exists(parallelcluster.EXAMPLES) else "are not"
    said.append("the image's own examples of enroot and pyxis %s there" % examples)
    return replace(found, evidence=tuple(said))


def _optional_object(content: bytes | None) -> Mapping[str, Any]:
    """Return a JSON object that is only a hint: {} where it is missing or damaged."""
    if content is None:
        return {}
    try:
        return documents.parse_object(content, "")
    except BadConfiguration:
        return {}


def read_group_variables(directory: Path) -> dict[str, Any]:
    """Return the site's variables as plain YAML, untemplated; what cannot be read is left to Ansible to say."""
    values: dict[str, Any] = {}
    for path in sorted(directory.glob("group_vars/all/*.yml")):
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            continue
        values.update(loaded if isinstance(loaded, dict) else {})
    return values
