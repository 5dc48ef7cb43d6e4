"""L-01: no container of a job that is gone lies on the node, and none of docker's runs outside of jobs."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from validate import reading, slurm
from validate.model import Check, Context, Finding, errored, failed, over, passed, warned
from validate.probing import Node

CHECK = Check(
    id="L-01",
    title="no stale containers before",
    tier="quick",
    step="host",
    cause="jobs that were killed leave their containers' trees behind (pyxis#161)",
    fix="enroot remove NAME as their owner; clean up in the epilog",
    after=("N-05", "N-30", "N-10"),
    seconds=30,
)


# pyxis names a container after its job, and so the image that it imports for one.
NAME = re.compile(r"pyxis_(\d+)(?:[._].*)?$")
IMAGE = re.compile(r"(\d+)\.\d+\.squashfs$")
FORMAT = "{{.Name}} {{.Config.Image}} {{.HostConfig.RestartPolicy.Name}}"


def observe(node: Node) -> Any:
    """List unpacked containers and images of this account, or with root of every one, and what docker runs."""
    places = [reading.enroot_paths(node)[key] for key in ("ENROOT_DATA_PATH", "ENROOT_RUNTIME_PATH")]
    for line in slurm.plugstack(node)["pyxis"][:1]:
        places.append(f"{slurm.runtime_path(line)}/{os.getuid()}")
    found = [name for place in dict.fromkeys(places) for name in listed(node, place)]
    jobs = node.run(["squeue", "-h", "-o", "%A"], 8)
    docker = services(node) if node.which("docker") else []
    return {"names": found[:200], "jobs": jobs.stdout.split() if jobs.code == 0 else None, "docker": docker}


def listed(node: Node, place: str) -> list[str]:
    """Return the names in a directory, and with root those in its like of other accounts, as ACCOUNT/NAME."""
    try:
        found = sorted(os.listdir(place))  # noqa: PTH208 - names are all that is wanted
    except OSError:
        found = []
    path, own = Path(place), str(os.getuid())
    if "root" not in node.settings.get("allow", ()) or own not in path.name:
        return found
    become = [] if os.getuid() == 0 else ["sudo", "-n"]
    words = [*become, "find", str(path.parent), "-mindepth", "2", "-maxdepth", "2", "-printf", "%P\\n"]
    lines = node.run(words, 8).stdout.splitlines()
    return found + sorted(line for line in lines if line.partition("/")[0] != path.name)


def services(node: Node) -> list[str]:
    """Return docker's containers that run and that nothing starts again: name and image."""
    running = node.run(["docker", "ps", "-q"], 4).stdout.split()
    if not running:
        return []
    lines = node.run(["docker", "inspect", f"--format={FORMAT}", *running[:50]], 4).stdout.splitlines()
    words = [line.split() for line in lines]
    # What docker itself starts again is a service of the site: an exporter, an agent.
    return [" ".join(word[:2]).lstrip("/") for word in words if word[2:] in ([], ["no"])]


def judge(observed: Any, context: Context) -> Finding:
    """Every pyxis container belongs to a job that lives; docker runs nothing but what it does on other nodes."""
    if observed["jobs"] is None:
        return errored("squeue did not say which jobs live")
    last = {name: name.rpartition("/")[2] for name in observed["names"]}
    matches = [(name, NAME.match(last[name]) or IMAGE.match(last[name])) for name in observed["names"]]
    stale = [name for name, match in matches if match and match.group(1) not in observed["jobs"]]
    if stale:
        images = all(IMAGE.match(last[name]) for name in stale)
        return failed(
            f"{len(stale)} without a job: {', '.join(stale[:5])}",
            "none without a job",
            "jobs that were killed leave the images behind that pyxis imported for them" if images else "",
            "rm them in pyxis's runtime_path (plugstack.conf); clean up in the epilog" if images else "",
        )
    # Only this run's job is on the node. What most nodes have belongs to the site.
    usual = over(context.fleet, usual_services)
    alone = [name for name in observed.get("docker", ()) if name not in usual]
    if alone:
        return warned(
            f"docker runs {', '.join(alone[:5])}",
            "no container of docker's outside of a job",
            "somebody started it by hand, or in a job that is gone: it holds cores, memory and GPUs of others' jobs",
            f"docker inspect NAME; docker stop {' '.join(name.split()[0] for name in alone[:5])}; a service of the "
            "site has --restart=always",
        )
    return passed(f"{len(observed['names'])} containers, none of a dead job" if observed["names"] else "none")


def usual_services(fleet: list[Any]) -> set[str]:
    """Return what docker runs on more than half of the nodes; of two nobody can say."""
    counts = Counter(name for seen in fleet for name in set(seen.get("docker", ())))
    return {name for name, count in counts.items() if len(fleet) > 2 and 2 * count > len(fleet)}
