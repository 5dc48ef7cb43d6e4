"""H-01: the controller answers."""

from __future__ import annotations

from typing import Any

from validate.model import Check, Context, Finding, failed, passed
from validate.probing import Node

CHECK = Check(
    id="H-01",
    title="controller answers",
    tier="quick",
    step="submit",
    cause="slurmctld is down or overloaded",
    fix="systemctl status slurmctld on the controller",
)


def observe(node: Node) -> Any:
    """Ask for it."""
    return node.run(["scontrol", "ping"], 8).record()


def judge(observed: Any, context: Context) -> Finding:
    """One controller is UP."""
    # Only the control node has them.
    from validate import causes, diagnosis  # noqa: PLC0415 - see above

    said = observed["stdout"].strip() or observed["stderr"].strip() or "nothing within 8 s"
    if observed["code"] == 0 and " is UP" in said:
        return passed(said.splitlines()[0])
    # What is wrong on this host itself; the ping of a controller that is down says only that.
    found = diagnosis.of("\n".join((observed["stderr"], observed["stdout"])), causes.ASKING)
    if found:
        return failed(found.line, "a controller that is UP", found.cause, found.fix, found.who)
    return failed(said, "a controller that is UP")
