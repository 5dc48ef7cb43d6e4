"""N-06: one version of every package in the fleet, and none that is known to be broken."""

from __future__ import annotations

import re
from typing import Any

from validate import slurm
from validate.model import Check, Context, Finding, compare, failed, passed, undecided
from validate.probing import Node

CHECK = Check(
    id="N-06",
    title="one version per package, none denied",
    tier="quick",
    step="host",
    cause="an unattended upgrade or an interrupted install on this node",
    fix="playbooks/site.yml; hold the packages: apt-mark hold",
    # The program makes its directories before it says anything.
    after=("N-05", "N-28", "N-10"),
)


PACKAGES = (
    "enroot", "enroot+caps", "nvidia-container-toolkit", "nvidia-container-toolkit-base", "libnvidia-container-tools",
    "libnvidia-container1", "docker-ce", "docker.io", "docker", "containerd.io", "containerd", "apptainer",
    "apptainer-suid", "singularity-ce",
)  # fmt: skip
TOOLKIT = PACKAGES[2:6]
# Those whose files are read whole: small ones, on which every container depends.
VERIFIED = PACKAGES[:6]
# A line of dpkg --verify and of rpm --verify: what is another (5: the content), what kind of file, the path.
VERIFY = re.compile(r"^(?:missing|..5\S*) +(?:([a-z]) )? *(/\S+)$", re.MULTILINE)
DENIED = {
    ("enroot", "4.1.0"): "containers do not start (enroot#261)",
    ("libnvidia-container1", "1.17.7"): "device rules fail after an upgrade (nvidia-container-toolkit#1093)",
    ("nvidia-container-toolkit", "1.17.7"): "device rules fail after an upgrade (nvidia-container-toolkit#1093)",
}


# A role installs a package anew of which a file is missing. enroot's are in no repository of the distribution.
ANEW = "where it is the package's own, mv it to /root, and playbooks/site.yml --limit this node installs it anew"
PROGRAM, PROGRAM_FAILS, BROKEN, ALTERED = "enroot version", "enroot fails", "broken", "altered"
ABSENT = "absent"
# The second letter of dpkg's state: what an installation that was cut off leaves.
CUT_OFF = {"H": "half-installed", "U": "unpacked", "F": "half-configured"}


def observe(node: Node) -> Any:
    """Ask dpkg or rpm for those that are installed; pyxis is the plugin that the fixed path leads to."""
    if node.which("dpkg-query"):
        words = ["dpkg-query", "-W", "-f=${db:Status-Abbrev} ${Package} ${Version}\n", *PACKAGES]
    else:
        words = ["rpm", "-q", "--qf", "ii %{NAME} %{VERSION}-%{RELEASE}\n", *PACKAGES]
    lines = [line.split() for line in node.run(words, 8).stdout.splitlines()]
    # One that is held is hi.
    found: dict[str, Any] = {line[1]: line[2] for line in lines if len(line) == 3 and line[0][1] == "i"}
    broken = {line[1]: CUT_OFF[line[0][1]] for line in lines if len(line) == 3 and line[0][1] in "HUF"}
    # A program put there by hand is no package.
    program = node.run(["enroot", "version"], 5)
    if program.code == 0:
        found[PROGRAM] = program.stdout.strip()
    elif node.which("enroot"):
        ended = "no answer within 5 s" if program.code is None else f"exit code {program.code}"
        found[PROGRAM_FAILS] = f"{ended} {program.text[:200]}".strip()
    if broken:
        found[BROKEN] = broken
    others = altered(node, [name for name in VERIFIED if name in found])
    if others:
        found[ALTERED] = others
    for line in slurm.plugstack(node)["pyxis"]:
        found["pyxis"] = str(node.path(line["plugin"]).resolve().parent.name)
    return found


def altered(node: Node, names: list[str]) -> list[str]:
    """Return the files that are not as the packages brought them; a file of the configuration may be edited."""
    if not names:
        return []
    words = ["dpkg", "--verify"] if node.which("dpkg-query") else ["rpm", "--verify", "--nodeps", "--noscripts"]
    found = VERIFY.findall(node.run([*words, *names], 8).stdout)
    # Some nodes are installed without documentation.
    return [path for kind, path in found if not kind and not path.startswith("/usr/share/doc/")]


def judge(observed: Any, context: Context) -> Finding:
    """Nothing denied, the toolkit's four equal, and every version that of most nodes."""
    for (name, version), reason in DENIED.items():
        if str(observed.get(name, "")).startswith((f"{version}-", f"{version}~")) or observed.get(name) == version:
            return failed(f"{name} {observed[name]}", f"any other version: {reason}")
    toolkit = {observed[name] for name in TOOLKIT if name in observed}
    if len(toolkit) > 1:
        return failed(" ".join(sorted(toolkit)), "one version of the four toolkit packages")
    if observed.get(BROKEN):
        return failed(
            ", ".join(f"{name} is {state}" for name, state in observed[BROKEN].items()),
            "installed (dpkg -l: ii)",
            "the installation of a package was cut off on this node",
            "dpkg --configure -a; apt-get --fix-broken install; dpkg --audit says what is left",
        )
    own = packages(observed)
    beside = compare(context.fleet, own, packages, ABSENT)
    names = sorted(beside.other)
    if names:
        wanted = ", ".join(f"{name} {beside.other[name].usual}" for name in names)
        return failed(", ".join(f"{name} {beside.own[name]}" for name in names), f"{wanted}, {beside.on}")
    damaged = damage(observed)
    if damaged:
        return damaged
    if beside.split:
        return undecided(beside, "the version that the site pins: playbooks/site.yml installs it on both")
    return passed(", ".join(f"{name} {version}" for name, version in sorted(own.items())) or "none installed")


def damage(observed: Any) -> Finding | None:
    """Return what was done to enroot's program, or to a file of a package; None where nothing was."""
    if observed.get(PROGRAM_FAILS):
        return failed(
            f"enroot version: {observed[PROGRAM_FAILS]}",
            "a version",
            "the program enroot on this node is broken, or was replaced by hand",
            f"type -a enroot; dpkg --verify enroot, or rpm -V enroot; {ANEW}",
        )
    program = observed.get(PROGRAM, "")
    if not observed.get("enroot", program).startswith(program):
        return failed(
            f"the package enroot is {observed['enroot']}, and the program says {program}",
            "the package's own program",
            "the program was replaced by hand, or another one is earlier on PATH",
            f"type -a enroot; {ANEW}",
        )
    if observed.get(ALTERED):
        files = " ".join(observed[ALTERED][:3]) + " …" * (len(observed[ALTERED]) > 3)
        return failed(
            f"not as in the package: {files}",
            "files as their packages brought them",
            "a file of a package was changed or removed by hand, or damaged on the disk",
            f"mv {files} to /root where it is there; playbooks/site.yml --limit this node installs its package anew; "
            "dmesg -T | grep -i 'i/o error'",
        )
    return None


def packages(seen: Any) -> dict[str, str]:
    """Return the packages of an observation."""
    return {name: version for name, version in seen.items() if name not in (PROGRAM, PROGRAM_FAILS, BROKEN, ALTERED)}
