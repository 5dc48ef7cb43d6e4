"""The host step over ssh: for when Slurm is down, to say why. What only a job shows is left out."""

from __future__ import annotations

import secrets
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
    if not entries:
        raise CannotStart("none of these checks can be made over ssh: they need a job")
    roster = survey.with_runtimes(survey.limited([_node(name) for name in site.compute], limit), site.runtimes)
    nonce, started = secrets.token_hex(4), time.time()
    hosts: dict[str, dict[str, Any]] = {}
    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = pool.map(lambda node: probe(site, settings, node["name"], entries, nonce), roster)
        for node, events in zip(roster, answers):
            _take(node, events, hosts)
            progress(f"{len(hosts)} of {len(roster)} nodes over ssh")
    cluster = {"name": "", "version": "", "only_in_slurm": [], "over": "ssh"}
    notes = ["over ssh: nothing was run by Slurm", *controllers(site, settings)]
    return results.document(nonce, started, settings, entries, cluster, roster, hosts, notes)


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


def probe(site: Site, settings: Settings, name: str, entries: Mapping[str, Entry], nonce: str) -> list[dict[str, Any]]:
    """Return the events of one host's probe."""
    host = session.submit_host(name, site.variables.get(name, {}), settings.user)
    order = {
        "action": "probe", "nonce": nonce, "job": f"validate-{nonce}", "jobs": False, "name": name,
        "program": plan.program_of(entries), "step": plan.step_order("host", entries, settings),
    }  # fmt: skip
    try:
        return list(session.converse(host, order))
    except CannotStart as error:
        return [{"event": "unreached", "said": str(error)}]


def controllers(site: Site, settings: Settings) -> list[str]:
    """Return what is wrong with Slurm's daemons on the controllers, a line each."""
    entries, found = {DAEMONS: chosen("quick")[DAEMONS]}, []
    for name in site.controller:
        hosts: dict[str, dict[str, Any]] = {}
        for event in probe(site, replace(settings, kind=""), name, entries, secrets.token_hex(4)):
            collect.take(hosts, event)
        record = hosts.get(name, collect.empty())["checks"].get(DAEMONS, {})
        if "observed" not in record:
            found.append(f"controller {name}: not reached by ssh")
            continue
        finding = entries[DAEMONS].judge(record["observed"], Context(name, kinds.LOGIN))
        well = finding.status in ACCEPTED
        found.append(f"controller {name}: {'its daemons run' if well else finding.observed}")
    return found
