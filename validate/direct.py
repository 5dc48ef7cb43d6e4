"""The host step over ssh: for when Slurm is down, to say why. What only a job shows is left out."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from validate import collect, kinds, plan, results, session, survey
from validate.catalogue import Entry, chosen
from validate.errors import CannotStart
from validate.model import ACCEPTED, Context
from validate.settings import Settings, Site

# Each is one ssh with little to do on this side.
PARALLEL = 32
# They speak of a job: its devices, limits, groups and environment, or of what the controller says.
ONLY_IN_A_JOB = ("N-02", "N-03", "N-22", "L-01", "L-06", "M-11", "D-01", "A-02", "A-04")
DAEMONS = "N-29"


def run(site: Site | None, settings: Settings, limit: Iterable[str], progress: Any) -> dict[str, Any]:
    """Probe every node of the inventory and return the document; CannotStart without an inventory."""
    if site is None:
        raise CannotStart("--over ssh needs an inventory (--inventory): Slurm is not asked for its nodes")
    kinds.require(settings.kind, kinds.load(settings.profiles))
    wanted = settings.only or tuple(chosen(settings.tier))
    entries = {
        name: entry
        for name, entry in plan.measurable(chosen("deep", wanted), settings).items()
        if entry.check.step == "host" and name not in ONLY_IN_A_JOB
    }
    if not set(wanted) & set(entries):
        raise CannotStart("none of these checks can be made over ssh: they need a job")
    roster = survey.with_runtimes(survey.limited([_node(name) for name in site.compute], limit), site.runtimes)
    nonce, started = secrets.token_hex(4), time.time()
    hosts: dict[str, dict[str, Any]] = {}
    cluster: dict[str, Any] = {"name": "", "version": "", "only_in_slurm": [], "over": "ssh"}
    notes = ["over ssh: nothing was run by Slurm"]
    try:
        _nodes(Probes(site, settings, entries, nonce), roster, hosts, progress)
        notes += controllers(site, settings)
    except KeyboardInterrupt:
        cluster["interrupted"] = True
        notes.append("interrupted: what had not been measured is NO_RESULT")
    return results.document(nonce, started, settings, entries, cluster, roster, hosts, notes)


def _nodes(probes: Probes, roster: list[dict[str, Any]], hosts: dict[str, dict[str, Any]], progress: Any) -> None:
    """Probe every node; an interrupt ends what runs, and keeps what came."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        waiting = [(node, pool.submit(probes.probe, node["name"])) for node in roster]
        try:
            for done, (node, answer) in enumerate(waiting, 1):
                _take(node, answer.result(), hosts)
                progress(f"{done} of {len(roster)} nodes over ssh")
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            probes.stop()
            for node, answer in waiting:
                if not answer.cancelled():
                    _take(node, answer.result(), hosts)
            raise


def _node(name: str) -> dict[str, Any]:
    return {"name": name, "role": "compute", "in_slurm": False, "gpus": 0, "unusable": "", "state": "ssh"}


def _take(node: dict[str, Any], events: list[dict[str, Any]], hosts: dict[str, dict[str, Any]]) -> None:
    """Add what came back of a node, or why nothing did."""
    for event in events:
        if event["event"] == "unreached":
            node["unreached"] = event["said"]
        collect.take(hosts, event)
    hello = hosts.get(node["name"], {"steps": {}})["steps"].get("host", {}).get("hello", {})
    # Slurm is not asked how many there are: the bus says it.
    node["gpus"] = sum((hello.get("hardware") or {}).get(vendor, 0) for vendor in ("nvidia", "amd"))


class Probes:
    """The probes of the same checks on hosts, which can be stopped together; ``running`` are those not through."""

    def __init__(self, site: Site, settings: Settings, entries: Mapping[str, Entry], nonce: str) -> None:
        """Make the program that travels to each of them."""
        self.site, self.settings, self.nonce = site, settings, nonce
        self.program, self.step = plan.program_of(entries), plan.step_order("host", entries, settings)
        self.running: list[session.Conversation] = []
        self._stopped = False
        self._lock = threading.Lock()

    def probe(self, name: str) -> list[dict[str, Any]]:
        """Return the events of one host's probe, and why there are no more where it did not come to its end."""
        host = session.submit_host(name, self.site.variables.get(name, {}), self.settings.user)
        order = {
            "action": "probe", "nonce": self.nonce, "job": f"validate-{self.nonce}", "jobs": False, "name": name,
            "program": self.program, "step": self.step,
        }  # fmt: skip
        events: list[dict[str, Any]] = []
        try:
            with self._lock:
                if self._stopped:
                    return events
                conversation = session.launched(host, order)
                self.running.append(conversation)
            try:
                session.listen(conversation, events.append)
            finally:
                with self._lock:
                    self.running.remove(conversation)
        except CannotStart as error:
            if not self._stopped:
                events.append({"event": "unreached", "said": str(error)})
        return events

    def stop(self) -> None:
        """End them all."""
        with self._lock:
            self._stopped = True
            for conversation in self.running:
                conversation.hang_up()


def controllers(site: Site, settings: Settings) -> list[str]:
    """Return what is wrong with Slurm's daemons on the controllers, a line each."""
    entries, found = {DAEMONS: chosen("quick")[DAEMONS]}, []
    for name in site.controller:
        hosts: dict[str, dict[str, Any]] = {}
        for event in Probes(site, replace(settings, kind=""), entries, secrets.token_hex(4)).probe(name):
            collect.take(hosts, event)
        record = hosts.get(name, collect.empty())["checks"].get(DAEMONS, {})
        if "observed" not in record:
            found.append(f"controller {name}: not reached by ssh")
            continue
        finding = entries[DAEMONS].judge(record["observed"], Context(name, kinds.LOGIN))
        well = finding.status in ACCEPTED
        found.append(f"controller {name}: {'its daemons run' if well else finding.observed}")
    return found
