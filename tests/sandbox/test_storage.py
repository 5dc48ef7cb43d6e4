"""A disk that is mounted after the first run or late at boot, and what is removed with its data: only that."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from cluster.process import Result

from tests.sandbox.harness import INSIDE, Sandbox
from tests.sandbox.playbook_run import Run, words

pytestmark = pytest.mark.sandbox

NODE = "compute1"
DATA = "/scratch/slipway"
# A part of the node's own disk, mounted once more: a local filesystem, on a mount point of its own.
MOUNT = "mkdir -p /late /scratch/late && mount --bind /scratch/late /late"
UNMOUNT = "umount /late && rm -r /late /scratch/late"
KEPT = f"{DATA}/enroot/data/member/kept"
# A file of a user in each runtime's place, and somebody else's.
FILES = {
    "enroot": f"{DATA}/enroot/data/user-2001/kept/file",
    "apptainer": f"{DATA}/apptainer/cache/user-2001/file",
    "docker": f"{DATA}/docker/volumes/kept/_data/file",
    "other": f"{DATA}/other/file",
}
DAEMONS = "systemctl show --property=MainPID --value docker.service containerd.service"


@pytest.fixture(scope="module")
def late(sandbox: Sandbox) -> tuple[str, Run, str]:
    """Docker's processes, a run with a better candidate than the one in use, and Docker's processes after it."""
    sandbox.settle()
    sandbox.ask(NODE, f"{MOUNT} && mkdir -p {KEPT}")
    before = sandbox.ask(NODE, DAEMONS)
    candidates = ["/late", "/scratch", "/"]
    run = sandbox.converge("--tags", "docker", "--limit", NODE, storage_candidates=candidates)
    after = sandbox.ask(NODE, DAEMONS)
    sandbox.ask(NODE, f"rm -r {KEPT} && {UNMOUNT}")
    return before, run, after


def test_data_stays_and_docker_is_left_alone(late: tuple[str, Run, str]) -> None:
    before, run, after = late
    run.unchanged()
    assert before == after


def test_the_remedy_is_said(late: tuple[str, Run, str]) -> None:
    said = late[1].text
    assert f"/late can be used now, and stays unused: {DATA} holds data" in said
    assert "set storage_candidates: [/late] for it" in said


# As after a stop of a machine with an instance store: first nothing is mounted, then an empty disk.
AWAY = """
systemctl stop docker.socket docker containerd
mkdir /usr/local/away && mount --move /scratch /usr/local/away
"""
BACK = """
umount /scratch; mount --move /usr/local/away /scratch && rmdir /usr/local/away
systemctl reset-failed; systemctl restart slipway-storage && systemctl start docker
"""
PLACES = "cd /scratch/slipway && stat -c '%a %U %n' . enroot/data enroot/cache enroot/tmp apptainer/cache pyxis"


@dataclass(frozen=True)
class Boot:
    """What starting units leads to without the disk and with an empty one, and how its directories were before."""

    before: str
    unmounted: dict[str, int]
    said: str
    below: str
    fresh: str
    job: Result


@pytest.fixture(scope="module")
def boot(sandbox: Sandbox) -> Boot:
    sandbox.settle()
    before = sandbox.ask(NODE, PLACES)
    sandbox.alter(NODE, AWAY)
    try:
        units = ("slipway-storage", "containerd", "docker")
        unmounted = {unit: sandbox.execute(NODE, f"systemctl restart {unit}").code for unit in units}
        said = sandbox.ask(NODE, "journalctl -u slipway-storage -n 5 --no-pager; systemctl is-failed slipway-storage")
        below = sandbox.ask(NODE, "find /scratch -mindepth 1")
        sandbox.alter(
            NODE, "mount -t tmpfs none /scratch && systemctl restart slipway-storage && systemctl start docker"
        )
        fresh, job = sandbox.execute(NODE, PLACES).stdout.strip(), sandbox.container_job(NODE)
        sandbox.alter(NODE, "systemctl stop docker.socket docker containerd")
    finally:
        sandbox.alter(NODE, BACK)
    return Boot(before, unmounted, said, below, fresh, job)


def test_nothing_is_written_below_a_mount_point_on_which_nothing_is(boot: Boot) -> None:
    assert all(boot.unmounted.values()), boot.unmounted
    assert boot.below == ""
    assert "/scratch is not a mountpoint" in boot.said and boot.said.endswith("failed")


def test_an_empty_disk_gets_its_directories_before_jobs_come(boot: Boot) -> None:
    assert boot.fresh == boot.before
    assert INSIDE in boot.job.stdout, boot.job.output


def test_nothing_is_to_be_done_after_such_a_boot(sandbox: Sandbox, boot: Boot) -> None:
    sandbox.converge().unchanged()


def there(sandbox: Sandbox) -> list[str]:
    """Return whose files are still on the node."""
    return [name for name, path in FILES.items() if sandbox.execute(NODE, f"test -e {path}").code == 0]


def test_storage_is_not_taken_from_under_a_runtime(sandbox: Sandbox) -> None:
    run = sandbox.play("preflight", storage_state="absent", remove_data=True).failed()
    said = words(" ".join(run.failures.values()))
    assert "while docker is present, which cannot do without it" in said and "docker_state: absent as well" in said


def test_data_goes_with_what_is_removed_and_nothing_else(sandbox: Sandbox) -> None:
    sandbox.settle()
    for path in FILES.values():
        sandbox.alter(NODE, f"mkdir -p $(dirname {path}) && touch {path}")
    # A Docker that is unmanaged keeps running, with its data where it was.
    stays = {"docker_state": "unmanaged", "nvidia_container_toolkit_state": "unmanaged"}
    run = sandbox.play("remove", remove_data=True, **stays)
    left = there(sandbox)
    docker = sandbox.execute(NODE, "docker info --format '{{.DockerRootDir}}'").stdout.strip()
    for name in ("docker", "other"):
        sandbox.alter(NODE, f"rm -r {FILES[name].removesuffix('/file').removesuffix('/_data')}")
    run.succeeded()
    assert (left, docker) == (["docker", "other"], f"{DATA}/docker")
    assert sandbox.ask(NODE, f"ls {DATA}").split() == ["containerd", "docker"]
