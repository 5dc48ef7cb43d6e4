"""remove.yml leaves the nodes as they were, but for what the docs name, and refuses nobody's jobs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from cluster.process import Result

from tests.sandbox import snapshots
from tests.sandbox.harness import Sandbox
from tests.sandbox.playbook_run import Run
from tests.sandbox.submissions import Submissions

pytestmark = pytest.mark.sandbox

# docs/operate/remove.md: what stays. Of the groups and the data a test of their own says what.
KEPT = ("/scratch/slipway", "/var/lib/containerd", "/etc/cni", "/etc/group", "/etc/gshadow")
# What stood in place of plugstack.conf, where another text stands there now: the only record of it. Earlier tests edit
# that file on the head by hand.
RECORD = "/var/lib/slipway/original/etc/slurm/plugstack.conf"
# What the packages that stay write when they are installed, and dpkg lists for none of them.
OF_PACKAGES = ("/etc/alternatives/", "/etc/rc")


@dataclass(frozen=True)
class Removal:
    """A run of remove.yml, what jobs met with meanwhile, and what is on the nodes afterwards."""

    run: Run
    jobs: Submissions
    after: dict[str, snapshots.Snapshot]
    container_job: Result


@pytest.fixture(scope="module")
def removal(sandbox: Sandbox) -> Removal:
    sandbox.settle()
    with sandbox.submissions() as jobs:
        run = sandbox.play("remove")
    return Removal(run, jobs, snapshots.whole(sandbox), sandbox.container_job("compute1"))


def made_by_packages(sandbox: Sandbox, node: str, packages: list[str]) -> set[str]:
    """Return what packages own on a node, and what their scripts write that dpkg lists for none of them."""
    if not packages:
        return set()
    places = "/usr/bin /usr/sbin /usr/lib /usr/share/man"
    listing = sandbox.ask(node, f"dpkg -L {' '.join(packages)}; find {places} -lname '/etc/alternatives/*'")
    return {*listing.splitlines(), *(f"/etc/default/{package}" for package in packages)}


def packages_of(snapshot: snapshots.Snapshot) -> set[str]:
    return {path.removeprefix("package ") for path in snapshot if path.startswith("package ")}


def test_a_removal_succeeds(removal: Removal) -> None:
    removal.run.succeeded()


def test_a_removal_refuses_no_job(removal: Removal) -> None:
    removal.jobs.none_failed()


def test_a_removal_leaves_the_packages_of_before(removal: Removal, before: dict[str, snapshots.Snapshot]) -> None:
    for node, after in removal.after.items():
        left = snapshots.difference(before[node], after)
        changed = {path: pair for path, pair in left.items() if path.startswith("package ") and pair[0] != "absent"}
        assert not changed, f"{node}: {changed}"
        # What enroot depended on and what the build needed stay: removing them is the admin's to decide.
        assert not {"package enroot", "package enroot+caps", "package apptainer"} & set(left), node
        # Purging docker.io would take the images with it.
        assert "config-files" in left["package docker.io"][1], node


def test_a_removal_leaves_the_files_of_before(
    sandbox: Sandbox, removal: Removal, before: dict[str, snapshots.Snapshot]
) -> None:
    found = {}
    for node, after in removal.after.items():
        new = sorted(packages_of(after) - packages_of(before[node]))
        theirs = made_by_packages(sandbox, node, new)
        left = snapshots.difference(before[node], after)
        found[node] = {
            path: pair
            for path, pair in left.items()
            if not path.startswith(("package ", *KEPT, *OF_PACKAGES))
            and path not in theirs
            # The record with its directories.
            and not (path.startswith("/var/lib/slipway") and f"{RECORD}/".startswith(f"{path}/"))
        }
    assert not any(found.values()), found


def test_a_removal_leaves_data_and_a_group_without_members_and_no_more(sandbox: Sandbox, removal: Removal) -> None:
    data = {"docker", "containerd", "enroot", "enroot/data", "enroot/cache", "apptainer", "apptainer/cache"}
    look = "cd /scratch/slipway 2> /dev/null && find . -mindepth 1 -maxdepth 2 -printf '%P\\n'; true"
    for node in sandbox.nodes:
        left = sandbox.ask(node, look).splitlines()
        assert {path for path in left if not path.startswith(("docker/", "containerd/"))} <= data, node
        assert sandbox.ask(node, "getent group docker").endswith(":"), f"{node}: somebody may still use Docker"
        # With it the files that stood at our places: all have been put back.
        left = sandbox.ask(node, "find /var/lib/slipway ! -type d 2> /dev/null || true").split()
        assert left in ([], [RECORD]), f"{node}: {left}"
        assert left or sandbox.execute(node, "ls -d /var/lib/slipway").stdout == "", node


def test_container_jobs_are_refused_after_a_removal(removal: Removal) -> None:
    assert removal.container_job.code != 0
    assert "unrecognized option '--container-image" in removal.container_job.output


def test_a_second_removal_changes_nothing(sandbox: Sandbox, removal: Removal) -> None:
    sandbox.play("remove").unchanged()


def test_a_bare_cluster_can_be_checked_before_its_first_converge(sandbox: Sandbox, removal: Removal) -> None:
    """--check --diff says what would change, and changes nothing."""
    sandbox.strip()
    sandbox.forget_downloads()
    earlier = snapshots.whole(sandbox)
    run = sandbox.converge("--check", "--diff").succeeded()
    after = snapshots.whole(sandbox)
    for node in sandbox.nodes:
        assert not snapshots.difference(earlier[node], after[node]), node
    assert not list(sandbox.build_cache.glob("*"))
    assert all(counts["changed"] for counts in run.recap.values())
    assert "+ENROOT_DATA_PATH" in run.output.replace(" ", "")
    sandbox.bare = True


def test_a_converge_after_a_removal_works(sandbox: Sandbox) -> None:
    """The plugin is built anew as well."""
    sandbox.strip()
    sandbox.forget_downloads()
    sandbox.converge().succeeded()
    sandbox.serves_jobs()


def test_a_plugin_that_a_node_lacks_is_not_registered(sandbox: Sandbox, only_pyxis: None) -> None:
    sandbox.strip()
    with sandbox.submissions() as jobs:
        run = sandbox.converge("--limit", "!compute2").failed()
    jobs.none_failed()
    assert "would refuse every job: compute2" in run.text and "does not exist" in run.text
    assert sandbox.ask("head", "grep -c spank_pyxis /etc/slurm/plugstack.conf; true") in ("0", "")
