"""C-14: a named container is used again in the same job, without unpacking the image."""

from __future__ import annotations

from typing import Any

from validate.model import CONTAINER_FILES, Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="C-14",
    title="named container is used again",
    tier="standard",
    step="nested",
    cause="the container is removed after each step: container_scope, or an epilog that runs too early (pyxis#123)",
    fix="container_scope in plugstack.conf's line of pyxis; enroot list on the node",
    after=("C-01", "N-07"),
    files=CONTAINER_FILES,
    seconds=130,
)


NAME = "slipway-validate"


def observe(node: Node) -> Any:
    """Leave a mark in the first container, and look for it in the second, which is given no image."""
    options = ["--overlap", "--ntasks=1", f"--container-name={NAME}", "--container-writable"]
    first = node.contained(["sh", "-c", "echo kept > /slipway-mark"], options)
    second = node.srun(options, ["cat", "/slipway-mark"]) if first.code == 0 else first
    names = [line.split()[0] for line in node.run(["enroot", "list"], 10).stdout.splitlines() if line.split()]
    for name in names:
        if name.startswith("pyxis_") and name.endswith(NAME):
            node.run(["enroot", "remove", "--force", name], 20)
    return {"first": first.record(), "second": second.record()}


def judge(observed: Any, context: Context) -> Finding:
    """The mark is there."""
    for which in ("first", "second"):
        if observed[which]["code"] != 0:
            said = observed[which]["stderr"].strip()[-400:] or f"exit code {observed[which]['code']}"
            return failed(f"the {which} start: {said}", "two starts of one container")
    if observed["second"]["stdout"].strip() != "kept":
        return failed("the second start has a new root file system", "the first one's files")
    return passed("the second start has the first one's files")
