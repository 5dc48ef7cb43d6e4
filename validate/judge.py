"""The judge: roster, results and profiles in, verdicts out. Pure, so that stored results are judged again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from validate import blocking, diagnosis, kinds, reachability
from validate.allocation import INSIDE
from validate.catalogue import Entry
from validate.model import (
    ERROR,
    FAIL,
    NO_RESULT,
    PASS,
    PERMISSIONS,
    SKIP,
    WORKLOADS,
    Check,
    Context,
    Finding,
    Fleet,
    Profile,
    Verdict,
)  # fmt: skip

STARTED = "C-01"


def judge(
    roster: Sequence[Mapping[str, Any]],
    hosts: Mapping[str, Mapping[str, Any]],
    entries: Mapping[str, Entry],
    profiles: Mapping[str, Profile],
    settings: Mapping[str, Any],
    cluster: Mapping[str, Any],
) -> list[Verdict]:
    """Return the verdicts of every expected host, at least one each; roster entries decide who is expected."""
    stopped = bool(cluster.get("interrupted"))
    kind_of = {node["name"]: kinds.of(node, hosts.get(node["name"]), profiles, settings) for node in roster}
    fleets = _fleets(roster, hosts, kind_of)
    samples = _samples(roster, hosts, kind_of)
    cells: dict[str, dict[str, Verdict]] = {}
    for node in roster:
        name = node["name"]
        host = hosts.get(name)
        answered = reachability.of(node, host, stopped)
        cells[name] = found = {reachability.ANSWERED: answered}
        if answered.status != PASS or host is None:
            continue
        profile = kind_of[name]
        fleet = fleets[profile.kind, node["role"]]
        own = {**settings, "runtimes": node["runtimes"]} if "runtimes" in node else settings
        others = {check: record.get("observed") for check, record in host["checks"].items()}
        for check, entry in entries.items():
            if (entry.check.step == "submit") != (node["role"] == "login"):
                continue
            record = host["checks"].get(check)
            context = Context(
                node=name, profile=profile, slurm=node, steps=host["steps"], others=others,
                fleet=fleet.get(check, {}), sample=samples.get(_alike(node, profile), ""), settings=own,
                cluster=cluster, received=record.get("received") if record else None,
            )  # fmt: skip
            found[check] = _verdict(entry, host, record, context)
        if not stopped:
            cells[name] = blocking.cut_off(found, host, entries)
    return blocking.of_hosts(roster, hosts, cells, entries, stopped)


def _fleets(
    roster: Sequence[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]], kind_of: Mapping[str, Profile]
) -> dict[tuple[str, str], dict[str, Fleet]]:
    """Return (kind, role) -> check -> node -> observation: what one node is compared with."""
    fleets: dict[tuple[str, str], dict[str, Fleet]] = {}
    for node in roster:
        fleet = fleets.setdefault((kind_of[node["name"]].kind, node["role"]), {})
        for check, record in (hosts.get(node["name"]) or {"checks": {}})["checks"].items():
            if "observed" in record:
                fleet.setdefault(check, Fleet())[node["name"]] = record["observed"]
    return fleets


def _samples(
    roster: Sequence[Mapping[str, Any]], hosts: Mapping[str, Mapping[str, Any]], kind_of: Mapping[str, Profile]
) -> dict[tuple[str, str], str]:
    """Return what nodes have in common -> the one on which the checks were made that one makes for all of them."""
    found: dict[tuple[str, str], str] = {}
    for node in roster:
        if "hello" in (hosts.get(node["name"]) or {"steps": {}})["steps"].get("sample", {}):
            found.setdefault(_alike(node, kind_of[node["name"]]), node["name"])
    return found


def _alike(node: Mapping[str, Any], profile: Profile) -> tuple[str, str]:
    """Return by what the launcher chose the one node: what Slurm says of the hardware, which need not say its kind."""
    return (kinds.likeness(node) if "alike" in node else profile.kind), node["role"]


def _verdict(entry: Entry, host: Mapping[str, Any], record: Mapping[str, Any] | None, context: Context) -> Verdict:
    """Return a check's verdict on one host, before what blocks it is considered."""
    check, profile = entry.check, context.profile
    if check.id in profile.skip:
        return Verdict(context.node, check.id, SKIP, f"declared by profile {profile.kind}: {profile.skip[check.id]}")
    for need in check.needs:
        if need in PERMISSIONS and need not in (context.settings.get("allow") or ()):
            return Verdict(context.node, check.id, SKIP, f"needs {need}: allow it with --allow {need}")
        if need in WORKLOADS and need not in (context.settings.get("workloads") or ()):
            return Verdict(context.node, check.id, SKIP, f"validate_workloads does not name {need}")
        if need not in (*PERMISSIONS, *WORKLOADS) and need not in profile.has:
            return Verdict(context.node, check.id, SKIP, f"declared by profile {profile.kind}: it has no {need}")
    finding = _absent(check, host, context) if record is None else _found(entry, record, context)
    bad = finding.status not in (PASS, SKIP)
    return Verdict(
        node=context.node, check=check.id, status=finding.status, observed=finding.observed, expected=finding.expected,
        cause=finding.cause or (check.cause if bad else ""), fix=finding.fix or (check.fix if bad else ""),
        who=finding.who or (check.who if bad else ""), seconds=_seconds(record),
        peers=finding.peers, about=finding.about,
    )  # fmt: skip


