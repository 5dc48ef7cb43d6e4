"""The steward: drains and resumes nodes, and takes back what was not confirmed.

Runs on the submit host as an operator of Slurm: Python 3.9, standard library. Nodes that the suite drained are resumed
into a reservation of the account that submits, so that nobody else gets them before they have passed. When stdin
closes, or a signal comes, before the decision is there, they are drained again with the reason that they had.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import sys
import time
from typing import Any

from ansible_collections.slipway.containers.plugins.module_utils import slurm_text

from validate.drain import UNSAID, check_of, may, refusal
from validate.launcher import PREFIX
from validate.step import Processes

SECONDS = 30


class Steward:
    """One order being carried out, and what must be taken back unless it is confirmed."""

    def __init__(self, order: dict[str, Any]) -> None:
        """Keep the order."""
        self.order = order
        self.resumed: dict[str, str] = {}
        self.drained: dict[str, str] = {}
        self.reserved = False
        self.user = self.ask("id", "-un")[0].strip()

    def event(self, kind: str, **content: Any) -> None:
        """Tell who gave the order, where anybody still listens: what is to be taken back does not depend on it."""
        with contextlib.suppress(OSError):
            sys.stdout.write(f"{PREFIX}{json.dumps({'event': kind, **content})}\n")
            sys.stdout.flush()

    def ask(self, *words: str) -> tuple[str, str]:
        """Return a command's output, and its complaint where it failed."""
        code, out, err = Processes().ask(words, SECONDS)
        return out, "" if code == 0 else (err or out).strip() or f"{words[0]}: no answer within {SECONDS} s"

    def rights(self) -> str:
        """Return why this account may not do it, '' where it may."""
        config = self.ask("scontrol", "show", "config")[0]
        found = re.search(r"^SlurmUser\s*=\s*([^\s(]+)", config, re.MULTILINE)
        words = ("sacctmgr", "--noheader", "--parsable2", "show", "user", self.user, "format=AdminLevel")
        level = "" if self.user == "root" else self.ask(*words)[0].strip()
        return refusal(self.user, found.group(1) if found else "slurm", level)

    def look(self, node: str) -> tuple[str, str]:
        """Return a node's state and reason as Slurm has them now, no state where it does not say."""
        for found in slurm_text.parse_nodes(self.ask("scontrol", "--oneliner", "show", "node", node)[0]):
            return "+".join([found["state"], *found["flags"]]).upper(), found["reason"]
        return "", ""

    def update(self, node: str, *words: str) -> bool:
        """Change a node, and tell where Slurm refuses."""
        problem = self.ask("scontrol", "update", f"nodename={node}", *words)[1]
        if problem:
            self.event("note", text=f"{node}: scontrol update {' '.join(words)}: {problem}")
        return not problem

    def hold(self) -> None:
        """Reserve the nodes that the suite drained, and resume them for the account that submits."""
        nodes: dict[str, str] = {}
        for node, reason in self.order["resume"].items():
            state, said = self.look(node)
            if state and said == reason and check_of(reason):
                nodes[node] = reason
            else:
                why = f"its reason is another one now: {said or 'none'}" if state else UNSAID
                self.event("note", text=f"{node} stays drained: {why}")
        if not nodes:
            return
        name = self.order["reservation"]
        # Said before it is tried: an interrupt meanwhile takes it back.
        self.reserved = True
        problem = self.ask(
            "scontrol", "create", "reservation", f"reservationname={name}", "starttime=now", "flags=ignore_jobs",
            f"duration={self.order['minutes']}", f"nodes={','.join(nodes)}", f"users={self.order['user'] or self.user}",
        )[1]  # fmt: skip
        if problem:
            # Where Slurm only did not answer in time, it may be there all the same.
            self.ask("scontrol", "delete", f"reservationname={name}")
            self.reserved = False
            self.event("note", text=f"{', '.join(nodes)}: stays drained: no reservation: {problem}")
            return
        for node, reason in nodes.items():
            self.resumed[node] = reason
            if not self.update(node, "state=resume"):
                del self.resumed[node]
        deadline = time.monotonic() + SECONDS
        # A resumed node takes jobs only after slurmctld has asked its slurmd.
        while any("NOT_RESPONDING" in self.look(node)[0] for node in self.resumed) and time.monotonic() < deadline:
            time.sleep(0.5)

    def settle(self, decision: dict[str, Any]) -> None:
        """Carry the decision out; a node whose state changed meanwhile is left alone."""
        for node, reason in decision["drain"].items():
            against = may(*self.look(node))
            if against:
                self.event("note", text=f"{node} not drained: {against}")
                continue
            self.drained[node] = reason
            if self.update(node, "state=drain", f"reason={reason}"):
                self.event("note", text=f"{node} drained: {reason}")
        for node in decision["release"]:
            self.resumed.pop(node, None)
            self.event("note", text=f"{node} resumed: what drained it passes")
        self.resumed = {node: decision["again"].get(node, reason) for node, reason in self.resumed.items()}
        self.drained = {}

    def take_back(self) -> None:
        """Drain again what was only held, give back what was not confirmed as drained, and end the reservation."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for node, reason in self.resumed.items():
            # Slurm (24.11) keeps the reason of a resumed node until a job has run there; one that somebody gave
            # meanwhile is theirs. Where Slurm says nothing of it, it was ours a moment ago, and is not for users.
            state, said = self.look(node)
            if "DRAIN" not in state and said in ("", self.order["resume"][node]):
                self.update(node, "state=drain", f"reason={reason}")
        for node, reason in self.drained.items():
            if self.look(node)[1] == reason:
                self.update(node, "state=resume")
        if self.reserved:
            problem = self.ask("scontrol", "delete", f"reservationname={self.order['reservation']}")[1]
            if problem:
                self.event("note", text=f"the reservation {self.order['reservation']} stays: {problem}")


def main() -> None:
    """Read the order, hold, wait for the decision, carry it out; whatever happens, take back what was not decided."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    steward = Steward(json.loads(sys.stdin.readline()))
    problem = steward.rights()
    if problem:
        steward.event("refused", text=problem)
        steward.event("done")
        return
    try:
        steward.hold()
        steward.event("held", nodes=sorted(steward.resumed))
        line = sys.stdin.readline()
        if line.strip():
            steward.settle(json.loads(line))
    except KeyboardInterrupt:
        pass
    finally:
        steward.take_back()
    steward.event("done")
