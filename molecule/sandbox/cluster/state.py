"""`cluster.json`: what other parts of the project may know about a running sandbox."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .errors import SandboxError

FILE = "cluster.json"
NOT_RUNNING = "no sandbox is running: run `make sandbox`"


@dataclass(frozen=True)
class Node:
    name: str
    role: str
    address: str
    id: str


@dataclass(frozen=True)
class Cluster:
    name: str
    distribution: str
    cgroup: str
    network: str
    nodes: tuple[Node, ...]
    vars: dict[str, Any] = field(default_factory=dict)

    def node(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        names = ", ".join(node.name for node in self.nodes)
        raise SandboxError(f"no node is named {name}: this sandbox has {names}")

    def of_role(self, role: str) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.role == role)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    temporary.replace(path)


def save(directory: Path, cluster: Cluster) -> None:
    write_atomically(directory / FILE, json.dumps(asdict(cluster), indent=2) + "\n")


def load(directory: Path) -> Cluster | None:
    try:
        text = (directory / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        data = json.loads(text)
        nodes = tuple(Node(**node) for node in data.pop("nodes"))
        return Cluster(nodes=nodes, **data)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SandboxError(
            f"{directory / FILE} cannot be read ({error}): run `make sandbox`, which rewrites it"
        ) from error


def require(directory: Path) -> Cluster:
    cluster = load(directory)
    if cluster is None:
        raise SandboxError(NOT_RUNNING)
    return cluster
