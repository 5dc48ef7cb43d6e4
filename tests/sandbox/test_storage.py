"""A disk that is mounted after the first run, and what is removed with its data: only that."""

from __future__ import annotations

import pytest

from tests.sandbox.harness import Sandbox
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
