"""Mirrors, disks, locks, package managers and nodes that fail: a clear message, and the next run converges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sandbox import mirror, snapshots
from tests.sandbox.harness import Sandbox
from tests.sandbox.playbook_run import Run
from tests.sandbox.submissions import Submissions

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("only_pyxis")]

PLUGSTACK = "/etc/slurm/plugstack.conf"
HOOK = "/etc/enroot/hooks.d/50-slurm-pmi.sh"
PACKAGES = "/var/cache/slipway"
# A change of the line that breaks nothing: it has the run go through registration, reload and proof.
CHANGED_ARGUMENTS = {"pyxis_arguments": {"execute_entrypoint": False}}


# The mirror


@pytest.fixture(scope="module")
def lacking(sandbox: Sandbox) -> Iterator[Sandbox]:
    """A node lacks a package, and the control node everything; afterwards the next run converges."""
    sandbox.settle()
    before = snapshots.managed(sandbox)
    sandbox.alter("compute1", "dpkg --purge enroot+caps")
    yield sandbox
    sandbox.converge().succeeded()
    after = snapshots.managed(sandbox)
    assert {node: snapshots.difference(before[node], after[node]) for node in sandbox.nodes} == {
        node: {} for node in sandbox.nodes
    }


def artifacts(sandbox: Sandbox) -> tuple[str, str, str]:
    """Return the file names of enroot, enroot+caps and pyxis."""
    names = sorted(path.name for path in sandbox.mirror.iterdir())
    capabilities, enroot, pyxis = names
    return enroot, capabilities, pyxis


def refused(sandbox: Sandbox, url: str, cache: Path) -> str:
    """Converge from a mirror that does not deliver; returns the message. Nothing has changed on a node."""
    before = snapshots.managed(sandbox)
    run = sandbox.converge(artifact_mirror=url, artifacts_cache=str(cache), artifacts_all=True, artifacts_retries=0)
    after = snapshots.managed(sandbox)
    assert not any(snapshots.difference(before[node], after[node]) for node in sandbox.nodes)
    assert not [path for path in cache.rglob("*") if path.is_file() and path.name in artifacts(sandbox)[:1]]
    return " ".join(run.failed().failures.values())


def test_a_mirror_with_404_a_page_and_another_file_is_reported_at_once(lacking: Sandbox, tmp_path: Path) -> None:
    enroot, capabilities, pyxis = artifacts(lacking)
    with mirror.serving(lacking.mirror, {enroot: "missing", capabilities: "page", pyxis: "altered"}) as url:
        said = refused(lacking, url, tmp_path)
    assert "3 artifact problems; nothing was installed" in said
    assert f"{enroot} (" in said and "HTTP 404" in said
    assert f"{capabilities} (" in said and "Please log in" in said
    assert f"{pyxis} (" in said and "wrong checksum" in said


def test_a_truncated_download_is_reported(lacking: Sandbox, tmp_path: Path) -> None:
    enroot, _capabilities, _pyxis = artifacts(lacking)
    with mirror.serving(lacking.mirror, {enroot: "truncated"}) as url:
        said = refused(lacking, url, tmp_path)
    assert "1 artifact problem; nothing was installed" in said and "cut off" in said


def test_a_mirror_that_is_down_is_reported(lacking: Sandbox, tmp_path: Path) -> None:
    with mirror.serving(lacking.mirror, {}) as url:
        pass
    said = refused(lacking, url, tmp_path)
    assert "cannot be reached" in said and "start the mirror, or correct artifact_mirror" in said


# Nodes on which an installation fails

# dpkg tells this program each state of a package; it kills dpkg in the middle of unpacking.
KILLER = r"""
printf '#!/bin/sh\ngrep -qm1 "enroot: half-installed" && pkill -KILL -x dpkg\n' > /root/kill-dpkg
chmod 0755 /root/kill-dpkg
echo status-logger=/root/kill-dpkg > /etc/dpkg/dpkg.cfg.d/kill
"""
HOLDER = """
cat > /root/holder.py <<END
import fcntl, time
held = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(held, fcntl.LOCK_EX)
time.sleep(600)
END
setsid python3 /root/holder.py > /dev/null 2>&1 & echo $! > /root/holder.pid
"""


@dataclass(frozen=True)
class Misfortune:
    """A run in which each node met with something else, and the next one."""

    run: Run
    jobs: Submissions
    broken: str
    mended: Run
    before: dict[str, snapshots.Snapshot]
    after: dict[str, snapshots.Snapshot]


@pytest.fixture(scope="module")
def misfortune(sandbox: Sandbox) -> Misfortune:
    """compute1's disk is full, on compute2 apt is locked, and on login1 dpkg is killed while it unpacks."""
    sandbox.settle()
    before = snapshots.managed(sandbox)
    sandbox.alter("compute1", f"dpkg --purge enroot+caps; mount -t tmpfs -o size=16k none {PACKAGES}")
    sandbox.alter("compute2", f"dpkg --purge enroot+caps; {HOLDER}")
    sandbox.alter("login1", f"dpkg --purge enroot+caps enroot; {KILLER}")
    with sandbox.submissions() as jobs:
        run = sandbox.converge(enroot_lock_timeout=2)
        broken = sandbox.ask("login1", "dpkg --audit")
        sandbox.alter("compute1", f"umount {PACKAGES}")
        sandbox.alter("compute2", "kill $(cat /root/holder.pid); rm /root/holder.pid /root/holder.py")
        sandbox.alter("login1", "rm /etc/dpkg/dpkg.cfg.d/kill /root/kill-dpkg")
        mended = sandbox.converge()
    return Misfortune(run.failed(), jobs, broken, mended, before, snapshots.managed(sandbox))


