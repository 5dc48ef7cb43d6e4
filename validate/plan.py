"""Which steps run where: chunks, the order for the launcher, and what a dry run prints. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from validate import allocation, bundle, kinds, probing
from validate.catalogue import Entry
from validate.errors import CannotStart
from validate.model import MINUTES, PERMISSIONS, STEPS, WORKLOADS
from validate.settings import Settings

# Seconds of a step's launch; only the forecast uses them.
LAUNCH = 2.0
# Steps that start containers, by pyxis or by the checks themselves.
CONTAINED = {"container", "one_gpu", "nested", "sample", "group"}
EXPORTED = "SLIPWAY_VALIDATE"
MOUNTS = "{scratch}:/validate/rw,{scratch}:/validate/ro:ro"


@dataclass(frozen=True)
class Plan:
    """What will be done: ``chunks`` are nodes and salloc options, ``idle`` the nodes that Slurm gives to nobody."""

    chunks: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    unusable: list[str]
    program: list[str]
    gpus: int
    nodes: int = 0
    tier: str = "quick"
    usual: Mapping[str, float] = field(default_factory=dict)

    @property
    def costs(self) -> list[tuple[int, float]]:
        """Return each chunk's GPUs and the seconds for which it is expected to have them."""
        found, sampled = [], set[str]()
        for chunk in self.chunks:
            steps = [step["step"] for step in self.steps for _on in _where(step, chunk, sampled)]
            sampled.update(chunk["alike"].values())
            found.append((chunk["gpus"], LAUNCH + sum(LAUNCH + self.usual.get(step, 0) for step in steps)))
        return found

    @property
    def forecast(self) -> float:
        """Return the expected seconds; chunks run side by side, the submit hosts' own checks afterwards."""
        return max((seconds for _gpus, seconds in self.costs), default=0.0) + self.usual.get("submit", 0)

    @property
    def ceiling(self) -> float:
        """Return the seconds after which every job has been stopped, whatever happens: Slurm has a bound as well."""
        whole = sum(step["launch"] + step["seconds"] + 10 for step in self.steps) * 2
        return float(min(whole, MINUTES[self.tier] * 60))

    @property
    def gpu_hours(self) -> float:
        """Return what the forecast costs."""
        return sum(gpus * seconds for gpus, seconds in self.costs) / 3600


def step_options(step: str, settings: Settings) -> list[str]:
    """Return the srun options of a step."""
    container = [f"--container-image={settings.image}", f"--container-mounts={MOUNTS}"]
    # C-13 looks for it inside.
    exported = f"--export=ALL,{EXPORTED}={{scratch}}"
    return {"container": [*container, exported], "one_gpu": ["--gres=gpu:1", *container]}.get(step, [])


def measurable(entries: Mapping[str, Entry], settings: Settings) -> dict[str, Entry]:
    """Return the checks that this run may make: without a right, a workload or the hardware nothing is tried."""
    has = kinds.load(settings.profiles)[settings.kind].has if settings.kind else None
    given = {*settings.allow, *settings.workloads}

    def may(need: str) -> bool:
        return need in given if need in (*PERMISSIONS, *WORKLOADS) else has is None or need in has

    return {name: entry for name, entry in entries.items() if all(may(need) for need in entry.check.needs)}


def program_of(entries: Mapping[str, Entry]) -> list[str]:
    """Return the probe with these checks, as arguments of ``python3 -I -c``."""
    checks = {entry.module: entry.source for entry in entries.values()}
    return bundle.arguments(bundle.program(bundle.sources(bundle.PROBE, checks), "validate.probe:main"))


def step_order(step: str, entries: Mapping[str, Entry], settings: Settings) -> dict[str, Any]:
    """Return a step's part of an order."""
    inside = step in allocation.INSIDE
    # Where the checks start containers by themselves, slow starts are theirs.
    more = probing.slower(settings.record()) if step in CONTAINED and not inside else 0
    checks: list[dict[str, Any]] = [
        {"id": entry.check.id, "module": f"validate.checks.{entry.module}", "seconds": entry.check.seconds + more}
        for entry in entries.values()
        if entry.check.step == step
    ]
    bounds = [item["seconds"] for item in checks]
    return {
        "step": step,
        "checks": checks,
        # Each check has its own bound, which the step leaves to it; all of them together are rarely reached.
        "seconds": 20 + max([sum(bounds) / 2, *bounds]),
        "settings": settings.record(),
        "options": step_options(step, settings),
        "launch": settings.container_start if inside else 30,
        "grace": settings.container_start / 2 if inside else 15,
    }


