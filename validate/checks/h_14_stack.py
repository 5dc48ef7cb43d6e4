"""H-14: the submit host has the programs that it is to have, they work, and its daemons start at boot."""

from __future__ import annotations

import grp
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, compare, failed, passed, warned
from validate.probing import Node

CHECK = Check(
    id="H-14",
    title="container programs of the submit host",
    tier="quick",
    step="submit",
    cause="the install did not reach this submit host, or a program was replaced or removed by hand",
    fix="playbooks/site.yml --limit this host",
    seconds=30,
)


# Program -> what it prints its version for; docker's says nothing of the daemon.
PROGRAMS = {
    "enroot": ("enroot", "version"), "apptainer": ("apptainer", "--version"), "docker": ("docker", "--version"),
}  # fmt: skip
PATIENCE = 8
# What every command of Slurm needs; whether a host is to run more of it is not for us to say.
UNITS = ("munge.service", "sackd.service")


def observe(node: Node) -> Any:
    """Look for the programs, and ask each for its version."""
    programs = {}
    for name, words in PROGRAMS.items():
        place = node.which(name)
        output = node.run(words, PATIENCE) if place else None
        # A program that crashes begins with the reason, and says much after it.
        said = ([*output.text.splitlines()][:1] or [f"it ended with {output.code}"])[0] if output else ""
        programs[name] = {"path": place, "code": output.code if output else None, "said": said[:300]}
    try:
        group = bool(grp.getgrnam("docker"))
    except KeyError:
        group = False
    return {
        "programs": programs, "group": group, "boot": reading.units(node, UNITS), "platform": reading.platform(node),
    }  # fmt: skip


def judge(observed: Any, context: Context) -> Finding:
    """What the inventory installs here is there, what is there works, and munge comes back after a reboot."""
    programs = observed["programs"]
    # validate_runtimes speaks of jobs: only the inventory says what a submit host is to have.
    wanted = [name for name in context.slurm.get("runtimes") or () if name in programs]
    missing = [name for name in wanted if not programs[name]["path"]]
    if missing:
        return failed(f"not found: {', '.join(missing)}", f"on PATH: {', '.join(wanted)}")
    for name, seen in programs.items():
        if seen["path"] and seen["code"] != 0:
            words = " ".join(PROGRAMS[name])
            said = seen["said"] if seen["code"] is not None else f"no answer within {PATIENCE} s"
            return failed(
                f"{words}: {said}",
                "a version",
                f"the program {name} on this submit host is broken, or was replaced by hand",
                f"type -a {name}; dpkg -S {seen['path']}, or rpm -qf {seen['path']}, names its package: apt-get "
                "install --reinstall it, or dnf reinstall; of enroot, which is in no repository: rm it, and "
                "playbooks/site.yml --limit this host",
            )
    if "docker" in wanted and not observed["group"]:
        return failed(
            "no group docker",
            "the group docker, whose members may use the daemon",
            "the group docker is not on this submit host: its socket does not start again, and nobody can use docker",
            "groupadd --system docker, then systemctl restart docker.socket docker; playbooks/site.yml",
        )
    return at_boot(observed, context) or passed(
        ", ".join(name for name, seen in programs.items() if seen["path"]) or "none is declared, and none is here"
    )


def at_boot(observed: Any, context: Context) -> Finding | None:
    """Return what runs and does not start by itself, None where all does or the platform starts it."""
    own = starting(observed)
    beside = compare(context.fleet, own, starting, merit=lambda _name, starts: starts)
    lost = [unit for unit in own if not own[unit] and (unit in beside.other or beside.nodes < 2)]
    if not lost or observed["platform"]:
        return None
    return (failed if lost[0] in beside.other else warned)(
        f"{', '.join(lost)}: runs, and is {observed['boot'][lost[0]]['enabled']}",
        f"enabled, {beside.on}" if lost[0] in beside.other else "enabled, unless something else starts it",
        f"{lost[0]} does not start after a reboot, and no command of Slurm works without it",
        f"systemctl enable {' '.join(lost)}",
    )


def starting(observed: Any) -> dict[str, bool]:
    """Return of each daemon that runs whether it starts by itself."""
    return reading.starting(observed["boot"])