def test_a_full_disk_is_named(misfortune: Misfortune) -> None:
    assert "No space left on device" in misfortune.run.failures["compute1"]


def test_a_held_apt_lock_is_named_with_its_holder(misfortune: Misfortune) -> None:
    said = misfortune.run.failures["compute2"]
    assert "another package manager holds" in said and "python3" in said


def test_a_killed_dpkg_fails_its_node(misfortune: Misfortune) -> None:
    assert "enroot" in misfortune.broken
    assert "cannot install" in misfortune.run.failures["login1"]


def test_the_next_run_converges_to_the_same_state(misfortune: Misfortune) -> None:
    misfortune.mended.succeeded()
    for node, before in misfortune.before.items():
        assert not snapshots.difference(before, misfortune.after[node]), node


def test_no_job_fails_meanwhile(sandbox: Sandbox, misfortune: Misfortune) -> None:
    misfortune.jobs.none_failed()
    sandbox.runs_containers()


# Nodes that are not there


@contextmanager
def unreachable(sandbox: Sandbox, node: str) -> Iterator[None]:
    """A node that runs jobs and cannot be reached by ssh."""
    sandbox.alter(node, "systemctl stop ssh; pkill -KILL '^sshd'; true")
    try:
        yield
    finally:
        sandbox.alter(node, "systemctl start ssh")


def test_with_an_unreachable_node_that_takes_jobs_nothing_is_registered(converged: Sandbox) -> None:
    line = converged.ask("head", f"cat {PLUGSTACK}")
    with unreachable(converged, "compute2"), converged.submissions() as jobs:
        run = converged.converge(**CHANGED_ARGUMENTS).failed()
    jobs.none_failed()
    assert "would refuse every job: compute2 cannot be reached" in run.text
    assert converged.ask("head", f"cat {PLUGSTACK}") == line


def test_an_unreachable_node_that_is_drained_is_listed_and_converges_later(converged: Sandbox) -> None:
    converged.alter("head", "scontrol update nodename=compute2 state=drain reason=test")
    converged.alter("compute2", f"rm {HOOK}")
    try:
        with unreachable(converged, "compute2"), converged.submissions(nodes=1) as jobs:
            run = converged.converge(**CHANGED_ARGUMENTS)
        jobs.none_failed()
        assert "Converge these before they are resumed" in run.text
        assert "compute2 cannot be reached (drained)" in run.text
        assert {host for host, counts in run.recap.items() if counts["unreachable"]} == {"compute2"}
        assert run.total("failed") == 0
        assert "execute_entrypoint=0" in converged.ask("head", f"cat {PLUGSTACK}")
        converged.converge(**CHANGED_ARGUMENTS).succeeded()
        assert converged.ask("compute2", f"test -L {HOOK} && echo back") == "back"
    finally:
        converged.alter("head", "scontrol update nodename=compute2 state=resume")
    converged.serves_jobs()


def test_a_run_for_one_node_leaves_the_registration_alone(converged: Sandbox) -> None:
    line = converged.ask("head", f"cat {PLUGSTACK}")
    converged.alter("compute1", f"rm {HOOK}")
    run = converged.converge("--limit", "compute1", **CHANGED_ARGUMENTS).succeeded()
    assert list(run.recap) == ["compute1"]
    assert converged.ask("compute1", f"test -L {HOOK} && echo back") == "back"
    assert converged.ask("head", f"cat {PLUGSTACK}") == line
