"""The launcher: takes an order on stdin, starts jobs, and writes events. Decides nothing about health.

Runs on a submit host as the account that submits: Python 3.9, standard library. When its stdin closes, or a signal
comes, it ends every program and cancels every job of the run: whatever happens to who gave the order, no job stays.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from validate.allocation import Steps, srun_words
from validate.step import Patience, Processes, run

PREFIX = "@slipway-launcher "
# At once; each is one salloc or srun with little to do.
PARALLEL = 32
# Seconds for removing the scratch directory where the run is stopped.
CLEANING = 10
# Seconds after which jobs are cancelled whatever else is not through by then.
CANCELLING = 20
# Characters that are kept of what salloc says.
SAID = 8000
GRANTED = re.compile(r"(?:Granted|Pending) job allocation (\d+)")
# Refused whatever the nodes are: asking for each of them would only be refused that many times.
ANYWHERE = re.compile(
    r"violates accounting/QOS policy|MaxJobCount limit|QOS usage threshold|Reason=(?:QOS|Assoc)|Invalid account|"
    r"[Ii]nvalid partition|Invalid qos|group not permitted|Required partition not available"
)
# Idle nodes that jobs of a higher priority are to have next are not given in parts either.
WAITING = re.compile("Reason=Priority")


class Launcher:
    """One order being carried out."""

    def __init__(self, order: dict[str, Any]) -> None:
        """Keep what is needed by every step."""
        self.order = order
        self.processes = Processes()
        self._write = threading.Lock()
        self.steps = Steps(order, self.processes, self.event)
        self._pool = ThreadPoolExecutor(PARALLEL)
        self._todo: list[Future[None]] = []

    def event(self, kind: str, **content: Any) -> None:
        """Tell who gave the order.

        Once the run is being stopped, what is seen of a node may be the stop's own doing, and is kept back.
        """
        if self.processes.stopping.is_set() and kind not in ("allocated", "cancelled", "done"):
            return
        line = PREFIX + json.dumps({"event": kind, "at": round(time.time(), 3), **content}) + "\n"
        with self._write:
            sys.stdout.write(line)
            sys.stdout.flush()

    # Questions and the submit host's own probe

    def ask(self) -> None:
        """Run the commands of the order, one after the other, and tell what each said."""
        for name, question in self.order["commands"].items():
            code, out, err = self.processes.ask(question["words"], question["seconds"])
            self.event("answer", name=name, code=code, stdout=out, stderr=err[:8000])

    def probe(self) -> None:
        """Run the probe on this very host."""
        step = {**self.order["step"], "nonce": self.order["nonce"], "name": self.order["name"]}
        words = [sys.executable, "-I", "-c", *self.order["program"]]
        patience = Patience(launch=20, grace=20, total=step["seconds"] + 10)
        names, nonce = [self.order["name"]], self.order["nonce"]
        try:
            # With every node's name it may be longer than an argument can be.
            with _file(json.dumps(step).encode()) as stdin:
                result = run(self.processes, words, names, nonce, patience, self.steps.record, stdin)
        finally:
            self.cancel()
        self.steps.told(step["step"], names, 0, result, "")

    # Jobs

    def launch(self) -> None:
        """Run all chunks; whatever happens, cancel the jobs afterwards."""
        try:
            with self._pool:
                for chunk in self.order["chunks"]:
                    self._later(chunk["nodes"], chunk)
                # A chunk that is taken apart adds its parts before it ends.
                while self._todo:
                    self._todo.pop().result()
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Cancel every job of this run by its name, those included whose number nobody learned; tell what came of it.

        A job that ends by itself meanwhile is an error to scancel, so it is tried twice.
        """
        if "job" not in self.order or not self.order.get("jobs", True):
            return
        words = ["scancel", "--quiet", f"--name={self.order['job']}"]
        for _ in range(2):
            code, out, err = Processes().ask(words, 30)
            if code == 0:
                break
        said = (err or out).strip() or ("no answer within 30 s" if code is None else f"it ended with {code}")
        self.event("cancelled", said="" if code == 0 else said[:500])

    def _later(self, nodes: list[str], chunk: dict[str, Any]) -> None:
        self._todo.append(self._pool.submit(self._guarded, nodes, chunk))

    def _guarded(self, nodes: list[str], chunk: dict[str, Any]) -> None:
        try:
            self._chunk(nodes, chunk)
        except InterruptedError:
            return
        except Exception as error:  # noqa: BLE001 - one chunk's trouble must not silence the others
            self.event("broken", nodes=nodes, said=f"{type(error).__name__}: {error}")

    def _chunk(self, nodes: list[str], chunk: dict[str, Any]) -> None:
        """Allocate these nodes and run all steps on them; where they are refused, their parts run side by side."""
        job, said, seconds = self._allocate(nodes, chunk["options"])
        if not job:
            parts = [] if len(nodes) == 1 or ANYWHERE.search(said) else self._apart(nodes, said)
            if parts:
                # Nobody's result; but parts of parts that are refused take longer than silence is listened to.
                self.event("apart", nodes=nodes, said=said)
            for part in parts:
                self._later(part, chunk)
            for node in nodes if not parts else ():
                self._refused(node, said)
            return
        self.event("allocated", nodes=nodes, job=job, seconds=seconds)
        try:
            self.steps.run(job, nodes, chunk)
        finally:
            if self.processes.stopping.is_set():
                # The step that would have cleaned up does not come any more; steps that run still hold the directory.
                clean = [*srun_words(job, nodes, []), "rm", "-rf", self.steps.scratch(job)]
                Processes().ask(clean, CLEANING)
            Processes().ask(["scancel", "--quiet", str(job)], 20)

    def _allocate(self, nodes: list[str], options: list[str]) -> tuple[int, str, float]:
        """Return (job, what salloc said, seconds); job 0 where it was refused or nothing became free in time."""
        wait = self.order["immediate"]
        began = time.monotonic()
        words = ["salloc", "--no-shell", f"--job-name={self.order['job']}", f"--immediate={wait}"]
        words += [f"--nodes={len(nodes)}", f"--nodelist={','.join(nodes)}", *options]
        code, out, err = self.processes.ask(words, wait + 60)
        said = (out + err).strip()
        found = GRANTED.search(said)
        # Whatever a site's own salloc prints besides, the error comes last.
        said = said[-SAID:]
        if code != 0:
            why = self._waited(found.group(1)) if found else ""
            ended = f"salloc: no answer within {wait + 60} s" if code is None else f"salloc ended with {code}"
            return 0, (said or ended) + why, 0.0
        return int(found.group(1)) if found else 0, said, round(time.monotonic() - began, 3)

    def _waited(self, job: str) -> str:
        """Cancel a job that did not start, and return what it waited for in Slurm's word."""
        _code, out, _err = self.processes.ask(["scontrol", "--oneliner", "show", "job", job], 10)
        Processes().ask(["scancel", "--quiet", job], 20)
        found = re.search(r"\sReason=(\S+)", out)
        # --oneliner has underscores for the blanks of a reason.
        return f"\nReason={found.group(1).replace('_', ' ')}" if found and found.group(1) != "None" else ""

    def _apart(self, nodes: list[str], said: str) -> list[list[str]]:
        """Return the nodes that are idle as one part, and every other one alone; none where that would not help.

        Idle nodes that are refused together are halved: one of them may be reserved, or limited in its own way.
        """
        code, out, _err = self.processes.ask(["sinfo", "-hN", "-o", "%N %T", f"--nodes={','.join(nodes)}"], 20)
        states = dict(line.split()[:2] for line in out.splitlines() if len(line.split()) > 1) if code == 0 else {}
        idle = [node for node in nodes if states.get(node) == "idle"]
        if len(idle) == len(nodes):
            half = len(nodes) // 2
            return [] if WAITING.search(said) else [nodes[:half], nodes[half:]]
        return [part for part in (idle, *([node] for node in nodes if node not in idle)) if part]

    def _refused(self, node: str, said: str) -> None:
        code, out, _err = self.processes.ask(
            ["squeue", "-h", f"--nodelist={node}", "--states=R,CG,CF,S", "-o", "%i %u %T"], 20
        )
        # A site's own squeue may print more than jobs.
        jobs = [line.split() for line in out.splitlines() if line.strip()[:1].isdigit()] if code == 0 else []
        self.event("refused", node=node, said=said, jobs=jobs)


