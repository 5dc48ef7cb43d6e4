"""D-01: a member of the group docker can use it in a job, and nobody else."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
from collections.abc import Callable
from typing import Any

from validate import reading
from validate.model import Check, Context, Finding, compare, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="D-01",
    title="docker usable for its group, in jobs too",
    tier="quick",
    step="host",
    cause="a job's groups come from slurmctld: a membership that only the nodes know is not in a job",
    fix="add the account to the group docker on the controller too; then scontrol reconfigure",
    after=("N-05", "N-30", "D-02"),
    seconds=20,
)


PATIENCE = 8
UNITS = ("docker.service", "docker.socket", "containerd.service")
# Where systemd has daemons look for programs, and what dockerd and containerd start containers with.
DAEMONS_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
STARTERS = ("runc", "containerd-shim-runc-v2")


def observe(node: Node) -> Any:
    """Ask the daemon, with the groups of this step and those that the node itself would give the account."""
    if not node.which("docker"):
        return {"installed": False}
    asked = {**node.run(["docker", "ps", "-q"], PATIENCE).record(), **behind(node)}
    try:
        group = grp.getgrnam("docker")
    except KeyError:
        return {"installed": True, "group": False, "member": False, "in_job": False, **asked}
    account = pwd.getpwuid(os.getuid())
    own, given = os.getgrouplist(account.pw_name, account.pw_gid), {os.getgid(), *os.getgroups()}
    return {
        "installed": True,
        "group": True,
        "gid": group.gr_gid,
        "member": account.pw_name in group.gr_mem or group.gr_gid in own,
        "in_job": group.gr_gid in given,
        "foreign": [f"{gid} ({name_of(gid)})" for gid in sorted(given - {*own})],
        **asked,
    }


def behind(node: Node) -> dict[str, Any]:
    """Return what stands behind an answer of the daemon's: units, its socket, and what starts containers for it."""
    units = reading.properties(node, UNITS, "ActiveState,ExecStart,Listen")
    daemon, socket, containerd = (units.get(name, {}) for name in UNITS)
    listens = re.match(r"(/\S+) \(Stream\)", socket.get("Listen", ""))
    place = listens.group(1) if listens and socket["ActiveState"] == "active" else ""
    return {
        "daemon": daemon.get("ActiveState", ""),
        # Where systemd listens for the daemon, and that is no file any more.
        "gone": place if place and not node.path(place).exists() else "",
        # Without the option dockerd starts a containerd of its own.
        "containerd": containerd.get("ActiveState", "") if "--containerd" in daemon.get("ExecStart", "") else "",
        "containerd_seen": any(running(path.read_bytes) for path in node.path("/proc").glob("[0-9]*/comm")),
        "bridge": node.path("/sys/class/net/docker0").exists(),
        "starters": {name: bool(shutil.which(name, path=DAEMONS_PATH)) for name in STARTERS},
    }


def running(read: Callable[[], bytes]) -> bool:
    """Return whether a process is a containerd, whoever started it."""
    try:
        return read().strip() == b"containerd"
    except OSError:
        return False


