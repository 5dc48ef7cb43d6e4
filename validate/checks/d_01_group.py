"""D-01: a member of the group docker can use it in a job, and nobody else."""

from __future__ import annotations

import grp
import os
import pwd
from typing import Any

from validate.model import Check, Context, Finding, failed, passed, skipped
from validate.probing import Node

CHECK = Check(
    id="D-01",
    title="docker usable for its group, in jobs too",
    tier="quick",
    step="host",
    cause="a job's groups come from slurmctld: a membership that only the nodes know is not in a job",
    fix="add the account to the group docker on the controller too; then scontrol reconfigure",
    after=("N-05", "N-30", "D-02"),
)


PATIENCE = 8


def observe(node: Node) -> Any:
    """Ask the daemon, with the groups of this step and those that the node itself would give the account."""
    if not node.which("docker"):
        return {"installed": False}
    asked = node.run(["docker", "ps", "-q"], PATIENCE).record()
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
    wrong = membership(observed)
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
    return passed("works for this member" if works else "refused to this account, which is no member")


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
