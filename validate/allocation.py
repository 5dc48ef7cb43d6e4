"""The steps of one allocation, one after the other, on those of its nodes that are still there.

Part of the launcher: Python 3.9, standard library.
"""

from __future__ import annotations

import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from validate.framing import Record
from validate.step import Outcome, Patience, Processes, run

# Lost nodes of one step that are tried again one by one, so that each has its own srun output.
ALONE = 8
# Made by the host step as 0700, under a name of which squeue shows but a part; removed by the last step.
SCRATCH = "/tmp/slipway-validate-{job}-{run}"  # noqa: S108 - see above
# Nodes on which a sample is tried, where the first ones do not answer.
SAMPLES = 3
# Steps that run in a container.
INSIDE = ("container", "one_gpu")
NAMED = re.compile(r"failed on node (\S+?):|error: (?:Node failure on )(\S+)")


class Steps:
    """The steps of an order, which all of its allocations run."""

    def __init__(self, order: dict[str, Any], processes: Processes, event: Callable[..., None]) -> None:
        """``event`` tells who gave the order."""
        self.order, self.processes, self.event = order, processes, event
        self._sampling = {
            alike: threading.Lock() for chunk in order.get("chunks", ()) for alike in chunk["alike"].values()
        }
        self._sampled: set[str] = set()
        # Of the scratch directory's name; a job's number and its name are for everybody to see.
        self._secret = secrets.token_hex(4)

    def run(self, job: int, nodes: list[str], chunk: dict[str, Any]) -> None:
        """Run all of them on an allocation's nodes."""
        there, inside = list(nodes), list(nodes)
        put_off: list[tuple[dict[str, Any], list[str]]] = []
        for step in self.order["steps"]:
            usable = [node for node in inside if node in there]
            for earlier, left in put_off if step["step"] == "after" else ():
                self._sample(job, [node for node in left if node in there], earlier, chunk["alike"], wait=True)
            if step["step"] == "nested":
                self._step(job, usable, step)
            elif step["step"] == "sample":
                put_off.append((step, self._sample(job, usable, step, chunk["alike"], wait=False)))
            elif step["step"] == "group":
                self._group(job, usable, {**step, "leaves": chunk["leaves"]})
            elif step["step"] in INSIDE:
                # Where one container did not start, another one will not either.
                inside = self._step(job, usable, step)[0]
            else:
                answered, dead = self._step(job, there, step)
                # Who answered once is still to be cleaned up.
                there = answered if step["step"] == "host" else [node for node in there if node not in dead]

    def _sample(self, job: int, nodes: list[str], step: dict[str, Any], alike: dict[str, str], wait: bool) -> list[str]:
        """Run a step on the first of these nodes that answers, once for all nodes that are alike.

        Returns those of the kinds that another allocation is trying, whose turn comes where that one fails. Meanwhile
        its nodes would be idle, and so there is a step first for which they need not wait.
        """
        left: list[str] = []
        for kind in dict.fromkeys(alike[node] for node in nodes):
            own = [node for node in nodes if alike[node] == kind]
            if not self._sampling[kind].acquire(blocking=wait):
                left += own
                continue
            try:
                for node in own[:SAMPLES]:
                    if kind in self._sampled:
                        break
                    if self._step(job, [node], step)[0]:
                        self._sampled.add(kind)
            finally:
                self._sampling[kind].release()
        return left

    def _group(self, job: int, nodes: list[str], step: dict[str, Any]) -> None:
        """Run a step on the first of these nodes, for all of them."""
        if len(nodes) < 2:
            return
        result = self._srun(job, nodes[:1], {**step, "nodes": nodes})
        self.told(step["step"], nodes, job, result, "")

    def _step(self, job: int, nodes: list[str], step: dict[str, Any]) -> tuple[list[str], set[str]]:
        """Run a step, try once more those that were lost; returns who answered, and whom srun calls dead."""
        if not nodes:
            return [], set()
        result = self._srun(job, nodes, step)
        lost = [node for node in nodes if node not in result.greeted]
        named = {name for match in NAMED.finditer(result.said) for name in match.groups() if name}
        # When srun gives up a node it cancels the whole step: who was still at it begins again without that node.
        cut = [node for node in nodes if node in result.greeted - result.ended - named] if named else []
        self.told(step["step"], nodes, job, result, "")
        if not lost and not cut:
            return nodes, named
        rest = [node for node in lost if node not in named]
        groups = [[node] for node in rest[:ALONE]] + [group for group in (rest[ALONE:], cut) if group]
        answered: set[str] = set(result.greeted)
        with ThreadPoolExecutor(ALONE + 2) as pool:
            for group, again in zip(groups, pool.map(lambda group: self._srun(job, group, step), groups)):
                self.told(step["step"], group, job, again, "again")
                answered |= again.greeted
        for node in named & set(lost):
            self.event("lost", node=node, step=step["step"], said=result.said)
        return [node for node in nodes if node in answered], named

    def _srun(self, job: int, nodes: list[str], step: dict[str, Any]) -> Outcome:
        order: dict[str, Any] = {
            key: step[key] for key in ("step", "checks", "seconds", "settings", "nodes", "leaves") if key in step
        }
        scratch = self.scratch(job)
        order |= {"nonce": self.order["nonce"], "scratch": scratch, "began": round(time.time(), 3)}
        words = srun_words(job, nodes, [option.replace("{scratch}", scratch) for option in step["options"]])
        words += ["python3", "-I", "-c", *self.order["program"], json.dumps(order)]
        patience = Patience(step["launch"], step["grace"], step["launch"] + step["seconds"] + 10)
        return run(self.processes, words, nodes, self.order["nonce"], patience, self.record)

    def scratch(self, job: int) -> str:
        """Return the directory that the steps of a job share on each node."""
        return SCRATCH.format(job=job, run=f"{self.order['nonce']}-{self._secret}")

    def record(self, record: Record) -> None:
        """Tell a record of a probe."""
        content = dict(record.content)
        self.event("record", node=content.pop("node", record.node), task=record.task, content=content)

    def told(self, step: str, nodes: list[str], job: int, result: Outcome, attempt: str) -> None:
        """Tell how a step ended."""
        self.event(
            "step", step=step, nodes=nodes, job=job, attempt=attempt, code=result.code, seconds=result.seconds,
            silent=sorted(set(nodes) - result.greeted), unfinished=sorted(result.greeted - result.ended),
            said=result.said, noise=result.noise[:4000],
        )  # fmt: skip


def srun_words(job: int | str, nodes: Sequence[str], options: Sequence[str]) -> list[str]:
    """Return the srun command of a step up to its program; the dry run prints the very same."""
    return [
        "srun", f"--jobid={job}", "--overlap", f"--nodes={len(nodes)}", f"--nodelist={','.join(nodes)}",
        "--ntasks-per-node=1", "--kill-on-bad-exit=0", "--wait=0", "--input=none", "--chdir=/", *options,
    ]  # fmt: skip
