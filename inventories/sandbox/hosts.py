#!/usr/bin/env python3
"""The inventory of the running sandbox, from its cluster.json."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
GROUPS = ("controller", "login", "compute")
NOT_RUNNING = "no sandbox is running: run `make sandbox`"


def state_directory(repository: Path, name: str) -> Path:
    """Return where the sandbox of that name keeps what is known about it."""
    return repository / (".sandbox" if name == "slipway" else f".sandbox-{name}")


def connection(state: Path, name: str) -> dict[str, Any]:
    """Return how Ansible reaches every node.

    A later sandbox may use the same addresses again, so control sockets are kept apart by
    sandbox; they lie in /run because their paths must be short.
    """
    identity = f"{name}-{hashlib.sha256(str(state).encode()).hexdigest()[:8]}"
    known_hosts = state / "ssh" / "known_hosts"
    return {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_private_key_file": str(state / "ssh" / "id_ed25519"),
        # These take the place of Ansible's own arguments, of which compression only costs here.
        "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=10m",
        "ansible_ssh_common_args": (
            f'-o UserKnownHostsFile="{known_hosts}" -o GlobalKnownHostsFile=/dev/null '
            "-o StrictHostKeyChecking=yes -o IdentitiesOnly=yes "
            "-o ServerAliveInterval=15 -o ServerAliveCountMax=4"
        ),
        "ansible_control_path_dir": f"/run/slipway-sandbox/{identity}/ssh",
    }


def inventory(cluster: dict[str, Any], state: Path) -> dict[str, Any]:
    """Return what Ansible reads: groups, and the variables of every host."""
    hostvars = {
        node["name"]: {"ansible_host": node["address"], "sandbox_container": node["id"]} for node in cluster["nodes"]
    }
    groups = {
        group: {"hosts": [node["name"] for node in cluster["nodes"] if node["role"] == group]} for group in GROUPS
    }
    return {
        "_meta": {"hostvars": hostvars},
        # The control node downloads for the nodes, so what it needs is not the nodes' alone.
        "all": {"children": ["slurm_cluster"], "vars": {"sandbox_directory": str(state), **cluster["vars"]}},
        "slurm_cluster": {"children": list(GROUPS), "vars": connection(state, cluster["name"])},
        **groups,
    }


def main(arguments: list[str], repository: Path = REPOSITORY) -> int:
    """Print the inventory, or the variables of one host."""
    state = state_directory(repository, os.environ.get("SANDBOX_NAME") or "slipway")
    try:
        cluster = json.loads((state / "cluster.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        sys.stderr.write(f"{NOT_RUNNING}\n")
        return 1
    answer = inventory(cluster, state)
    if arguments[:1] == ["--host"]:
        answer = answer["_meta"]["hostvars"].get(arguments[1], {})
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
