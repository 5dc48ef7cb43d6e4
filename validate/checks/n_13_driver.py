"""N-13: one driver version: the loaded module, its file, and the libraries."""

from __future__ import annotations

import re
from typing import Any

from validate import smi
from validate.model import Check, Context, Finding, compare, failed, passed, undecided
from validate.probing import Node

CHECK = Check(
    id="N-13",
    title="driver consistent",
    tier="quick",
    step="host",
    cause="the driver was upgraded and the module not reloaded (nct#394)",
    fix="reboot the node; hold the driver's packages",
    after=("N-04",),
    needs=("nvidia",),
)


def observe(node: Node) -> Any:
    """Read the three versions."""
    loaded = re.search(r"Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)", node.read("/proc/driver/nvidia/version") or "")
    queried = node.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], 8)
    answered = queried.code in smi.ANSWERED
    module = node.run(["/usr/sbin/modinfo", "-F", "version", "nvidia"], 5)
    return {
        "loaded": loaded.group(1) if loaded else "",
        "queried": sorted({row[0] for row in smi.csv(queried.stdout)}) if answered else queried.text[:300],
        "module": module.stdout.strip() if module.code == 0 else "",
    }


def judge(observed: Any, context: Context) -> Finding:
    """They are equal, and the same on the other nodes."""
    if isinstance(observed["queried"], str):
        return failed(observed["queried"] or "nvidia-smi said nothing", "a driver version from nvidia-smi")
    versions = {observed["loaded"], *observed["queried"], observed["module"]} - {""}
    if len(versions) != 1:
        libraries = " ".join(observed["queried"])
        said = f"loaded {observed['loaded'] or 'none'}, libraries {libraries}, file {observed['module'] or 'none'}"
        return failed(said, "one version")
    beside = compare(context.fleet, driver(observed), driver)
    if beside.other:
        wanted = f"{beside.other['driver'].usual}, {beside.on}"
        fix = f"install {beside.other['driver'].usual}, libraries and kernel module, and hold its packages; then reboot"
        return failed(observed["loaded"], wanted, "another driver than on the other nodes", fix)
    if beside.split:
        return undecided(beside, "install the driver that the site means on both, and hold its packages; then reboot")
    return passed(observed["loaded"])


def driver(seen: Any) -> dict[str, str]:
    """Return the loaded driver's version."""
    return {"driver": seen["loaded"]}