def name_of(gid: int) -> str:
    """Return what a group is called on this node."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return "no name here"


def judge(observed: Any, context: Context) -> Finding:
    """Members can, others cannot."""
    if "docker" not in context.settings["runtimes"]:
        return skipped("validate_runtimes does not name docker")
    if not observed["installed"]:
        return failed("docker is not on PATH", "docker installed")
    if observed.get("code") is None:
        return failed(
            f"docker ps: no answer within {PATIENCE} s",
            "docker ps answers",
            "dockerd hangs: it runs, and does not answer",
            "ps -o pid,stat,wchan:20 -C dockerd,containerd; journalctl -u docker -n 30; systemctl restart docker",
        )
    wrong = membership(observed) or unreached(observed)
    if wrong:
        return wrong
    works = observed["code"] == 0
    said = (observed["stderr"].strip().splitlines() or ["it answers"])[0]
    if observed["in_job"] and "permission denied" in observed["stderr"]:
        return failed(
            said,
            "docker ps works for a member",
            "the socket is not the group's: docker.sock has another owner or mode",
            "ls -l /run/docker.sock; systemctl restart docker.socket docker, or chown root:docker and chmod 0660 it",
        )
    if observed["in_job"] and not works:
        return failed(said, "docker ps works for a member", "the daemon does not run", "systemctl status docker")
    if not observed["in_job"] and works:
        cause = "the daemon is open to everybody, who is root by it"
        return failed("docker ps works for an account outside the group", "refused", cause, "ls -l /run/docker.sock")
    return starts(observed, context) or passed(
        "works for this member" if works else "refused to this account, which is no member"
    )


def unreached(observed: Any) -> Finding | None:
    """Return why a daemon that runs is not asked at all, None where it is; older results do not say."""
    if observed["code"] != 0 and "tcp://" in observed["stderr"]:
        return failed(
            observed["stderr"].strip().splitlines()[0],
            "docker asks the daemon of this node, by its socket",
            "DOCKER_HOST, or a context of the account's, sends docker to another host than this node",
            "env | grep DOCKER in a job; docker context ls; grep -rs DOCKER_HOST /etc/environment /etc/profile.d: "
            "take it out",
        )
    if observed.get("daemon") == "active" and observed.get("gone"):
        return failed(
            f"{observed['gone']} is not there, and docker.service is active",
            f"the socket {observed['gone']}",
            "dockerd runs, and the file of its socket was removed: nobody reaches it",
            "systemctl restart docker.socket docker",
        )
    return None


def starts(observed: Any, context: Context) -> Finding | None:
    """Return why a daemon that answers can start no container, None where it can, or where that is not known."""
    stopped = observed.get("containerd") in ("inactive", "failed", "deactivating")
    if observed.get("daemon") == "active" and stopped and not observed.get("containerd_seen"):
        return failed(
            f"containerd.service is {observed['containerd']}",
            "containerd.service is active, which dockerd's --containerd names",
            "docker answers and can start nothing: containerd does not run",
            "systemctl start containerd; journalctl -u containerd -n 20",
        )
    own = starters(observed)
    beside = compare(context.fleet, own, starters, merit=lambda _name, there: there)
    lost = beside.lost
    if lost:
        return failed(
            f"not found: {', '.join(lost)}",
            f"{', '.join(own)}, {beside.on}",
            f"docker answers and can start nothing: {lost[0]} is missing",
            f"dpkg -S bin/{lost[0]}, or rpm -q --whatprovides /usr/bin/{lost[0]}, names its package: apt-get install "
            "--reinstall it, or dnf reinstall",
        )
    network = compare(context.fleet, bridge(observed), bridge, merit=lambda _name, there: there)
    if network.lost and observed.get("daemon") == "active":
        return failed(
            "no interface docker0",
            f"docker0, {network.on}",
            "docker answers and can start no container: the bridge docker0, to which it connects them, was removed",
            "ip link show type bridge; docker ps; systemctl restart docker makes it anew",
        )
    return None


def bridge(observed: Any) -> dict[str, bool]:
    """Return whether docker's own bridge is there, which a site may switch off; older results do not say."""
    return {"docker0": observed["bridge"]} if "bridge" in observed else {}


def starters(observed: Any) -> dict[str, bool]:
    """Return which programs that start containers are there; older results do not say."""
    return dict(observed.get("starters") or {})


def membership(observed: Any) -> Finding | None:
    """Return what is wrong with the group itself, None where nothing is."""
    if observed.get("group") is False:
        return failed(
            "no group docker",
            "the group docker, whose members may use the daemon",
            "the group docker is not on this node: nobody can use docker here, and its socket does not start again",
            "groupadd --system docker, then systemctl restart docker.socket docker; playbooks/site.yml",
        )
    if observed["member"] and not observed["in_job"] and observed.get("foreign"):
        return failed(
            f"docker is group {observed['gid']} here, and the job has {', '.join(observed['foreign'])} instead",
            f"the group {observed['gid']} among the job's groups",
            "the group docker has another number here than on the controller, which gives jobs their groups",
            "getent group docker, here and on the controller; groupmod -g NUMBER docker where it differs, then "
            "systemctl restart docker.socket docker; docker_group_id gives new nodes the same",
        )
    if observed["member"] and not observed["in_job"]:
        return failed("a member on the node, and not in the job", "the group docker among the job's groups")
    return None
