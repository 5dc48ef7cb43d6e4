"""C-01: a container job really ran inside its image."""

from __future__ import annotations

from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-01",
    title="it really ran inside",
    tier="quick",
    step="container",
    cause="this node's slurmd runs without pyxis, so that the job ran on the node itself (pyxis#84)",
    fix="playbooks/site.yml installs it here, playbooks/reconfigure.yml has slurmd load it",
    after=("N-33", "N-05", "N-06", "N-08", "N-09", "N-10", "N-11", "N-12", "N-28", "N-30", "H-08"),
)


SYSTEM_MOUNTS = "/etc/enroot/mounts.d/10-system.fstab"
UNMOUNTED = (
    f"enroot mounts nothing of the system into containers: its own {SYSTEM_MOUNTS} is missing, emptied or edited here",
    f"ls -l {SYSTEM_MOUNTS}, here and on a good node; scp GOOD:{SYSTEM_MOUNTS} {SYSTEM_MOUNTS}",
)


def observe(node: Node) -> Any:
    """Say which system this is; the step's first record already holds it."""
    return {"release": node.release(), "root": reading.root_mount(node)}


def judge(observed: Any, context: Context) -> Finding:
    """Another root file system than the node's own."""
    outside, inside = (context.steps[step]["hello"] for step in ("host", "container"))
    # What reads no mounts knows no difference.
    if observed["root"] == ":" != outside["root"]:
        return failed("no /proc in the container", "the node's /proc, mounted by enroot", *UNMOUNTED)
    if ":" in (observed["root"], outside["root"]):
        return errored("no /proc on the node: what is mounted on / is not known")
    if observed["root"] == outside["root"]:
        return failed(
            f"{observed['release']} on {observed['root']}, which is the node itself", "the image's own system"
        )
    if outside["hostname"] != inside["hostname"]:
        return failed(inside["hostname"], outside["hostname"], "another host answered")
    return passed(f"{observed['release']} in the image, {outside['release']} on the node")
