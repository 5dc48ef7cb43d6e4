"""What was changed by hand on a node is put right by one ordinary run, and what an admin added stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.sandbox import snapshots
from tests.sandbox.harness import Sandbox
from tests.sandbox.playbook_run import Run

pytestmark = pytest.mark.sandbox

CONFIG = "/etc/enroot/enroot.conf"
HOOKS = "/etc/enroot/hooks.d"
UNITS, UNIT = "/etc/systemd/system", "slipway-storage.service"
LINK = "/usr/local/lib/slipway/pyxis/spank_pyxis.so"
PLUGSTACK = "/etc/slurm/plugstack.conf"
ADDED = "ENROOT_MAX_PROCESSORS 2"


@dataclass(frozen=True)
class Drift:
    """Something done by hand to a path of a node; ``{path}`` in the script is that path."""

    name: str
    node: str
    path: str
    script: str


DRIFTS = (
    Drift("a changed key", "compute1", CONFIG, "sed -i '/^ENROOT_TRANSFER_RETRIES/s/5/1/' {path}"),
    Drift("a deleted hook of the package", "compute1", f"{HOOKS}/10-devices.sh", "rm {path}"),
    Drift("a hook without its x bit", "compute1", f"{HOOKS}/10-shadow.sh", "chmod a-x {path}"),
    Drift("a removed link to a hook", "compute1", f"{HOOKS}/50-slurm-pmi.sh", "rm {path}"),
    Drift("a lost file capability", "compute1", "/usr/bin/enroot-mksquashovlfs", "setcap -r {path}"),
    Drift("a shared directory of a wrong mode", "compute2", "/scratch/slipway/enroot/data", "chmod 0755 {path}"),
    Drift("a missing tmpfiles.d file", "compute2", "/usr/local/lib/slipway/tmpfiles.d/pyxis.conf", "rm {path}"),
    Drift("a disabled unit of the storage", "compute1", f"{UNITS}/multi-user.target.wants/{UNIT}", "rm {path}"),
    Drift("an edited unit of the storage", "login1", f"{UNITS}/{UNIT}", "sed -i /^ExecStartPre/d {path}"),
    Drift("a deleted runtime path", "compute2", "/run/slipway/pyxis", "rm {path} && rmdir /run/slipway"),
    Drift("a removed plugin link", "login1", LINK, "rm {path}"),
    Drift("a damaged plugin", "compute2", LINK, "truncate --size=1k $(readlink {path})"),
    Drift("a duplicate line", "head", PLUGSTACK, 'echo "$(grep spank_pyxis {path})" >> {path}'),
    Drift("a file that users cannot read", "head", PLUGSTACK, "chmod 0600 {path}"),
)  # fmt: skip
# An added key without a newline swallows the next one, or is swallowed by it.
NO_NEWLINE = f"sed -i /^ENROOT_ALLOW_HTTP/d {CONFIG} && printf '{ADDED}' >> {CONFIG}"


@dataclass(frozen=True)
class Repair:
    """What the roles keep on the nodes before the drifts, with them, and after one ordinary run."""

    before: dict[str, snapshots.Snapshot]
    drifted: dict[str, snapshots.Snapshot]
    after: dict[str, snapshots.Snapshot]
    run: Run


@pytest.fixture(scope="module")
def repair(sandbox: Sandbox) -> Iterator[Repair]:
    """All drifts at once, then one ordinary run; what an admin added, and stays, is taken out at the end."""
    sandbox.settle()
    before = snapshots.managed(sandbox)
    for drift in DRIFTS:
        sandbox.alter(drift.node, drift.script.format(path=drift.path))
    sandbox.alter("compute2", NO_NEWLINE)
    drifted = snapshots.managed(sandbox)
    run = sandbox.converge()
    yield Repair(before, drifted, snapshots.managed(sandbox), run)
    sandbox.alter("compute2", f"sed -i '/^{ADDED}$/d' {CONFIG}")


def test_one_ordinary_run_succeeds(repair: Repair) -> None:
    repair.run.succeeded()


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda drift: drift.name)
def test_one_run_repairs(sandbox: Sandbox, repair: Repair, drift: Drift) -> None:
    # The plugin itself lies behind the link.
    paths = {drift.path, f"{drift.path}/", sandbox.ask(drift.node, f"readlink -m {drift.path}")}
    before, drifted, after = (state[drift.node] for state in (repair.before, repair.drifted, repair.after))
    assert paths & set(snapshots.difference(before, drifted)), "nothing had drifted"
    left = snapshots.difference(before, after)
    assert not paths & set(left), left


def test_one_run_repairs_a_last_line_without_newline(sandbox: Sandbox, repair: Repair) -> None:
    lines = sandbox.ask("compute2", f"cat {CONFIG}").splitlines()
    assert "ENROOT_ALLOW_HTTP yes" in lines
    assert sandbox.ask("compute2", f"tail -c1 {CONFIG} | od -An -c") == "\\n"


def test_a_key_that_an_admin_added_stays(sandbox: Sandbox, repair: Repair) -> None:
    assert ADDED in sandbox.ask("compute2", f"cat {CONFIG}").splitlines()


def test_jobs_run_after_the_repair(sandbox: Sandbox, repair: Repair) -> None:
    sandbox.serves_jobs()


def test_the_next_run_changes_nothing(sandbox: Sandbox, repair: Repair) -> None:
    sandbox.converge().unchanged()
