"""The probe: runs the checks of one step on one node and writes each record as soon as it is there.

Python 3.9, standard library. Each check observes in a process of its own, which is killed at its time limit: one
hung mount or driver costs one record, not the others.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import select
import shutil
import signal
import socket
import stat
import sys
import time
from pathlib import Path
from typing import Any

from validate import reading
from validate.framing import encode
from validate.probing import Node, nothing

SCHEMA = 1
VENDORS = {"0x10de": "nvidia", "0x1002": "amd", "0x1d0f": "neuron"}


class Stream:
    """Where records go: standard output, one frame after the other."""

    def __init__(self, nonce: str, node: str, task: int) -> None:
        """Keep a descriptor of its own, so that a check that writes to stdout cannot tear a frame."""
        self.nonce, self.node, self.task, self.number = nonce, node, task, 0
        self.descriptor = os.dup(1)

    def write(self, content: dict[str, Any]) -> None:
        """Write one record; its key ``node`` says that it is another node's than the one that runs the probe."""
        self.number += 1
        data = encode(content, self.nonce, self.node, self.task, self.number)
        while data:
            data = data[os.write(self.descriptor, data) :]


def hardware(node: Node) -> dict[str, int]:
    """Return how many accelerators of each vendor are on the PCI bus (display and processing classes only)."""
    counts: dict[str, int] = {}
    for device in node.path("/sys/bus/pci/devices").glob("*"):
        where = f"/sys/bus/pci/devices/{device.name}"
        vendor = VENDORS.get((node.read(f"{where}/vendor") or "").strip())
        kind = (node.read(f"{where}/class") or "").strip()[:4]
        # 03 is a display controller, 12 a processing accelerator; Neuron devices call themselves 0x0880.
        if vendor and (kind in ("0x03", "0x12") or (vendor == "neuron" and kind == "0x08")):
            counts[vendor] = counts.get(vendor, 0) + 1
    return counts


def hello(node: Node, step: str, began: float) -> dict[str, Any]:
    """Return the first record: which host this is."""
    return {
        "hello": SCHEMA,
        "step": step,
        "hostname": socket.gethostname(),
        "user": os.getuid(),
        "python": "%d.%d.%d" % sys.version_info[:3],
        "kernel": os.uname().release,
        "machine": os.uname().machine,
        "release": node.release(),
        "boot": (node.read("/proc/sys/kernel/random/boot_id") or "").strip(),
        "hardware": hardware(node),
        "root": reading.root_mount(node),
        "job": os.environ.get("SLURM_JOB_ID", ""),
        "began": began,
        "epoch": time.time(),
    }


def observe(check: str, module: str, node: Node, seconds: float) -> dict[str, Any]:
    """Return a check's record: what was observed, or how observing it broke."""
    began = time.monotonic()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _observe_in_child(writer, module, node)
    os.close(writer)
    data, finished = _collect(reader, began + seconds)
    os.close(reader)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    _reap(child)
    record: dict[str, Any] = {"check": check, "seconds": round(time.monotonic() - began, 3)}
    if not finished:
        return {**record, "error": f"no answer within {seconds:g} s", "timeout": True}
    try:
        return {**record, **pickle.loads(data)}  # noqa: S301 - written by the child above
    except (EOFError, pickle.UnpicklingError):
        return {**record, "error": "the observing process was killed"}


def by_node(record: dict[str, Any], nodes: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the record of each node of a group: its check observes node -> observation, for all that it could."""
    seen = record.get("observed")
    if not isinstance(seen, dict):
        return [{**record, "node": name} for name in nodes]
    return [{**record, "observed": seen[name], "node": name} for name in nodes if name in seen]


def _observe_in_child(writer: int, module: str, node: Node) -> None:
    """Observe, write the answer into the pipe, and end without Python's own cleaning up."""
    try:
        os.setsid()
        # What a check prints by accident must not look like a record.
        null = nothing()
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        try:
            answer: dict[str, Any] = {"observed": importlib.import_module(module).observe(node)}
            json.dumps(answer)
        except Exception as error:  # noqa: BLE001 - whatever a check does becomes its record
            answer = {"error": f"{type(error).__name__}: {error}"}
        data = pickle.dumps(answer)
        while data:
            data = data[os.write(writer, data) :]
    finally:
        os._exit(0)


def _collect(reader: int, deadline: float) -> tuple[bytes, bool]:
    """Return what the child wrote, and whether it ended in time."""
    chunks: list[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reader], [], [], left)[0]:
            return b"", False
        chunk = os.read(reader, 65536)
        if not chunk:
            return b"".join(chunks), True
        chunks.append(chunk)


def _reap(child: int) -> None:
    """Wait for a killed child, but not for one that hangs in the kernel."""
    for _ in range(20):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(child, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
                continue
        return


def own(scratch: Path) -> None:
    """Make the scratch directory; SystemExit where somebody else made it, who could put anything in our way there.

    Where it cannot be made at all (a full disk), the checks that want it say so.
    """
    with contextlib.suppress(OSError):
        scratch.mkdir(mode=0o700)
    with contextlib.suppress(OSError):
        there = scratch.lstat()
        if not stat.S_ISDIR(there.st_mode) or there.st_uid != os.getuid() or there.st_mode & 0o077:
            sys.exit(f"error: {scratch} was there before, of uid {there.st_uid} with mode {there.st_mode & 0o7777:04o}")


def main() -> None:
    """Run as ``python3 -c PROGRAM … ORDER``: ORDER is JSON with nonce, step, checks, settings, scratch and seconds.

    It comes by stdin where it is no argument.
    """
    order = json.loads(sys.argv[1] if len(sys.argv) > 1 else sys.stdin.read())
    name = order.get("name") or os.environ.get("SLURMD_NODENAME") or socket.gethostname().partition(".")[0]
    stream = Stream(order["nonce"], name, int(os.environ.get("SLURM_PROCID", "0")))
    group = tuple(order.get("nodes", ()))
    node = Node(order["settings"], order.get("scratch", ""), name=name, nodes=group, leaves=order.get("leaves", {}))
    deadline = time.monotonic() + order["seconds"]
    if node.scratch and order["step"] == "host":
        own(Path(node.scratch))
    stream.write(hello(node, order["step"], order.get("began", 0.0)))
    for item in order["checks"]:
        left = deadline - time.monotonic()
        if left <= 0:
            late = f"not run: the {order['seconds']:g} s of the step were over"
            record = {"check": item["id"], "error": late, "timeout": True}
        else:
            record = observe(item["id"], item["module"], node, min(item["seconds"], left))
        for content in by_node(record, group) if order["step"] == "group" else [record]:
            stream.write({**content, "step": order["step"]})
    if node.scratch and order["step"] == "after":
        shutil.rmtree(node.scratch, ignore_errors=True)
    stream.write({"bye": len(order["checks"]), "step": order["step"]})
