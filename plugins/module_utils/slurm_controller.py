"""What only slurmctld knows, asked with a bound. Null, never an error, where it does not answer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import command, slurm_host, slurm_text
from ansible_collections.slipway.containers.plugins.module_utils.slurm_host import Evidence, Host

CONTROLLER_TIMEOUT = 3.0


def node_name(known: Sequence[Evidence]) -> str:
    """Return the name that a slurmd here has in Slurm."""
    return next(
        (str(item.options["node"]) for item in known if item.options.get("node")),
        os.uname().nodename.split(".")[0],
    )


def controller_facts(
    host: Host, facts: Mapping[str, Any], known: Sequence[Evidence], roster: bool
) -> dict[str, Any]:
    """Return running_jobs and, where asked, the roster; one unanswered question ends the asking."""
    node = node_name(known)
    extra = {"SLURM_CONF": facts["config"]["file"]} if facts["config"]["file"] else {}
    environment = command.plain_environment(extra)
    scontrol = facts["programs"]["scontrol"]
    result: dict[str, Any] = {}
    output = None
    if roster:
        words = [scontrol or "scontrol", "--oneliner", "show", "nodes"]
        output = host.run(words, 2 * CONTROLLER_TIMEOUT, environment)
        result["roster"] = slurm_text.parse_nodes(output.stdout) if output.succeeded else None
    squeue = os.path.join(os.path.dirname(scontrol), "squeue") if scontrol else "squeue"
    reachable = output is None or output.succeeded
    result["running_jobs"] = (
        count_jobs(host, facts, squeue, node, environment) if reachable else _steps_only(host, facts)
    )
    return result


def count_jobs(
    host: Host, facts: Mapping[str, Any], squeue: str, node: str, environment: Mapping[str, str]
) -> int | None:
    """Return how many jobs hold this node; without a controller at least those with a step, else None."""
    if facts["daemons"]["slurmd"] == "absent":
        return 0
    words = [squeue, "--noheader", "--nodelist", node, "--states", "R,CG,S,CF,SI,ST", "--format", "%A"]
    output = host.run(words, CONTROLLER_TIMEOUT, environment)
    if output.succeeded:
        return len(set(output.stdout.split()) | slurm_host.steps_here(host))
    if "Invalid node name" in output.stderr:
        return len(slurm_host.steps_here(host))
    return _steps_only(host, facts)


def _steps_only(host: Host, facts: Mapping[str, Any]) -> int | None:
    if facts["daemons"]["slurmd"] == "absent":
        return 0
    return len(slurm_host.steps_here(host)) or None
