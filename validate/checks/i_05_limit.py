"""I-05: a job that takes more memory than it was given is ended, and the node stays up."""

from __future__ import annotations

import re
from typing import Any

from validate.model import Check, Context, Finding, errored, failed, passed
from validate.probing import Node

CHECK = Check(
    id="I-05",
    title="memory limit ends the job",
    tier="standard",
    step="sample",
    cause="memory is not confined: ConstrainRAMSpace is off, or swap takes the rest",
    fix="ConstrainRAMSpace=yes and ConstrainSwapSpace=yes in cgroup.conf; restart slurmd",
    after=("C-01", "H-05"),
    seconds=70,
)


PROGRAM = "data = [b'x' * 2**20 for _ in range(600)]; print('survived', len(data))"


def observe(node: Node) -> Any:
    """Take twice of what the step has, and look at the node's state afterwards."""
    words = ["python3", "-I", "-c", PROGRAM]
    output = node.contained(words, ["--overlap", "--ntasks=1", "--mem=300M"])
    text = node.run(["scontrol", "--oneliner", "show", "node", node.name], 8).stdout
    state = re.search(r"\sState=(\S+)", text)
    return {**output.record(), "state": state.group(1) if state else ""}


def judge(observed: Any, context: Context) -> Finding:
    """Killed, and no drain."""
    if "survived" in observed["stdout"]:
        return failed("600 MB taken in a step of 300 MB", "killed by its cgroup")
    if not re.search(r"oom|out of memory|Killed", observed["stderr"], re.IGNORECASE):
        return errored(observed["stderr"].strip()[-300:] or f"exit code {observed['code']}")
    if "DRAIN" in observed["state"] or "DOWN" in observed["state"]:
        return failed(f"killed, and the node is {observed['state']}", "killed, and nothing else")
    return passed("killed by its cgroup")
