"""A run: survey, plan, launch, results. The side effects of the suite, in the order in which they happen."""

from __future__ import annotations

import secrets
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from validate import causes, diagnosis, kinds, plan, results, session, slurm, survey
from validate.catalogue import Entry, chosen
from validate.errors import CannotStart
from validate.listener import Listener
from validate.settings import Settings, Site

Progress = Callable[[str], None]
# Seconds for the epilogs of the run's jobs.
EPILOG = 20.0
COMPLETING = f"still completing after {EPILOG:g} s: the epilog hangs, or is slow"
# How the sandbox marks the versions of its own programs (tests/standins/README.md).
STANDIN = "standin"


@dataclass(frozen=True)
class Target:
    """What is to be accepted: submit hosts, the first of which submits; the inventory's nodes, None without one.

    ``operator`` is the first submit host as the account that drains and resumes, ``runtimes`` are what the inventory
    installs on each host.
    """

    submits: tuple[session.Submit, ...]
    inventory: tuple[str, ...] | None
    operator: session.Submit
    runtimes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class Prepared:
    """A run that could start: what is known before anything runs."""

    settings: Settings
    target: Target
    entries: dict[str, Entry]
    roster: list[dict[str, Any]]
    cluster: dict[str, Any]
    plan: plan.Plan


def target(site: Site | None, settings: Settings) -> Target:
    """Return the target of an inventory, or this very host with Slurm's own list."""
    if site is None:
        own = session.submit_host("localhost", {"ansible_connection": "local"}, settings.operator)
        return Target((session.Submit("localhost"),), None, own)
    hosts = tuple(session.submit_host(name, site.variables.get(name, {}), settings.user) for name in site.login)
    first = site.login[0]
    operator = session.submit_host(first, site.variables.get(first, {}), settings.operator)
    return Target(hosts, site.compute, operator, site.runtimes)


def prepare(where: Target, settings: Settings, limit: Iterable[str] = ()) -> Prepared:
    """Survey and plan; CannotStart where a run would make no sense. Nothing is submitted."""
    kinds.require(settings.kind, kinds.load(settings.profiles))
    entries = chosen(settings.tier, settings.only)
    answers = ask(where.submits[0])
    ping = answers["ping"]
    if ping["code"] != 0 or " is UP" not in ping["stdout"]:
        said = (ping["stderr"] or ping["stdout"]).strip()[:500] or "nothing within 15 s"
        host = where.submits[0].name
        # What is wrong on this host itself, whatever the controller does.
        found = diagnosis.of(said, causes.ASKING)
        look = f"{found.cause}\non {host}: {found.fix}" if found else (
            f"systemctl status slurmctld on the controller; on {host}: timeout 5 munge -n, which hangs where munge does"
        )
        raise CannotStart(
            f"Slurm's controller does not answer {host}: {said}\n{look}; nothing was run; "
            "with an inventory, --over ssh looks at the nodes and the controllers without Slurm"
        )
    problem = unanswered(answers["nodes"])
    if problem:
        raise CannotStart(
            f"{where.submits[0].name} was not told Slurm's nodes: {problem}\n"
            f"try there: {shlex.join(survey.QUESTIONS['nodes']['words'])}; nothing was run"
        )
    default = slurm.partition(answers["partitions"]["stdout"]).get("PartitionName", "")
    everything = survey.roster(answers["nodes"]["stdout"], default)
    nodes, more = survey.expected(everything, where.inventory)
    nodes = survey.limited(nodes, limit)
    leaves = survey.leaves(answers["topology"]["stdout"])
    nodes = [{**node, "leaf": leaves[node["name"]]} if node["name"] in leaves else node for node in nodes]
    if not nodes:
        raise CannotStart("no node is expected: the inventory's group compute and Slurm's list are both empty")
    config = answers["config"]["stdout"]
    cluster = {
        "name": slurm.setting(config, "ClusterName"),
        "version": slurm.setting(config, "SLURM_VERSION"),
        "only_in_slurm": [] if limit else more,
    }
    logins = [
        {"name": host.name, "role": "login", "in_slurm": False, "gpus": 0, "unusable": "", "state": "login"}
        for host in where.submits
    ]
    roster = survey.with_runtimes(logins + nodes, where.runtimes)
    computes = [entry for entry in roster if entry["role"] == "compute"]
    return Prepared(settings, where, entries, roster, cluster, plan.make(computes, entries, settings))


