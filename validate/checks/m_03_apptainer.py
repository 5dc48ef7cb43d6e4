"""M-03: many Apptainer containers on each node are ranks of one job (ALCF's form)."""

from __future__ import annotations

import re
from typing import Any

from validate import ranks, slurm
from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="M-03",
    title="apptainer containers under the launcher",
    tier="standard",
    step="group",
    cause="the directory of Slurm's PMIx server is not bound into the container, so that each is rank 0 of 1; or the "
    "image's MPI is of another ABI: libmpi.so.40 not found",
    fix="apptainer exec -B the directory of SlurmdSpoolDir; an image with the ABI of the site's MPI (MPICH)",
    after=("A-06", "A-02", "H-06", "M-02"),
    beside=("M-02",),
    seconds=140,
)


TASKS = 16


def observe(node: Node) -> Any:
    """Start as many on every node as it has cores, at most sixteen."""
    image, each = str(node.settings.get("image") or ""), min(TASKS, node.cores())
    if not node.which("apptainer") or not image.startswith("/"):
        return {name: {"nodes": 0} for name in node.nodes}
    config = node.run(["scontrol", "show", "config"], 8).stdout
    spool = re.sub(r"/?%[nh].*$", "", slurm.setting(config, "SlurmdSpoolDir")) or "/var/spool/slurmd"
    options = ["--overlap", f"--ntasks={each * len(node.nodes)}", f"--ntasks-per-node={each}", "--mpi=pmix"]
    words = ["apptainer", "--silent", "exec", "--bind", spool, image, *ranks.WORDS]
    output = node.srun(options, words, 120, nodes=node.nodes)
    tasks, size = ranks.read(output.stdout), each * len(node.nodes)
    fault = ranks.fault(tasks, range(size), size)
    count = {name: len([task for task in tasks if task.get("host") == name]) for name in node.nodes}
    short = [name for name in node.nodes if count[name] < each]
    return {
        name: {"nodes": len(node.nodes), "each": each, "fault": fault, "said": output.stderr[-1000:] if fault else "",
               "short": short, "count": count[name]} for name in node.nodes
    }  # fmt: skip


def judge(observed: Any, context: Context) -> Finding:
    """Every rank once."""
    if "apptainer" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name apptainer")
    if not observed["nodes"]:
        return skipped("no apptainer on the group's first node, or validate_image is no file")
    size = observed["nodes"] * observed["each"]
    said = f"{observed['count']} of {observed['each']} tasks of this node answered"
    if not observed["fault"] and observed["count"] == observed["each"]:
        return passed(f"{said}, {size} in all")
    short = observed.get("short") or []
    group = context.others.get("M-02") or {}
    # Apptainer has nothing to do with it where a step of another runtime does not begin over all of them either.
    if not observed["count"] and len(short) == observed["nodes"] and group.get("well") is False and not group["tasks"]:
        return skipped("no step over the whole group begins: M-02 says which nodes do not reach each other")
    if observed["count"] == observed["each"] and short and context.node not in short:
        return passed(f"{said}; the group of {observed['nodes']} is not well: tasks are missing on {', '.join(short)}")
    return failed(f"{said}; {observed['fault']} {observed['said'].strip()[-300:]}".strip(), f"{size} ranks")