def make(nodes: Sequence[Mapping[str, Any]], entries: Mapping[str, Entry], settings: Settings) -> Plan:
    """Return the plan for these nodes; CannotStart where it needs an image and none is named."""
    entries = measurable(entries, settings)
    wanted = {entry.check.step for entry in entries.values()}
    if wanted & CONTAINED and not settings.image:
        raise CannotStart(
            "no image: set validate_image in the inventory, or --image, to one that holds python3 and is another "
            "operating system than the nodes', for example a path of a .sqsh file that every node sees"
        )
    usable = [node for node in nodes if not node["unusable"]]
    groups: dict[tuple[int, str, bool, str, str], list[Mapping[str, Any]]] = {}
    for node in usable:
        # A node with jobs on it would make the others of its chunk wait.
        busy = node["state"] not in ("idle", "unknown")
        # Not every node is in the default partition, which comes first where one is.
        partition = settings.partition or next(iter(node.get("partitions") or ()), "")
        # What the suite drained is reserved for it while it is tried again.
        reservation = node.get("reservation") or settings.reservation
        key = (node["gpus"], node.get("hardware", ""), busy, partition, reservation)
        groups.setdefault(key, []).append(node)
    chunks = [
        {
            "nodes": [node["name"] for node in part],
            "gpus": gpus * len(part),
            "options": allocation_options(gpus, replace(settings, partition=partition, reservation=reservation)),
            "alike": {node["name"]: kinds.likeness(node) for node in part},
            "leaves": {node["name"]: node["leaf"] for node in part if node.get("leaf")},
        }
        for (gpus, _hardware, busy, partition, reservation), members in groups.items()
        for part in by_leaf(members, 1 if busy else settings.chunk_size)
    ]
    steps = [
        step_order(step, entries, settings)
        for step in STEPS
        if step != "submit" and (step in ("host", "after") or step in wanted)
    ]
    if all(not node["gpus"] for node in usable):
        steps = [step for step in steps if step["step"] != "one_gpu"]
    return Plan(
        chunks=chunks,
        steps=steps,
        unusable=[node["name"] for node in nodes if node["unusable"]],
        # A submit host gets a program of its own.
        program=program_of({name: entry for name, entry in entries.items() if entry.check.step != "submit"}),
        gpus=sum(node["gpus"] for node in usable),
        nodes=len(usable),
        tier=settings.tier,
        usual={step: sum(item.check.usual for item in entries.values() if item.check.step == step) for step in wanted},
    )


def by_leaf(nodes: Sequence[Mapping[str, Any]], size: int) -> list[list[Mapping[str, Any]]]:
    """Return chunks of at most ``size``: leaf switches whole where they fit, small ones together.

    A node of which Slurm does not know the switch goes wherever there is room.
    """
    leaves: dict[str, list[Mapping[str, Any]]] = {}
    for node in nodes:
        leaves.setdefault(node.get("leaf") or f"node {node['name']}", []).append(node)
    chunks: list[list[Mapping[str, Any]]] = []
    for members in leaves.values():
        for part in (members[at : at + size] for at in range(0, len(members), size)):
            if chunks and len(chunks[-1]) + len(part) <= size:
                chunks[-1] = [*chunks[-1], *part]
            else:
                chunks.append(part)
    return chunks


def allocation_options(gpus: int, settings: Settings) -> list[str]:
    """Return what a chunk asks of Slurm: whole nodes, with all their GPUs and memory, for a bounded time."""
    found = ["--ntasks-per-node=1", "--exclusive", "--mem=0", f"--time={MINUTES[settings.tier]}"]
    if gpus:
        found.append(f"--gres=gpu:{gpus}")
    for name in ("partition", "account", "reservation"):
        value = getattr(settings, name)
        if value:
            found.append(f"--{name}={value}")
    return found


def order(plan: Plan, settings: Settings, nonce: str) -> dict[str, Any]:
    """Return the launcher's order."""
    return {
        "action": "launch",
        "nonce": nonce,
        "job": f"validate-{nonce}",
        "immediate": settings.immediate,
        "program": plan.program,
        "chunks": plan.chunks,
        "steps": plan.steps,
    }


def dry_run(plan: Plan, settings: Settings) -> str:
    """Return nodes, the exact commands, the expected time and the GPU-hours."""
    lines = [f"{plan.nodes} nodes in {len(plan.chunks)} allocations, {len(plan.steps)} steps each"]
    if plan.unusable:
        lines.append(f"not run on (Slurm gives them to nobody): {', '.join(plan.unusable)}")
    sampled: set[str] = set()
    for chunk in plan.chunks:
        salloc = ["salloc", "--no-shell", "--job-name=validate-RUN", f"--immediate={settings.immediate}"]
        salloc += [f"--nodes={len(chunk['nodes'])}", f"--nodelist={','.join(chunk['nodes'])}", *chunk["options"]]
        lines.append(f"  {shlex.join(salloc)}")
        lines += [f"    {_step_line(step, on)}" for step in plan.steps for on in _where(step, chunk, sampled)]
        sampled.update(chunk["alike"].values())
    lines.append(
        f"expected: {plan.forecast:.0f} s, {plan.gpu_hours:.2f} GPU-hours of {plan.gpus} GPUs; "
        f"at most {plan.ceiling / 60:.0f} minutes an allocation"
    )
    return "\n".join(lines)


def _where(step: Mapping[str, Any], chunk: Mapping[str, Any], sampled: set[str]) -> list[list[str]]:
    """Return the nodes of each srun that the launcher starts for a step where all nodes of the chunk answer."""
    nodes: list[str] = chunk["nodes"]
    if step["step"] == "sample":
        first = {chunk["alike"][node]: node for node in reversed(nodes)}
        return [[node] for alike, node in first.items() if alike not in sampled]
    if step["step"] == "group":
        return [nodes[:1]] if len(nodes) > 1 else []
    return [nodes]


def _step_line(step: Mapping[str, Any], nodes: Sequence[str]) -> str:
    """Return a step's command, with what it is for."""
    scratch = allocation.SCRATCH.format(job="JOB", run="RUN")
    words = allocation.srun_words("JOB", nodes, [option.replace("{scratch}", scratch) for option in step["options"]])
    checks = ", ".join(item["id"] for item in step["checks"]) or "cleaning up"
    return f"{shlex.join(words)} python3 -I -c PROBE   # {step['step']}: {checks}"
