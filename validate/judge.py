"""The judge: roster, results and profiles in, verdicts out. Pure, so that stored results are judged again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from validate import diagnosis, kinds, reachability
from validate.allocation import INSIDE
from validate.catalogue import Entry
from validate.model import (
    BLOCKED,
    ERROR,
    FAIL,
    NO_RESULT,
    PASS,
    PERMISSIONS,
    SKIP,
    WARN,
    WORKLOADS,
    Check,
    Context,
    Finding,
    Fleet,
    Profile,
    Verdict,
)  # fmt: skip

STARTED = "C-01"
# Without the device files that every program opens, anything may fail in any way.
FOUNDATION = "N-31"
# It says which files differ, and explains only what depends on one of them.
DRIFT = "N-07"
# What must hold on the submit host before a job can begin anywhere.
SUBMITTING = ("H-01", "H-04", "H-03", "H-07")


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
            cells[name] = _cut_off(found, host, entries)
    logins = [cells[node["name"]] for node in roster if node["role"] == "login"]
    others_of = {"login": [cells[node["name"]] for node in roster if node["role"] != "login"]}
    verdicts = [
        verdict
        for node in roster
        for verdict in _blocked(
            cells[node["name"]],
            entries,
            others_of.get(node["role"], logins[:1]),
            _given(hosts.get(node["name"])),
            # What a stopped run never came to is not the fault of what failed before.
            (FAIL, ERROR, WARN) if stopped else (FAIL, ERROR, WARN, NO_RESULT),
        )
    ]
    return _explained(verdicts, entries)


def _explained(verdicts: Sequence[Verdict], entries: Mapping[str, Entry]) -> list[Verdict]:
    """Return the verdicts without the warnings that nodes differ where a failure on one of them says why."""
    failures: dict[str, set[str]] = {}
    for verdict in verdicts:
        if verdict.status in (FAIL, NO_RESULT):
            failures.setdefault(verdict.node, set()).add(verdict.check)
    result = []
    for verdict in verdicts:
        reasons = {verdict.check, *_earlier(verdict.check, entries)} if verdict.peers else set()
        why = [(node, check) for node in verdict.peers for check in sorted(failures.get(node, set()) & reasons)]
        if why:
            said = f"{verdict.observed}: see {why[0][1]} on {why[0][0]}"
            result.append(Verdict(verdict.node, verdict.check, PASS, said, verdict.expected, seconds=verdict.seconds))
        else:
            result.append(verdict)
    return result


def _earlier(check: str, entries: Mapping[str, Entry]) -> set[str]:
    """Return the checks whose failure explains one of this check, directly or further on."""
    found: set[str] = set()
    todo = [check]
    while todo:
        entry = entries.get(todo.pop())
        new = set(entry.check.after) - found if entry else set()
        found |= new
        todo += new
    return found


def _given(host: Mapping[str, Any] | None) -> bool:
    """Return whether Slurm's refusal of a host may be the submit host's doing: no job of anybody is on it."""
    return host is None or not host["refused"] or bool(host["refused"].get("jobs"))


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
        return entry.judge(record["observed"], context)
    except Exception as error:  # noqa: BLE001 - one criterion must not cost the verdicts of all hosts
        return Finding(
            ERROR, f"an observation that cannot be judged ({type(error).__name__}: {error})", "one of the known form",
            "the probe's record is damaged, or a program prints another form",
            "keep the results file: it is a bug of ours",
        )  # fmt: skip


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


def _cut_off(found: Mapping[str, Verdict], host: Mapping[str, Any], entries: Mapping[str, Entry]) -> dict[str, Verdict]:
    """Return the verdicts with those that a killed probe never came to as BLOCKED by the check that it was at."""
    result, first = dict(found), dict[str, str]()
    for check, verdict in found.items():
        step = entries[check].check.step if check in entries else ""
        seen = host["steps"].get(step, {})
        if "hello" not in seen or "bye" in seen or verdict.status != NO_RESULT or check in host["checks"]:
            continue
        if step in first:
            result[check] = _by(verdict, first[step])
        first.setdefault(step, check)
    return result


def _by(verdict: Verdict, cause: str) -> Verdict:
    """Return a verdict that another check explains."""
    said = f"{verdict.status}: {verdict.observed}"
    return Verdict(verdict.node, verdict.check, BLOCKED, said, verdict.expected, by=cause, seconds=verdict.seconds)


def _blocked(
    found: Mapping[str, Verdict],
    entries: Mapping[str, Entry],
    elsewhere: Sequence[Mapping[str, Verdict]],
    given: bool,
    statuses: tuple[str, ...],
) -> list[Verdict]:
    """Return the verdicts with those that another failure explains as BLOCKED by it.

    What passed has its own evidence and stays. A check names in ``after`` what explains it, directly or further on;
    ``elsewhere`` are the hosts on which those of its checks are that this one does not have: the submit host of a
    node, the nodes of a submit host. Where a submit host cannot submit, no node is to blame for its silence.
    A warning stands in for no other host's failure, which would refuse a node that is accepted.
    What several checks fail of with one cause and one fix is mended once: all but the first are blocked by that one.
    """
    result, first = [], dict[tuple[str, str], str]()
    same = {
        check: first.setdefault((verdict.cause, verdict.fix), check)
        for check, verdict in found.items()
        if verdict.status == FAIL
    }
    for check, verdict in found.items():
        by = ""
        if verdict.status in statuses:
            after = SUBMITTING if check == reachability.ANSWERED and not given else _after(check, entries, found)
            where = () if verdict.status == WARN else elsewhere
            # What could not be observed explains only what could not be observed either.
            roots = (FAIL, NO_RESULT, ERROR) if verdict.status == ERROR else (FAIL, NO_RESULT)
            by = _root(after, found, entries, where, roots, frozenset((check,)))
        by = same.get(by or check, by)
        result.append(_by(verdict, by) if by not in ("", check) else verdict)
    return result


def _after(check: str, entries: Mapping[str, Entry], found: Mapping[str, Verdict]) -> tuple[str, ...]:
    """Return what explains a failure of a check on a host: what it names, and on a node what everything stands on."""
    entry = entries.get(check)
    if entry is None:
        return ()
    founded = entry.check.step != "submit" and check != FOUNDATION and check not in _earlier(FOUNDATION, entries)
    after = tuple(name for name in entry.check.after if name != DRIFT or _depends(entry.check, found.get(DRIFT)))
    return (FOUNDATION, *after) if founded else after


def _depends(check: Check, drift: Verdict | None) -> bool:
    """Return whether a check depends on one of the files that differ; what was not measured may be of any."""
    if drift is None or not check.files or drift.status in (NO_RESULT, ERROR):
        return True
    return any(name.startswith(check.files) for name in drift.about)


def _root(
    after: Sequence[str],
    found: Mapping[str, Verdict],
    entries: Mapping[str, Entry],
    elsewhere: Sequence[Mapping[str, Verdict]],
    roots: tuple[str, ...],
    seen: frozenset[str],
) -> str:
    """Return the first check along ``after`` that has one of the statuses ``roots`` by itself, '' where none does."""
    for earlier in after:
        if earlier in seen:
            continue
        for where in (found, *elsewhere):
            if earlier not in where:
                continue
            others = elsewhere if where is found else [found]
            deeper = _root(_after(earlier, entries, where), where, entries, others, roots, seen | {earlier})
            if deeper:
                return deeper
            if where[earlier].status in roots:
                return earlier
    return ""
