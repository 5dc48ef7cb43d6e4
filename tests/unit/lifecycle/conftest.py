"""A node laid out below a temporary directory, and a hook that runs on it without Ansible."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lifecycle import playbook as edge
from lifecycle import run as hooks
from lifecycle.fitness import Space
from lifecycle.node import Node
from lifecycle.playbook import Result
from lifecycle.waits import Clock

GIBIBYTE = 1 << 30
DEBIAN = 'ID=debian\nVERSION_ID="12"\n'
RESOURCE_CONFIG = "/opt/ml/config/resource_config.json"
CFNCONFIG = "/etc/parallelcluster/cfnconfig"


class FakeClock(Clock):
    """Time passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.time, self.naps = 0.0, []
        super().__init__(lambda: self.time, self.nap, lambda: 1_800_000_000 + self.time)

    def nap(self, seconds: float) -> None:
        assert seconds >= 0
        self.naps.append(seconds)
        self.time += seconds
        for moment, action in sorted(self.later.items()):
            if moment <= self.time:
                del self.later[moment]
                action()

    @property
    def later(self) -> dict[float, Callable[[], Any]]:
        return self.__dict__.setdefault("events", {})


class FakeNode(Node):
    """A node whose files are real, and whose kernel and network are values."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.uid = 0
        self.addresses = [("lo", "127.0.0.1"), ("ens5", "10.1.66.201")]
        self.identifier = ""
        self.units: dict[str, str] = {}
        self.instance_store = False
        self.known_hosts = {"github.com"}
        self.listening: set[tuple[str, int]] = set()
        self.spaces: dict[str, Space] = {}

    user = property(lambda self: self.uid)  # type: ignore[assignment]
    name = "ip-10-1-66-201"  # type: ignore[assignment]

    def interfaces(self):
        return self.addresses

    def instance_identifier(self):
        return self.identifier

    def unit_state(self, unit):
        return self.units.get(unit, "")

    def has_instance_store(self):
        return self.instance_store

    def resolves(self, host):
        return host in self.known_hosts

    def answers(self, host, port):
        return (host, port) in self.listening

    def space(self, absolute):
        return self.spaces.get(absolute, Space(absolute, 50 * GIBIBYTE, 100 * GIBIBYTE, 10**6, 2 * 10**6))

    def write(self, absolute: str, content: Any) -> Path:
        """Put a file on the node; what is neither text nor bytes becomes JSON."""
        path = self.path(absolute)
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path


@dataclass
class Outcome:
    """How a hook ended."""

    code: int
    lines: list[str]
    report: dict[str, Any]
    runs: list[dict[str, Any]]
    clock: FakeClock

    @property
    def last(self) -> str:
        return self.lines[-1]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass
class Bench:
    """Runs hooks on one fake node."""

    node: FakeNode
    clock: FakeClock
    site: Path
    capsys: Any
    results: list[Result] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    on_run: Callable[[dict[str, Any]], None] = lambda _run: None

    def play(self, playbook, inventory, variables, group_variables, limit, directory, say, **options) -> Result:
        run = {"playbook": playbook.stem, "inventory": inventory, "variables": variables, "limit": limit, **options}
        self.runs.append(run)
        self.on_run(run)
        return self.results.pop(0) if self.results else Result("successful")

    def __call__(self, *arguments: str, environment: dict[str, str] | None = None) -> Outcome:
        self.runs.clear()
        self.capsys.readouterr()
        variables = {"SLIPWAY_SITE_DIRECTORY": str(self.site), "SLIPWAY_HOOK_DIRECTORY": str(self.site)}
        code = hooks.run(list(arguments), {**variables, **(environment or {})}, self.node, self.clock)
        lines = self.capsys.readouterr().out.splitlines()
        reports = sorted(self.node.path("/var/log/slipway").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
        report = json.loads(reports[-1].read_text()) if reports else {}
        return Outcome(code, lines, report, list(self.runs), self.clock)


@pytest.fixture
def hook(tmp_path, monkeypatch, capsys) -> Bench:
    """A bare Debian node of no platform, as root, with a site that sets nothing."""
    node = FakeNode(tmp_path / "node")
    node.write("/etc/os-release", DEBIAN)
    site = tmp_path / "site"
    (site / "group_vars" / "all").mkdir(parents=True)
    bench = Bench(node, FakeClock(), site, capsys)
    monkeypatch.setattr(edge, "run", bench.play)
    return bench


def machine(name: str, address: str | None, identifier: str) -> dict[str, Any]:
    return {
        "InstanceName": name,
        "CustomerIpAddress": address,
        "AgentIpAddress": "172.16.1.1",
        "InstanceId": identifier,
    }


def resource_config(**more: Any) -> dict[str, Any]:
    """resource_config.json in the shape of the HyperPod pages; this node is workers-p5-1."""
    return {
        "ClusterConfig": {"ClusterName": "ml-prod", "ClusterArn": "arn:aws:sagemaker:us-west-2:1:cluster/a"},
        "InstanceGroups": [
            {
                "Name": "controller-machine",
                "InstanceType": "ml.c5.4xlarge",
                "Instances": [machine("controller-machine-1", "10.1.4.10", "i-0aaa")],
            },
            {
                "Name": "login-group",
                "InstanceType": "ml.m5.4xlarge",
                "Instances": [machine("login-group-1", "10.1.7.31", "i-0bbb")],
            },
            {
                "Name": "workers-p5",
                "InstanceType": "ml.p5.48xlarge",
                "Instances": [
                    machine("workers-p5-1", "10.1.66.201", "i-0ccc"),
                    machine("workers-p5-2", "10.1.70.15", "i-0ddd"),
                ],
            },
            {"Name": "workers-g5-spare", "InstanceType": "ml.g5.8xlarge", "Instances": None},
        ],
        **more,
    }


def provisioning_parameters(**more: Any) -> dict[str, Any]:
    return {
        "version": "1.0.0",
        "workload_manager": "slurm",
        "controller_group": "controller-machine",
        "login_group": "login-group",
        "worker_groups": [{"instance_group_name": "workers-p5", "partition_name": "p5"}],
        **more,
    }


@pytest.fixture
def hyperpod(hook: Bench) -> Bench:
    """A HyperPod compute node, with Slurm on it and the controller answering."""
    hook.node.write(RESOURCE_CONFIG, resource_config())
    (hook.site / "provisioning_parameters.json").write_text(json.dumps(provisioning_parameters()))
    hook.node.write("/opt/slurm/bin/srun", "")
    hook.node.listening.add(("10.1.4.10", 6817))
    return hook


@pytest.fixture
def parallelcluster(hook: Bench) -> Bench:
    """A ParallelCluster compute node with /opt/slurm mounted from the head."""
    hook.node.write(CFNCONFIG, cfnconfig())
    hook.node.write("/opt/slurm/bin/srun", "")
    hook.node.write("/proc/self/mountinfo", "40 1 0:50 / /opt/slurm rw - nfs4 10.0.1.5:/opt/slurm rw\n")
    return hook


def cfnconfig(node_type: str = "ComputeFleet") -> str:
    return (
        'stack_name=ml\ncfn_region=us-east-1\ncfn_node_type=%s\ncfn_cluster_user="ubuntu"\ncfn_ephemeral_dir=/scratch\n'
        'cfn_postinstall="/opt/parallelcluster/scripts/fetch_and_run -postinstall -c /x/y=z"\n'
        "cfn_postinstall_args=(--profile 'gpu node' a=b)\ncfn_proxy=NONE\ncfn_head_node=ip-10-0-1-5\n"
        "cfn_head_node_private_ip=10.0.1.5\ncfn_scheduler_queue_name=p5\n" % node_type
    )


def as_controller(bench: Bench) -> Bench:
    """Turn the HyperPod node into the controller."""
    bench.node.addresses = [("ens5", "10.1.4.10")]
    bench.node.write("/opt/slurm/etc/slurm.conf", "ClusterName=x\n")
    return bench