def ask(host: session.Submit) -> dict[str, Any]:
    """Return the answers to the survey's questions; CannotStart where the host has no Slurm or is not reached."""
    events = session.converse(host, {"action": "ask", "commands": survey.QUESTIONS})
    answers = {event["name"]: event for event in events if event["event"] == "answer"}
    missing = [name for name in survey.QUESTIONS if name not in answers]
    if missing:
        raise CannotStart(f"{host.name} did not answer: {', '.join(missing)}")
    if answers["ping"]["code"] == 127:
        raise CannotStart(
            f"{host.name} has no scontrol on its PATH: run this on a host that submits jobs, or name an inventory "
            "whose login hosts do (--inventory)"
        )
    return answers


def run(prepared: Prepared, progress: Progress) -> dict[str, Any]:
    """Run everything and return the document; an interrupt leaves no job and gives what was measured so far.

    So does a lost connection; CannotStart where nothing had come by then.
    """
    settings, nonce = prepared.settings, secrets.token_hex(4)
    notes: list[str] = []
    started = time.time()
    listener = Listener(prepared.plan.nodes, [step["step"] for step in prepared.plan.steps], progress)
    hosts = listener.hosts
    try:
        if prepared.plan.chunks:
            listener.listen(prepared.target.submits[0], plan.order(prepared.plan, settings, nonce))
            listener.show()
        # Afterwards, because a batch script is to run on a node that answered: on a sick one it would only wait.
        proven = answered(hosts)
        for host in prepared.target.submits:
            progress(f"{host.name}: checks of the submit host")
            ask_submit_host(host, submit_order(prepared, host, nonce, proven, roots(hosts)), listener, notes)
        lost, unknown = afterwards(prepared, nonce)
        prepared.cluster["afterwards"] = lost
        if unknown:
            prepared.cluster["afterwards_unknown"] = unknown
        if listener.cancelled != "":
            notes.append(listener.left(nonce))
    except (KeyboardInterrupt, CannotStart) as error:
        if isinstance(error, CannotStart) and not listener.heard:
            raise
        prepared.cluster["interrupted"] = True
        what, *more = str(error).splitlines() or ["interrupted"]
        notes.append("; ".join([f"{what}: what had not been measured is NO_RESULT", listener.left(nonce), *more]))
    return document(prepared, nonce, started, hosts, notes)


def unanswered(answer: Mapping[str, Any] | None) -> str:
    """Return why a question to Slurm has no answer, '' where it has one."""
    if answer is None:
        return "it was not asked"
    if answer["code"] == 0:
        return ""
    said = (answer["stderr"] or answer["stdout"]).strip()[:500]
    return said or ("no answer in time" if answer["code"] is None else f"it ended with {answer['code']}")


def afterwards(prepared: Prepared, nonce: str) -> tuple[dict[str, str], str]:
    """Return the nodes that were used and that Slurm gives to nobody any more, in its words: epilogs come last.

    And why Slurm did not say it of all of them, '' where it did.
    """
    used = {name for chunk in prepared.plan.chunks for name in chunk["nodes"]}
    own = ["squeue", "--noheader", f"--name=validate-{nonce}", "--states=CG", "--format=%i"]
    questions = {"own": {"words": own, "seconds": 10}, "nodes": survey.QUESTIONS["nodes"]}
    deadline = time.monotonic() + EPILOG
    while used:
        said: dict[str, dict[str, Any]] = {}
        lost = ""
        try:
            for event in session.converse(prepared.target.submits[0], {"action": "ask", "commands": questions}):
                if event["event"] == "answer":
                    said[event["name"]] = event
        except CannotStart as error:
            lost = str(error).splitlines()[0]
        problem = lost or unanswered(said.get("own")) or unanswered(said.get("nodes"))
        own_jobs = said["own"]["stdout"].strip() if "own" in said else ""
        if not (problem or own_jobs) or time.monotonic() > deadline:
            nodes = said["nodes"]["stdout"] if "nodes" in said else ""
            return survey.lost(nodes, used, COMPLETING if own_jobs else ""), problem
        time.sleep(1)
    return {}, ""