@contextlib.contextmanager
def _file(content: bytes) -> Iterator[int]:
    """Yield a descriptor from which this can be read: of memory, because the disk may be full, as H-11 says then."""
    descriptor = os.memfd_create("order")
    try:
        for at in range(0, len(content), 65536):
            os.write(descriptor, content[at : at + 65536])
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def main() -> None:
    """Read the order from the second line of stdin and carry it out; the first was this program."""
    order = json.loads(sys.stdin.readline())
    launcher = Launcher(order)

    # Python runs a handler only when the main thread comes back from waiting, which here may be in half an hour: the
    # signal's byte in a pipe wakes the thread that watches stdin at once.
    told, telling = os.pipe()
    os.set_blocking(telling, False)
    signal.set_wakeup_fd(telling, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_unused: None)

    def watch() -> None:
        while told not in select.select([0, told], [], [])[0] and os.read(0, 4096):
            pass
        launcher.processes.stop()
        # Where what the others say is not taken any more, they stand still before they have cancelled anything.
        time.sleep(CANCELLING)
        launcher.cancel()

    threading.Thread(target=watch, daemon=True).start()
    with contextlib.suppress(InterruptedError):
        getattr(launcher, order["action"])()
    launcher.event("done", stopped=launcher.processes.stopping.is_set())


def decode(line: str) -> dict[str, Any] | None:
    """Return an event out of a line of a launcher's output, None for anything else (a login banner)."""
    at = line.find(PREFIX)
    if at < 0:
        return None
    try:
        event = json.loads(line[at + len(PREFIX) :])
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