def _seconds(record: Mapping[str, Any] | None) -> float | None:
    """Return how long an observation took; None where its record is damaged."""
    seconds = record.get("seconds") if record else None
    return seconds if isinstance(seconds, (int, float)) else None


def _found(entry: Entry, record: Mapping[str, Any], context: Context) -> Finding:
    if record.get("observed") is None:
        cause = "the check's command hangs on this node" if record.get("timeout") else "the check itself broke"
        return Finding(ERROR, str(record.get("error") or "an empty record"), "an observation", cause)
    try:
        return _of_sound(entry, record["observed"], context)
    except Exception as error:  # noqa: BLE001 - one criterion must not cost the verdicts of all hosts
        return Finding(
            ERROR, f"an observation that cannot be judged ({type(error).__name__}: {error})", "one of the known form",
            "the probe's record is damaged, or a program prints another form",
            "keep the results file: it is a bug of ours",
        )  # fmt: skip


def _of_sound(entry: Entry, observed: Any, context: Context) -> Finding:
    """Return a finding beside the other nodes; one whose record is damaged does not count where that breaks it."""
    try:
        return entry.judge(observed, context)
    except Exception:
        fleet = context.fleet
        if not isinstance(fleet, Fleet) or len(fleet) < 2:
            raise
        if fleet.sound is None:
            fleet.sound = Fleet({node: seen for node, seen in fleet.items() if _judged_alone(entry, seen, context)})
        return entry.judge(observed, replace(context, fleet=fleet.sound))


def _judged_alone(entry: Entry, observed: Any, context: Context) -> bool:
    """Return whether an observation has a form that can be judged."""
    try:
        entry.judge(observed, replace(context, fleet=Fleet({context.node: observed})))
    except Exception:  # noqa: BLE001 - of whatever kind
        return False
    return True


def _absent(check: Check, host: Mapping[str, Any], context: Context) -> Finding:
    """Return why there is no record of a check."""
    step, stopped = check.step, bool(context.cluster.get("interrupted"))
    seen = host["steps"].get(step, {})
    if step == "sample" and "hello" not in seen and context.sample:
        return Finding(SKIP, f"tried on {context.sample}, a node of the same kind")
    if step == "group" and not seen and "hello" in host["steps"].get("host", {}) and not stopped:
        return Finding(SKIP, "alone in its allocation: a group needs a second node")
    if "hello" in seen:
        done = [name for name, record in host["checks"].items() if record.get("step") == step]
        last = f"after {done[-1]}" if done else "before the first check"
        cause = "the run was stopped" if stopped else "the probe was killed, or its node was lost in the middle"
        return Finding(NO_RESULT, f"the {step} step ended {last}", "a record of this check", cause, "run it again")
    said = str(host["said"].get(step, "")).strip()
    if stopped and not said:
        return Finding(NO_RESULT, "not run", "a record of this check", "the run was stopped before", "run it again")
    found = diagnosis.of_container(said) if step in INSIDE else diagnosis.of_launch(said)
    if check.id == STARTED:
        return Finding(FAIL, found.line, "a container that starts and answers", found.cause, found.fix, found.who)
    return Finding(NO_RESULT, f"the {step} step did not begin: {found.line}", "a record of this check", found.cause,
                   found.fix, found.who)  # fmt: skip