def ask_submit_host(host: session.Submit, order: Mapping[str, Any], listener: Listener, notes: list[str]) -> None:
    """Make a submit host's own checks; where one of several cannot be reached, that is its own verdict."""
    try:
        listener.listen(host, order)
    except CannotStart as error:
        notes.append(str(error))
        listener.take({
            "event": "step", "step": "submit", "nodes": [host.name], "attempt": "", "code": None, "seconds": 0.0,
            "silent": [host.name], "unfinished": [], "said": str(error), "noise": "",
        })  # fmt: skip


def answered(hosts: Mapping[str, Any]) -> list[str]:
    """Return the nodes that answered in as many steps as any node did, those first on which no check broke."""
    most = max((len(_whole(host)) for host in hosts.values()), default=0)
    broken = {name: sum("error" in record for record in host["checks"].values()) for name, host in hosts.items()}
    found = [name for name, host in hosts.items() if most and len(_whole(host)) == most]
    return sorted(found, key=lambda name: (broken[name], name))


def _whole(host: Mapping[str, Any]) -> list[str]:
    return [step for step, seen in host["steps"].items() if "bye" in seen]


def roots(hosts: Mapping[str, Any]) -> dict[str, str]:
    """Return what each node that answered has mounted on /, outside of any container."""
    greetings = {name: host["steps"].get("host", {}).get("hello") or {} for name, host in hosts.items()}
    return {name: hello["root"] for name, hello in greetings.items() if hello.get("root")}


def submit_order(
    prepared: Prepared, host: session.Submit, nonce: str, proven: list[str], own: Mapping[str, str]
) -> dict[str, Any]:
    """Return the order for a submit host's own checks.

    ``proven`` are the nodes that a batch script may run on, ``own`` what each has mounted on /. In the deep tier it
    runs on all of them that the same partition and reservation give.
    """
    may = plan.measurable(prepared.entries, prepared.settings)
    entries = {name: entry for name, entry in may.items() if entry.check.step == "submit"}
    job = f"validate-{nonce}"
    usable = [name for chunk in prepared.plan.chunks for name in chunk["nodes"]]
    leaves = {name: leaf for chunk in prepared.plan.chunks for name, leaf in chunk["leaves"].items()}
    reserved = {entry["name"]: entry.get("reservation") for entry in prepared.roster}
    given = replace(
        prepared.settings,
        reservation=next((reserved[name] for name in proven[:1]), "") or prepared.settings.reservation,
    )
    step = plan.step_order("submit", entries, given)
    options = {name: tuple(chunk["options"]) for chunk in prepared.plan.chunks for name in chunk["nodes"]}
    alike = [name for name in proven if options.get(name) == options.get(proven[0])]
    tried = alike if prepared.settings.tier == "deep" else proven[:1]
    # Not every node is in the default partition.
    partitions = [option for name in tried[:1] for option in options.get(name, ()) if "--partition=" in option]
    more = {
        "job": job,
        "proven": tried,
        "proven_partition": "".join(partitions).partition("=")[2],
        "roots": {name: own[name] for name in tried if name in own},
    }
    return {
        "action": "probe",
        "nonce": nonce,
        "job": job,
        "name": host.name,
        "program": plan.program_of(entries),
        "step": {**step, "settings": {**step["settings"], **more}, "nodes": usable, "leaves": leaves},
    }


def standins(hosts: Mapping[str, Any]) -> list[str]:
    """Return the programs whose version on some host says that they are stand-ins."""
    versions = [(host["checks"].get("N-06") or {}).get("observed") or {} for host in hosts.values()]
    return sorted({name for seen in versions for name, version in seen.items() if STANDIN in str(version)})


def document(
    prepared: Prepared, nonce: str, started: float, hosts: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    """Return the results, with everything that a verdict needs."""
    found = standins(hosts)
    if found:
        notes = [f"STAND-IN: {', '.join(found)} on these nodes is test equipment, not upstream's program", *notes]
    return results.document(
        nonce, started, prepared.settings, prepared.entries, prepared.cluster, prepared.roster, hosts, notes
    )
