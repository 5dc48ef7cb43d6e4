"""Stored results without a fault: a sandbox's nodes, the same with every runtime, and nodes with H100 or A100."""

from __future__ import annotations

import copy
from typing import Any

from tests.unit.validate.conftest import NOW, cluster
from validate.catalogue import load

COUNT = 8
UUIDS = [f"GPU-{number}f2a0c1d-0000-0000-0000-000000000000" for number in range(COUNT)]


def rows(*fields: str) -> dict[str, Any]:
    """Return what nvidia-smi prints with the same fields for every GPU."""
    return {"code": 0, "stdout": "".join(f"{number}, {', '.join(fields)}\n" for number in range(COUNT)), "stderr": ""}


# In the form that NVIDIA's documentation shows; no GPU was at hand, and none of it was recorded.
NVIDIA: dict[str, Any] = {
    "N-04": {
        "code": 0, "stderr": "", "seconds": 1.2,
        "stdout": "".join(f"{number}, {uuid}, NVIDIA H100 80GB HBM3\n" for number, uuid in enumerate(UUIDS)),
    },
    "N-13": {"loaded": "550.90.07", "queried": ["550.90.07"], "module": "550.90.07"},
    "N-14": {"exists": True, "character": True},
    "N-15": {"code": 0, "stdout": "".join(f"GPU UUID:       {uuid}\n" for uuid in UUIDS), "stderr": ""},
    "N-16": rows("Enabled"),
    "N-17": {"code": 0, "fabric": [["Completed", "Success"]] * COUNT, "stderr": ""},
    "N-18": {"code": 1, "stdout": "", "stderr": ""},
    "N-19": rows("0", "No", "No"),
    "N-20": rows("16", "16"),
    "N-23": rows("4"),
    "C-02": {"openable": [f"nvidia{number}" for number in range(COUNT)], "uuids": UUIDS},
    "C-04": [{"device": "NVIDIA H100 80GB HBM3", "wrong": 0, "seconds": 0.2}] * COUNT,
}  # fmt: skip


def simulated() -> dict[str, Any]:
    """Return ten nodes as the sandbox has them."""
    return cluster(10)


def nvidia() -> dict[str, Any]:
    """Return ten nodes with eight GPUs each, and the checks of which a good observation is at hand."""
    document = cluster(10)
    document["settings"].update(kind="nvidia_h100", allow=["root"])
    entries = load()
    for name, host in document["hosts"].items():
        for check, observed in NVIDIA.items() if name != "login1" else ():
            step = entries[check].check.step
            host["checks"][check] = {
                "check": check, "step": step, "seconds": 0.1, "received": NOW, "observed": observed,
            }  # fmt: skip
    measured = {check for host in document["hosts"].values() for check in host["checks"]}
    document["checks"] = [check for check in document["checks"] if check in measured]
    return document


def a100() -> dict[str, Any]:
    """Return the same with A100, of whose fabric nvidia-smi says nothing."""
    document = nvidia()
    document["settings"]["kind"] = "nvidia_a100"
    names = "".join(f"{number}, {uuid}, NVIDIA A100-SXM4-80GB\n" for number, uuid in enumerate(UUIDS))
    for host in document["hosts"].values():
        if "N-17" in host["checks"]:
            host["checks"]["N-17"]["observed"] = {**NVIDIA["N-17"], "fabric": [["N/A", "N/A"]] * COUNT, "whole": True}
            host["checks"]["N-04"]["observed"] = {**NVIDIA["N-04"], "stdout": names}
    return document


RUNTIMES: dict[str, Any] = {
    "N-05": {
        "srun": "/usr/bin/srun", "enroot": "/usr/bin/enroot", "docker": "/usr/bin/docker",
        "apptainer": "/usr/bin/apptainer", "nvidia-container-cli": "",
    },
    "D-01": {
        "installed": True, "group": True, "member": True, "in_job": True, "code": 0, "stdout": "", "stderr": "",
        "daemon": "active", "gone": "", "containerd": "active", "containerd_seen": True,
        "starters": {"runc": True, "containerd-shim-runc-v2": True},
    },
    "A-06": {
        "version": "apptainer version 1.4.5", "mode": "userns", "subids": ["subuid", "subgid"], "problem": "",
        "ranges": {"subuid": "65536 ids", "subgid": "65536 ids"},
        "mapping": dict.fromkeys(("newuidmap", "newgidmap"), "setuid or with capabilities"),
    },
}  # fmt: skip


def runtimes() -> dict[str, Any]:
    """Return the sandbox's nodes with Docker and Apptainer."""
    document = cluster(10)
    document["settings"]["runtimes"] += ["docker", "apptainer"]
    for name, host in document["hosts"].items():
        for check, observed in RUNTIMES.items() if name != "login1" else ():
            host["checks"][check]["observed"] = copy.deepcopy(observed)
    return document


BASES = {"simulated": simulated, "runtimes": runtimes, "nvidia": nvidia, "a100": a100}
